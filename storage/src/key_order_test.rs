//! The order of keys beside a sorted set, under seeded random operations, and how little it takes.

use std::collections::BTreeSet;

use gridkv_protocol::limits::MAX_KEY_BYTES;

use super::*;
use crate::test_store::Dice;

/// Keys of every length, of characters of every length, many with a long beginning in common.
fn key(dice: &mut Dice) -> Key {
    let begins =
        [("u", 0), ("u", 0), ("u", 5), ("user:", 2), ("p", 300), ("p", MAX_KEY_BYTES - 40)];
    let (begin, times) = begins[dice.index(6)];
    let mut text = begin.repeat(times);
    for _ in 0..=dice.below(8) {
        text.push(['\0', '0', '1', '2', 'a', 'é', '語', '\u{10ffff}'][dice.index(8)]);
    }
    Key::new(&text).unwrap()
}

fn following<'a>(model: &'a BTreeSet<Key>, key: &Key) -> Option<&'a Key> {
    model.range::<Key, _>(key..).next()
}

fn check(order: &KeyOrder, model: &BTreeSet<Key>, from: Bound<&str>, limit: usize) {
    let wanted: Vec<Key> =
        model.range::<str, _>((from, Bound::Unbounded)).take(limit).cloned().collect();
    assert_eq!(order.run(from, limit).list(from, limit), wanted, "from {from:?}, {limit}");
}

#[test]
fn it_is_the_same_as_a_sorted_set() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let (mut order, mut model) = (KeyOrder::default(), BTreeSet::new());
        for step in 0..3_000 {
            let key = key(&mut dice);
            // Some seeds mostly remove in the end, so that blocks empty and go.
            if dice.below(8) < if step > 2_000 && seed % 2 == 0 { 7 } else { 2 } {
                let key = following(&model, &key).unwrap_or(&key).clone();
                assert_eq!(order.remove(key.as_str()), model.remove(&key));
            } else {
                assert_eq!(order.insert(key.as_str()), model.insert(key));
            }
            if step % 16 == 0 {
                let bound = super::tests::key(&mut dice);
                let limit = 1 + dice.index(50);
                check(&order, &model, Bound::Included(bound.as_str()), limit);
                check(&order, &model, Bound::Excluded(bound.as_str()), limit);
                check(&order, &model, Bound::Unbounded, limit);
                if let Some(there) = following(&model, &bound) {
                    check(&order, &model, Bound::Included(there.as_str()), limit);
                    check(&order, &model, Bound::Excluded(there.as_str()), limit);
                }
            }
        }
        check(&order, &model, Bound::Unbounded, usize::MAX);
        let counted = order.blocks.iter().map(|(start, block)| block_bytes(start, block)).sum();
        assert_eq!((order.count(), order.bytes()), (model.len(), counted));
        for key in &model {
            assert!(order.remove(key.as_str()));
        }
        assert_eq!((order.blocks.len(), order.bytes()), (0, 0));
    }
}

#[test]
fn keys_that_come_in_order_fill_their_blocks() {
    let mut order = KeyOrder::default();
    for number in 0..100_000 {
        order.insert(&format!("user:{number:011}"));
    }
    let stored: usize = order.blocks.values().map(KeyBlock::len).sum();
    assert!(stored > (order.blocks.len() - 1) * (BLOCK_BYTES - 8), "{} blocks", order.blocks.len());
    assert!(order.bytes() < 100_000 * 5, "{}", order.bytes());
}

#[test]
fn keys_that_come_in_any_order_stay_small() {
    let (mut order, mut dice) = (KeyOrder::default(), Dice(3));
    for _ in 0..100_000 {
        order.insert(&format!("{:016x}", dice.below(u64::MAX)));
    }
    assert!(order.bytes() < 100_000 * 20, "{}", order.bytes());
}

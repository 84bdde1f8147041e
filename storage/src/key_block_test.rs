//! A block of keys beside a sorted set, under seeded random operations.

use std::collections::BTreeSet;

use super::*;
use crate::test_store::Dice;

fn keys(block: &KeyBlock) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    block.visit(|key| {
        keys.push(key.to_vec());
        true
    });
    keys
}

/// Texts of few letters: prefixes of each other, neighbours, and long shared beginnings.
fn text(dice: &mut Dice) -> Vec<u8> {
    let long = [0, 0, 0, 0, 1, 127, 128, 129, 255, 256, 4_000][dice.index(11)];
    let mut text = vec![b'm'; long];
    for _ in 0..=dice.below(5) {
        text.push([0, 1, b'a', b'b', 0xff][dice.index(5)]);
    }
    text
}

#[test]
fn a_block_is_a_sorted_set() {
    let mut dice = Dice(1);
    for _ in 0..200 {
        let (mut block, mut model) = (KeyBlock::default(), BTreeSet::new());
        for _ in 0..dice.below(120) {
            let key = text(&mut dice);
            if dice.below(3) == 0 {
                assert_eq!(block.remove(&key), model.remove(&key));
            } else {
                let is_new = model.insert(key.clone());
                let is_last = model.last() == Some(&key);
                let inserted = match (is_new, is_last) {
                    (false, _) => Inserted::Already,
                    (true, true) => Inserted::Last,
                    (true, false) => Inserted::Amid,
                };
                assert_eq!(block.insert(&key), inserted);
            }
            assert_eq!(block.count(), model.len());
        }
        assert_eq!(keys(&block), model.into_iter().collect::<Vec<_>>());
        assert!(block.len() <= block.capacity());
    }
}

#[test]
fn the_halves_of_a_block_are_told_apart_by_the_text_between() {
    let mut dice = Dice(2);
    for round in 0..500 {
        let mut block = KeyBlock::default();
        for _ in 0..=dice.below(40) {
            block.insert(&text(&mut dice));
        }
        let all = keys(&block);
        let Some((separator, right)) = block.split(round % 2 == 0) else {
            assert_eq!(all.len(), 1);
            continue;
        };
        let (stayed, moved) = (keys(&block), keys(&right));
        assert_eq!((stayed.len(), moved.len()), (block.count(), right.count()));
        assert!(stayed.last().unwrap().as_slice() < &*separator);
        assert!(moved[0].as_slice() >= &*separator);
        assert!(round % 2 == 1 || moved.len() == 1);
        assert_eq!([stayed, moved].concat(), all);
    }
}

#[test]
fn keys_that_look_alike_take_few_bytes() {
    let mut block = KeyBlock::default();
    for number in 0..100 {
        block.insert(format!("user:{number:011}").as_bytes());
    }
    assert!(block.len() < 16 + 100 * 4, "{}", block.len());
}

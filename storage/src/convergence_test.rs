//! Stores that got the same ops, in any order, any number of times, in any batches, are the same.

use gridkv_protocol::{Op, State, UnixMs};

use crate::test_store::{
    Dice, NOW, TestStore, all_records, assert_counts, key, keyed, live, op, origin, put_op, stretch,
};

const PEERS: [u32; 3] = [2, 3, 4];
const OPS: u64 = 150;

/// The ops of each peer, ascending; few keys, so that they meet, and the same points at several peers.
fn history(dice: &mut Dice) -> Vec<Vec<Op>> {
    let ops = |node| {
        let mut state = |n: u64| match dice.below(5) {
            0 => State::Deleted,
            1 => live(&format!("{node}:{n}"), Some(NOW.plus(dice.below(40)))),
            _ => live(&format!("{node}:{n}"), None),
        };
        (1..=OPS)
            .map(|n| {
                let state = state(n);
                op(origin(node), n, &format!("k{}", (n * 7 + u64::from(node) * n) % 25), state)
            })
            .collect()
    };
    PEERS.into_iter().map(ops).collect()
}

fn some_time(dice: &mut Dice) -> UnixMs {
    NOW.plus(dice.below(50))
}

/// Delivers a history: each origin in order, batches of any size, some sent twice or again with what
/// came before, and between them any records as pages.
fn deliver(store: &mut TestStore, history: &[Vec<Op>], dice: &mut Dice) {
    let all = history.concat();
    let mut sent = [0; PEERS.len()];
    while sent.iter().zip(history).any(|(sent, ops)| *sent < ops.len()) {
        let peer = dice.index(PEERS.len());
        if dice.below(4) == 0 {
            let page: Vec<Op> =
                (0..dice.below(20)).map(|_| all[dice.index(all.len())].clone()).collect();
            store.writer.merge_page(keyed(&page), some_time(dice)).unwrap();
        } else {
            let from = sent[peer] - dice.index(sent[peer].min(30) + 1);
            let to = history[peer].len().min(sent[peer] + dice.index(30));
            let ops = &history[peer][from..to];
            let upto = ops.last().map_or(0, |op| op.record.version.hlc.bits());
            store
                .writer
                .merge(stretch(origin(PEERS[peer]), upto, &[], ops), some_time(dice))
                .unwrap();
            sent[peer] = to;
        }
        if dice.below(3) == 0 {
            store.writer.expire(some_time(dice)).unwrap();
        }
        if dice.below(2) == 0 {
            store.commit();
        }
    }
    store.commit();
    store.writer.expire(NOW.plus(50)).unwrap();
    store.commit();
}

#[test]
fn order_repetition_and_batches_do_not_matter() {
    for seed in 0..12 {
        let history = history(&mut Dice(seed));
        let stores: Vec<TestStore> = (0..5)
            .map(|n| {
                let mut store = if n == 4 { TestStore::file() } else { TestStore::memory() };
                deliver(&mut store, &history, &mut Dice(1_000 + seed * 10 + n));
                store
            })
            .collect();
        let first = all_records(&stores[0].reader);
        assert_eq!(first.len(), 25);
        for store in &stores {
            assert_eq!(all_records(&store.reader), first, "seed {seed}");
            assert_eq!(store.reader.applied(), stores[0].reader.applied());
            assert!(store.reader.loose().is_empty());
            assert_eq!(store.applies()[3], 0, "collisions");
            assert!(store.reader.ring().is_empty(), "no echo");
            assert_counts(&store.reader, &first);
        }
    }
}

/// The same records as one catch-up, in any order, split anywhere.
#[test]
fn pages_in_any_order_give_the_same_records() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut all = history(&mut dice).concat();
        let mut states = (0..4).map(|_| {
            dice.shuffle(&mut all);
            let mut store = TestStore::memory();
            let mut rest = all.as_slice();
            while !rest.is_empty() {
                let (page, after) = rest.split_at((1 + dice.index(60)).min(rest.len()));
                store.writer.merge_page(keyed(page), NOW).unwrap();
                if dice.below(2) == 0 {
                    store.commit();
                }
                rest = after;
            }
            store.commit();
            (all_records(&store.reader), store.reader.loose())
        });
        let first = states.next().unwrap();
        assert!(states.all(|state| state == first), "seed {seed}");
    }
}

/// Two stores that write, each sending the other what it publishes, once late and once in time.
#[test]
fn two_writers_that_exchange_their_ops_agree() {
    let mut dice = Dice(42);
    let mut stores = [TestStore::memory(), TestStore::memory()];
    stores[1].writer.take_origin(origin(2)).unwrap();
    for round in 0..200 {
        for at in [0, 1] {
            for _ in 0..dice.below(4) {
                let name = format!("k{}", dice.below(10));
                let write = if dice.below(4) == 0 {
                    crate::test_store::delete(&name)
                } else {
                    crate::test_store::put(&name, &format!("{at}:{round}"))
                };
                stores[at].writer.stage(write, some_time(&mut dice)).unwrap();
            }
            stores[at].writer.close_time(NOW);
            stores[at].commit();
            if dice.below(3) == 0 || round == 199 {
                exchange(&mut stores, at);
            }
        }
    }
    exchange(&mut stores, 0);
    exchange(&mut stores, 1);
    let [left, right] = stores.each_ref().map(|store| all_records(&store.reader));
    assert_eq!(left, right);
    assert_eq!(stores[0].reader.applied(), stores[1].reader.applied());
    for (at, store) in stores.iter().enumerate() {
        let [applied, stale, duplicate, collision] = store.applies();
        assert_eq!((duplicate, collision), (0, 0));
        assert!(applied > 0 && stale > 0, "store {at} saw no race");
        assert_eq!(store.conflicts()[1], stale, "what is stale lost to an unseen write");
    }
}

/// Sends what `from` has published to the other store, each op with what its writer had seen.
fn exchange(stores: &mut [TestStore; 2], from: usize) {
    let (origin, drained) = (stores[from].writer.origin(), stores[from].reader.ring().drain());
    let to = &mut stores[1 - from];
    for logged in drained.ops {
        let mut stretch = stretch(origin, logged.hlc().bits(), &[], &[logged.op]);
        stretch.seen = logged.seen.as_ref().clone();
        to.writer.merge(stretch, NOW).unwrap();
    }
    to.writer.merge(stretch(origin, drained.closed.bits(), &[], &[]), NOW).unwrap();
    to.commit();
}

/// A frontier that covers an op means that it, or a newer record of its key, is there.
#[test]
fn what_is_covered_is_held() {
    let (mut dice, mut store) = (Dice(5), TestStore::memory());
    let history = history(&mut dice);
    deliver(&mut store, &history, &mut dice);
    let records = all_records(&store.reader);
    for op in history.iter().flatten() {
        assert!(store.reader.applied().covers(op.record.version));
        assert!(records[&op.key].version >= op.record.version);
    }
    assert!(!store.reader.applied().covers(put_op(origin(2), OPS + 1, "k").record.version));
    assert!(!records.contains_key(&key("k")));
}

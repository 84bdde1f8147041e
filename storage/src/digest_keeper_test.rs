//! The digest beside a recount: whatever happens to records, deadlines and frontiers.

use super::*;
use crate::test_backend::test_backend;
use crate::test_store::{
    Dice, NOW, TestStore, all_records, delete, hlc, key, late, live, op, origin, put, put_for,
    put_op, touch,
};
use crate::write::Ttl;

/// What a store must amount to, counted anew from what it holds.
fn recount(store: &TestStore) -> Proof {
    let mut keeper = DigestKeeper::at(store.reader.applied());
    for (key, record) in all_records(&store.reader) {
        keeper.hold(&key, &record);
    }
    keeper.proof()
}

fn assert_proven(store: &TestStore) {
    assert_eq!(store.reader.proof(), Some(recount(store)));
}

/// A point whose physical time is so many milliseconds after [`NOW`].
fn point(ms: u64) -> Hlc {
    Hlc::at(NOW.plus(ms))
}

#[test]
fn it_is_a_recount_after_every_kind_of_change() {
    let mut store = TestStore::memory();
    assert_proven(&store);
    for write in [put("a", "1"), put("a", "2"), put_for("b", "1", Ttl::Ms(50)), delete("a")] {
        store.write(write);
        assert_proven(&store);
    }
    store.write(touch("b", Ttl::Ms(90)));
    store.merge(origin(2), late(5), &[put_op(origin(2), late(5), "b"), put_op(origin(2), 4, "c")]);
    assert_proven(&store);
    let held = store.reader.proof();
    store.merge(origin(2), late(5), &[put_op(origin(2), 4, "c")]);
    assert_eq!(store.reader.proof(), held, "a duplicate changes nothing");
    store.writer.close_time(NOW);
    store.commit();
    assert_proven(&store);
    assert_eq!(held.unwrap().root, store.reader.proof().unwrap().root, "nor does time");
    assert_ne!(held, store.reader.proof());
}

#[test]
fn a_commit_that_is_not_made_leaves_it() {
    let (mut store, levers) = test_backend(false);
    store.write(put("k", "1"));
    let before = store.reader.proof();
    levers.set_full(true);
    store.writer.stage(put("k", "2"), NOW).unwrap();
    store.writer.stage(put_for("j", "2", Ttl::Ms(5)), NOW).unwrap();
    store.writer.commit(crate::durability::Durability::Memory).unwrap_err();
    assert_eq!(store.reader.proof(), before);
    levers.set_full(false);
    store.writer.stage(put("k", "3"), NOW).unwrap();
    store.writer.drop_staged();
    store.write(delete("k"));
    assert_proven(&store);
}

#[test]
fn nothing_is_proven_while_a_record_is_loose_and_by_a_cache_never() {
    let mut store = TestStore::memory();
    store.merge_page(&[put_op(origin(2), 5, "k")]);
    assert_eq!(store.reader.proof(), None);
    store.merge(origin(2), 5, &[]);
    assert_proven(&store);
    #[cfg(feature = "moka")]
    {
        let mut cache = TestStore::on("moka");
        cache.write(put("k", "v"));
        assert_eq!((cache.reader.proof(), cache.writer.digest()), (None, None));
    }
}

/// Two stores that saw the same, one of which expires late.
#[test]
fn expiry_changes_nothing_until_every_origin_has_passed_the_deadline() {
    let (mut early, mut tardy) = (TestStore::memory(), TestStore::memory());
    let deadline = NOW.plus(10);
    let written = op(origin(2), point(1).bits(), "k", live("v", Some(deadline)));
    let both = |early: &mut TestStore, tardy: &mut TestStore, from: u32, upto: Hlc| {
        early.merge(origin(from), upto.bits(), &[]);
        tardy.merge(origin(from), upto.bits(), &[]);
    };
    for store in [&mut early, &mut tardy] {
        store.merge(origin(2), point(1).bits(), std::slice::from_ref(&written));
    }
    let root = early.reader.proof().unwrap().root;
    assert!(!early.writer.expire(NOW.plus(20)).unwrap());
    early.commit();
    assert_eq!(early.reader.proof(), tardy.reader.proof(), "expired here and not there");
    both(&mut early, &mut tardy, 3, point(9));
    both(&mut early, &mut tardy, 2, point(30));
    assert_eq!(early.reader.proof().unwrap().root, root, "one origin has not passed it");
    both(&mut early, &mut tardy, 3, point(10));
    assert_eq!(early.reader.proof().unwrap().root, 0, "all have passed it");
    assert_eq!(early.reader.proof(), tardy.reader.proof());
    both(&mut early, &mut tardy, 4, hlc(7));
    assert_eq!(early.reader.proof().unwrap().root, root, "an old origin appears");
    assert_eq!(early.reader.proof(), tardy.reader.proof());
    both(&mut early, &mut tardy, 4, point(40));
    assert_eq!(early.reader.proof().unwrap().root, 0);
    assert_proven(&early);
    assert_proven(&tardy);
}

#[test]
fn a_closed_origin_holds_nothing_back() {
    let closing = |at| gridkv_protocol::frontier::Closing { at, loose: false }.point();
    let mut keeper = DigestKeeper::at(Frontier::default());
    keeper.move_on(origin(2), point(1));
    keeper.move_on(origin(3), point(90));
    let record = op(origin(3), point(80).bits(), "k", live("v", Some(NOW.plus(50)))).record;
    keeper.hold(&key("k"), &record);
    assert_ne!(keeper.proof().root, 0);
    keeper.move_on(origin(2), closing(point(1)));
    assert_eq!(keeper.proof().root, 0);
}

#[test]
fn the_order_of_moves_and_changes_is_nothing_to_it() {
    let mut dice = Dice(11);
    for _ in 0..50 {
        let mut records: Vec<(Key, Record)> = (0..30)
            .map(|n| {
                let deadline = (dice.below(2) == 0).then(|| NOW.plus(dice.below(40)));
                let bits = point(dice.below(40)).bits() + dice.below(9);
                let made = op(origin(2), bits, &n.to_string(), live("v", deadline));
                (made.key, made.record)
            })
            .collect();
        let mut moves: Vec<(Origin, Hlc)> = (0..12)
            .map(|_| (origin(2 + u32::try_from(dice.below(4)).unwrap()), point(dice.below(60))))
            .collect();
        let frontier: Frontier = moves.iter().copied().collect();
        let mut wanted = DigestKeeper::at(frontier);
        for (key, record) in &records {
            wanted.hold(key, record);
        }
        dice.shuffle(&mut records);
        dice.shuffle(&mut moves);
        let mut keeper = DigestKeeper::at(Frontier::default());
        for at in 0..records.len().max(moves.len()) {
            if let Some((origin, upto)) = moves.get(at) {
                keeper.move_on(*origin, *upto);
            }
            if let Some((key, record)) = records.get(at) {
                keeper.hold(key, record);
            }
        }
        assert_eq!(keeper.proof(), wanted.proof());
        assert_eq!(keeper.buckets(), wanted.buckets());
        for (key, record) in &records {
            keeper.follow(key, Stake::of(record), None);
        }
        assert_eq!((keeper.proof().root, keeper.timed.len()), (0, 0));
    }
}

#[test]
fn a_store_that_was_opened_proves_nothing_before_it_has_read_itself() {
    let mut store = TestStore::file();
    for n in 0..3_000 {
        store.writer.stage(put(&format!("{n:05}"), "v"), NOW).unwrap();
        if n % 3 == 0 {
            store.writer.stage(put_for(&format!("t{n}"), "v", Ttl::Ms(n)), NOW).unwrap();
        }
    }
    store.commit();
    let root = store.reader.proof().unwrap().root;
    let mut store = store.reopen();
    assert_eq!(store.reader.proof(), None);
    let mut turns = 0;
    while store.writer.survey().unwrap() {
        turns += 1;
        // On both sides of where the walk is.
        store.write(put("00001", &turns.to_string()));
        store.write(delete("t2997"));
        store.write(put("zz", &turns.to_string()));
        assert_eq!(store.reader.proof(), None);
    }
    assert!(turns >= 3);
    assert_proven(&store);
    assert_ne!(store.reader.proof().unwrap().root, root);
    assert!(!store.writer.survey().unwrap());
}

#[test]
fn readers_find_the_roots_of_a_while_ago() {
    let mut store = TestStore::memory();
    let mut proofs = Vec::new();
    for n in 0..3_000 {
        store.write(put("k", &n.to_string()));
        proofs.push(store.reader.proof().unwrap());
    }
    let kept = proofs.split_off(proofs.len() - 1_000);
    for Proof { frontier, root } in kept {
        assert_eq!(store.reader.root_at(frontier), Some(root));
    }
    assert_eq!(store.reader.root_at(proofs[1_900].frontier), None);
}

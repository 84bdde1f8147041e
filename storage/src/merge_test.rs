//! What the funnel makes of what peers send: batches, catch-up pages, and the end of a catch-up.

use gridkv_protocol::{Frontier, Op, State};

use crate::test_store::{
    NOW, TestStore, all_records, assert_counts, delete, frontier, hlc, keyed, late, live, op,
    origin, put, put_op, stretch,
};

#[test]
fn a_stretch_is_readable_and_claimed_after_its_commit() {
    let mut store = TestStore::memory();
    let ops = [put_op(origin(2), 3, "a"), put_op(origin(2), 5, "b"), put_op(origin(2), 6, "a")];
    store.writer.merge(stretch(origin(2), 9, &[], &ops), NOW).unwrap();
    assert_eq!((store.value("a"), store.reader.applied()), (None, Frontier::default()));
    assert_eq!(store.writer.others(), &frontier(&[(origin(2), 9)]), "the next commit included");
    store.commit();
    assert_eq!(store.value("a"), Some(b"6".to_vec()));
    assert_eq!(store.reader.applied(), frontier(&[(origin(2), 9)]));
    assert_eq!(store.applies(), [3, 0, 0, 0]);
    assert_counts(&store.reader, &all_records(&store.reader));
}

#[test]
fn a_heartbeat_moves_the_frontier_alone() {
    let mut store = TestStore::memory();
    store.merge(origin(2), 9, &[]);
    store.merge(origin(2), 4, &[]);
    assert_eq!(store.reader.applied(), frontier(&[(origin(2), 9)]), "never back");
    assert!(store.writer.clock() >= hlc(9));
    assert_eq!((store.applies(), store.reader.stats().key_count), ([0; 4], 0));
}

#[test]
fn verdicts_are_counted() {
    let mut store = TestStore::memory();
    let same = put_op(origin(2), 5, "k");
    store.merge(origin(2), 5, std::slice::from_ref(&same));
    assert_eq!(store.applies(), [1, 0, 0, 0]);
    store.merge(origin(2), 5, &[same]);
    assert_eq!(store.applies(), [1, 0, 1, 0]);
    store.merge(origin(3), 4, &[put_op(origin(3), 4, "k")]);
    assert_eq!(store.applies(), [1, 1, 1, 0]);
    store.merge(origin(2), 6, &[op(origin(2), 6, "k", State::Deleted)]);
    assert_eq!(store.applies(), [2, 1, 1, 0]);
    assert_eq!(store.value("k"), None);
}

/// Ties of the clock go to the greater origin, here and on every other node.
#[test]
fn equal_points_are_decided_by_origin() {
    let mut store = TestStore::memory();
    store.merge(origin(3), 5, &[put_op(origin(3), 5, "k")]);
    store.merge(origin(2), 5, &[op(origin(2), 5, "k", State::Deleted)]);
    assert_eq!(store.value("k"), Some(b"5".to_vec()));
    store.merge(origin(4), 5, &[op(origin(4), 5, "k", State::Deleted)]);
    assert_eq!(store.value("k"), None);
    assert_eq!(store.applies(), [2, 1, 0, 0]);
}

#[test]
fn a_collision_is_counted_and_decided_alike() {
    let (a, b) = (live("a", None), live("b", None));
    for order in [[&a, &b], [&b, &a]] {
        let mut store = TestStore::memory();
        for state in order {
            store.merge(origin(2), 5, &[op(origin(2), 5, "k", state.clone())]);
        }
        assert_eq!(store.applies(), [1, 0, 0, 1]);
        assert_eq!(store.value("k"), Some(b"b".to_vec()), "the same pick in any order");
        assert_eq!(store.conflicts(), [0, 0]);
        assert_counts(&store.reader, &all_records(&store.reader));
    }
}

#[test]
fn a_conflict_is_what_the_writer_had_not_seen() {
    let (own, second, third) = (origin(1), origin(2), origin(3));
    let mut store = TestStore::memory();
    let written = store.write(put("k", "own")).version.hlc.bits();
    let merge = |store: &mut TestStore, origin, bits, seen: &[_]| {
        let ops = [put_op(origin, bits, "k")];
        store.writer.merge(stretch(origin, bits, seen, &ops), NOW).unwrap();
        store.commit();
    };
    merge(&mut store, second, 5, &[]);
    assert_eq!(store.conflicts(), [0, 1], "the standing write won, unseen");
    merge(&mut store, second, 6, &[(own, written)]);
    assert_eq!(store.conflicts(), [0, 1], "stale, but its writer had seen what stands");
    merge(&mut store, second, late(1), &[(own, written - 1)]);
    assert_eq!(store.conflicts(), [1, 1], "the remote write won, unseen");
    merge(&mut store, second, late(2), &[]);
    assert_eq!(store.conflicts(), [1, 1], "an origin has seen its own");
    merge(&mut store, third, late(3), &[(own, written), (second, late(2))]);
    assert_eq!(store.conflicts(), [1, 1], "seen covers what stands");
    merge(&mut store, second, late(4), &[(own, written)]);
    assert_eq!(store.conflicts(), [2, 1]);
    let fresh = [put_op(third, late(5), "other")];
    store.writer.merge(stretch(third, late(5), &[], &fresh), NOW).unwrap();
    assert_eq!(store.conflicts(), [2, 1], "an absent key is no conflict");
}

#[test]
fn pages_move_no_frontier_and_count_no_conflict() {
    let mut store = TestStore::memory();
    store.write(put("k", "own"));
    let before = store.reader.applied();
    store.merge_page(&[put_op(origin(2), late(7), "k"), put_op(origin(3), 4, "k")]);
    assert_eq!(store.reader.applied(), before);
    assert_eq!((store.applies(), store.conflicts()), ([1, 1, 0, 0], [0, 0]));
    assert_eq!(store.value("k"), Some(late(7).to_string().into_bytes()));
}

#[test]
fn records_ahead_of_their_origin_are_loose_until_it_comes() {
    let mut store = TestStore::memory();
    let ops = [put_op(origin(2), 5, "a"), put_op(origin(2), 8, "b"), put_op(origin(3), 6, "c")];
    store.merge_page(&ops);
    let (all, twins) = (store.reader.loose(), TestStore::memory());
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [origin(2), origin(3)]);
    assert_eq!(store.reader.report().loose, *all);

    let mut twin = twins;
    twin.merge_page(&ops[1..]);
    twin.merge_page(&ops[..1]);
    twin.merge_page(&ops);
    assert_eq!(twin.reader.loose(), all, "any order, any number of times");

    store.merge(origin(2), 5, &[]);
    assert_ne!(store.reader.loose().get(&origin(2)), all.get(&origin(2)), "one is settled");
    store.merge(origin(2), 8, &ops[..2]);
    assert_eq!(store.reader.loose().keys().copied().collect::<Vec<_>>(), [origin(3)]);
    store.write(put("c", "overwritten"));
    assert!(store.reader.loose().is_empty(), "what is overwritten is not held any more");
    assert!(!twin.reader.loose().is_empty());
    twin.writer.install(&frontier(&[(origin(2), 8), (origin(3), 6)]), hlc(0));
    assert!(!twin.reader.loose().is_empty(), "not before the commit");
    twin.commit();
    assert!(twin.reader.loose().is_empty());
}

#[test]
fn what_is_staged_is_loose_for_others_and_nobody_reads_it() {
    let mut store = TestStore::memory();
    let page = keyed(&[put_op(origin(2), 8, "b")]);
    store.writer.merge_page(page, NOW).unwrap();
    let announced = store.reader.report().loose;
    assert!(announced.contains_key(&origin(2)) && store.value("b").is_none());
    store.writer.drop_staged();
    assert!(store.reader.report().loose.is_empty());
    store.merge_page(&[put_op(origin(2), 8, "b")]);
    assert_eq!(store.reader.report().loose, announced);
}

#[test]
fn covered_records_are_not_loose() {
    let mut store = TestStore::memory();
    store.merge(origin(2), 9, &[]);
    store.merge_page(&[put_op(origin(2), 9, "k")]);
    assert!(store.reader.loose().is_empty());
    store.merge_page(&[put_op(origin(2), 10, "k")]);
    assert!(!store.reader.loose().is_empty());
    store.merge_page(&[put_op(origin(2), 11, "k")]);
    let only_the_last = {
        let mut twin = TestStore::memory();
        twin.merge_page(&[put_op(origin(2), 11, "k")]);
        twin.reader.loose()
    };
    assert_eq!(store.reader.loose(), only_the_last);
}

#[test]
fn an_installed_frontier_moves_all_but_the_present_origin() {
    let mut store = TestStore::memory();
    let own = store.write(put("k", "v")).version.hlc;
    store.merge(origin(2), 50, &[]);
    let donor = frontier(&[(origin(1), u64::MAX), (origin(2), 40), (origin(3), 30)]);
    store.writer.install(&donor, hlc(20));
    assert_eq!((store.reader.applied().len(), store.reader.floor()), (2, hlc(0)));
    store.commit();
    let wanted = frontier(&[(origin(1), own.bits()), (origin(2), 50), (origin(3), 30)]);
    assert_eq!((store.reader.applied(), store.reader.floor()), (wanted, hlc(20)));
    store.writer.install(&Frontier::default(), hlc(10));
    store.commit();
    assert_eq!(store.reader.floor(), hlc(20), "never back");
}

/// A donor may have a higher floor and no news.
#[test]
fn an_installed_floor_needs_no_other_change() {
    let mut store = TestStore::file();
    store.writer.install(&Frontier::default(), hlc(20));
    store.commit();
    assert_eq!(store.reader.floor(), hlc(20));
    assert!(store.flusher.is_needed());
    store.flusher.flush().unwrap();
    assert_eq!(store.reopen().reader.floor(), hlc(20));
}

#[test]
fn what_was_deleted_and_forgotten_does_not_come_back() {
    let mut store = TestStore::memory();
    store.merge(origin(2), 5, &[put_op(origin(2), 5, "there")]);
    store.writer.install(&Frontier::default(), hlc(20));
    store.merge_page(&[put_op(origin(3), 20, "forgotten"), put_op(origin(3), 20, "there")]);
    assert_eq!((store.value("forgotten"), store.applies()), (None, [2, 1, 0, 0]));
    assert_eq!(store.value("there"), Some(b"20".to_vec()), "a key that stands is merged");
    store.merge(origin(4), 21, &[put_op(origin(4), 19, "x"), put_op(origin(4), 21, "y")]);
    assert_eq!((store.value("x"), store.value("y")), (None, Some(b"21".to_vec())));
    assert_eq!(store.reader.applied().get(origin(4)), hlc(21), "dropped is done with");
    assert!(store.reader.loose().keys().eq([&origin(3)]), "dropped is not loose");
}

/// An answered write must be there, however far the donor's floor is.
#[test]
fn own_writes_are_minted_above_the_floor() {
    let mut store = TestStore::file();
    store.writer.install(&Frontier::default(), hlc(late(5)));
    let written = store.write(put("k", "v"));
    assert!(written.version.hlc.bits() > late(5));
    assert_eq!(store.value("k"), Some(b"v".to_vec()));
    store.writer.install(&Frontier::default(), hlc(late(1 << 20)));
    store.commit();
    store.flusher.flush().unwrap();
    let mut store = store.reopen();
    store.write(delete("k"));
    store.write(put("new", "v"));
    assert_eq!(store.value("new"), Some(b"v".to_vec()), "after a restart too");
}

#[test]
fn merged_tombstones_stand_against_older_puts() {
    let mut store = TestStore::memory();
    store.merge(origin(2), 9, &[op(origin(2), 9, "k", State::Deleted)]);
    store.merge(origin(3), 8, &[put_op(origin(3), 8, "k")]);
    assert_eq!((store.value("k"), store.reader.stats().tombstones), (None, 1));
}

#[test]
fn one_commit_takes_stretches_pages_and_writes_together() {
    let mut store = TestStore::memory();
    let ops = [put_op(origin(2), 1, "a"), put_op(origin(2), 2, "b")];
    store.writer.merge(stretch(origin(2), 2, &[], &ops), NOW).unwrap();
    store.writer.merge(stretch(origin(2), 4, &[], &[put_op(origin(2), 4, "a")]), NOW).unwrap();
    store.writer.merge_page(keyed(&[put_op(origin(3), 3, "a")]), NOW).unwrap();
    store.writer.stage(put("b", "own"), NOW).unwrap();
    store.commit();
    let read = ["a", "b"].map(|key| store.value(key).unwrap());
    assert_eq!(read, [b"4".to_vec(), b"own".to_vec()]);
    assert_eq!(store.applies(), [3, 1, 0, 0]);
    assert!(store.reader.loose().is_empty(), "it lost, so it is not held");
    assert_counts(&store.reader, &all_records(&store.reader));
}

/// A stretch of many ops of one key keeps one record.
#[test]
fn a_key_that_changes_often_in_a_commit_counts_once() {
    let mut store = TestStore::memory();
    let ops: Vec<Op> = (1..=500).map(|n| put_op(origin(2), n, "k")).collect();
    store.merge(origin(2), 500, &ops);
    assert_eq!((store.applies()[0], store.reader.stats().key_count), (500, 1));
    assert_counts(&store.reader, &all_records(&store.reader));
}

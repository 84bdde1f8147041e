//! What leaves a store: ops of its own writes, with what their writer had seen, and closed time.

use gridkv_protocol::State;
use gridkv_protocol::op_log::LoggedOp;

use super::*;
use crate::ring::Drained;
use crate::store::StoreConfig;
use crate::test_store::{
    NOW, TestStore, config, delete, frontier, hlc, keyed, late, live, op, origin, put, put_for,
    put_op, stretch, touch,
};
use crate::write::Ttl;

fn own(store: &TestStore) -> Hlc {
    store.reader.applied().get(store.writer.origin())
}

#[test]
fn every_write_is_published_as_it_was_made() {
    let mut store = TestStore::memory();
    let writes =
        [put("a", "1"), put_for("a", "2", Ttl::Ms(7)), touch("a", Ttl::Unlimited), delete("a")];
    let versions = writes.map(|write| store.writer.stage(write, NOW).unwrap().version);
    store.commit();
    let Drained { ops, closed, floor } = store.reader.ring().drain();
    assert_eq!(ops.iter().map(|l| l.op.record.version).collect::<Vec<_>>(), versions);
    let states = ops.into_iter().map(|logged| logged.op.record.state);
    let wanted = [live("1", None), live("2", Some(NOW.plus(7))), live("2", None), State::Deleted];
    assert!(states.eq(wanted));
    assert_eq!((closed, floor), (versions[3].hlc, Hlc::ZERO));
    assert_eq!(own(&store), closed);
}

/// A value that is due when it is written is stored without, and published whole: a peer whose clock
/// is behind decides for itself.
#[test]
fn a_write_that_is_due_at_once_is_published_whole() {
    let mut store = TestStore::memory();
    store.write(put_for("k", "v", Ttl::Ms(0)));
    let published = store.reader.ring().drain().ops.pop().unwrap();
    assert_eq!(published.op.record.state, live("v", Some(NOW)));
}

#[test]
fn what_peers_sent_is_never_published() {
    let mut store = TestStore::memory();
    let ops = [put_op(origin(2), 5, "a"), op(origin(2), 6, "b", live("v", Some(NOW)))];
    store.merge(origin(2), 6, &ops);
    store.merge_page(&[put_op(origin(3), 7, "c")]);
    store.writer.install(&frontier(&[(origin(3), 8)]), Hlc::ZERO);
    store.commit();
    let Drained { ops, closed, .. } = store.reader.ring().drain();
    assert!(ops.is_empty());
    assert_eq!((closed, own(&store)), (Hlc::ZERO, Hlc::ZERO), "nor is any time closed");
}

#[test]
fn ops_carry_what_their_writer_had_seen_of_the_others() {
    let mut store = TestStore::memory();
    let stage = |store: &mut TestStore| store.writer.stage(put("k", "v"), NOW).unwrap().version;
    stage(&mut store);
    store.writer.merge(stretch(origin(2), 5, &[], &[put_op(origin(2), 5, "k")]), NOW).unwrap();
    stage(&mut store);
    store.writer.merge_page(keyed(&[put_op(origin(3), 7, "k")]), NOW).unwrap();
    stage(&mut store);
    store.writer.install(&frontier(&[(origin(1), 99), (origin(3), 9)]), Hlc::ZERO);
    store.commit();
    stage(&mut store);
    store.commit();
    let seen: Vec<Frontier> =
        store.reader.ring().drain().ops.iter().map(|l| l.seen.as_ref().clone()).collect();
    let second = frontier(&[(origin(2), 5)]);
    let both = frontier(&[(origin(2), 5), (origin(3), 9)]);
    assert_eq!(seen, [Frontier::default(), second.clone(), second, both]);
}

#[test]
fn a_full_ring_raises_the_floor() {
    let mut store = TestStore::new(StoreConfig { ring_slots: 4, ..config("memory") });
    let versions: Vec<Hlc> =
        (0..10).map(|_| store.writer.stage(put("k", "v"), NOW).unwrap().version.hlc).collect();
    assert_eq!(store.reader.stats().sync_buffer_overwritten, 0, "not before the commit");
    store.commit();
    let stats = store.reader.stats();
    assert_eq!((stats.sync_buffer_len, stats.sync_buffer_capacity), (4, 4));
    assert_eq!(stats.sync_buffer_overwritten, 6);
    let Drained { ops, closed, floor } = store.reader.ring().drain();
    assert_eq!(ops.iter().map(LoggedOp::hlc).collect::<Vec<_>>(), versions[6..]);
    assert_eq!((closed, floor), (versions[9], versions[5]));
    assert_eq!(store.value("k"), Some(b"v".to_vec()), "the store itself lost nothing");
}

#[test]
fn closed_time_is_below_every_later_mint() {
    let mut store = TestStore::memory();
    store.writer.close_time(NOW);
    assert_eq!(own(&store), Hlc::ZERO, "not before the commit");
    store.commit();
    let closed = own(&store);
    assert!(closed >= Hlc::at(NOW));
    assert_eq!(store.reader.ring().drain().closed, closed);
    assert!(store.write(put("k", "v")).version.hlc > closed);
    let staged = store.writer.stage(put("k", "w"), NOW).unwrap().version.hlc;
    store.writer.close_time(UnixMs(3));
    assert!(own(&store) < staged, "never past what is not committed");
    store.commit();
    let Drained { ops, closed, .. } = store.reader.ring().drain();
    assert_eq!((ops.len(), own(&store)), (2, closed));
    assert!(closed > staged);
}

#[test]
fn a_new_origin_takes_over_where_the_old_one_ends() {
    let mut store = TestStore::memory();
    let (first, second) = (origin(1), Origin::new(origin(1).node(), gridkv_protocol::Epoch(9)));
    store.write(put("a", "old"));
    let last = store.writer.stage(put("b", "old"), NOW).unwrap().version;
    store.writer.take_origin(second).unwrap();
    assert_eq!(store.value("b"), Some(b"old".to_vec()), "what was staged is committed");
    assert_eq!(store.writer.origin(), second);
    let covered = frontier(&[(first, last.hlc.bits())]);
    assert_eq!((store.reader.applied(), store.writer.others()), (covered.clone(), &covered));
    assert!(store.reader.loose().is_empty());

    let written = store.write(put("a", "new")).version;
    assert!(written.origin == second && written.hlc > last.hlc);
    assert_eq!(store.reader.applied().get(second), written.hlc);
    assert_eq!(store.reader.applied().get(first), last.hlc);
    let ops = store.reader.ring().drain().ops;
    assert_eq!(ops.len(), 3);
    assert_eq!(*ops[2].seen, covered, "the new origin has seen the old one");
    // The old origin is now one of the others.
    store.writer.install(&frontier(&[(first, late(5))]), Hlc::ZERO);
    store.commit();
    assert_eq!(store.reader.applied().get(first), hlc(late(5)));
}

#[test]
fn a_new_origin_before_any_write_is_nothing() {
    let mut store = TestStore::memory();
    store.writer.take_origin(origin(7)).unwrap();
    assert!(store.reader.applied().is_empty());
    assert_eq!(store.write(put("k", "v")).version.origin, origin(7));
}

//! What is let go, what is not, and that it does not come back.

use gridkv_protocol::{Epoch, NodeId, Op, Record, State, Version};

use super::*;
use crate::test_store::{
    NOW, TestStore, all_records, assert_counts, delete, frontier, hlc, key, keyed, late, live, op,
    origin, put, put_for, put_op,
};
use crate::write::Ttl;

const BACKENDS: [&str; 3] = ["memory", "file", "fjall"];

fn keys(store: &TestStore) -> Vec<String> {
    all_records(&store.reader).keys().map(|key| key.as_str().to_owned()).collect()
}

fn purge(store: &mut TestStore, stable: Hlc) {
    while store.writer.purge(stable).unwrap() {}
}

#[test]
fn what_is_dead_goes_at_the_stable_point_and_what_is_older_stays_away() {
    for backend in BACKENDS {
        let mut store = TestStore::on(backend);
        store.write(put("kept", "v"));
        store.write(put_for("expires", "v", Ttl::Ms(10)));
        let gone = store.write(delete("gone")).version;
        let later = store.write(delete("later")).version;
        store.writer.expire(NOW.plus(10)).unwrap();
        store.commit();

        purge(&mut store, gone.hlc);
        assert_eq!(keys(&store), ["expires", "kept", "later"], "{backend}: its deadline is later");
        assert_eq!((store.reader.floor(), store.reader.stats().purged), (gone.hlc, 1));
        purge(&mut store, later.hlc.max(Hlc::end_of(NOW.plus(10))));
        assert_eq!(keys(&store), ["kept"], "{backend}");
        assert_counts(&store.reader, &all_records(&store.reader));
        assert_eq!(store.reader.stats().tombstones, 0);

        let old = Op {
            key: key("gone"),
            record: Record {
                version: Version { hlc: hlc(5), origin: origin(2) },
                state: live("x", None),
            },
        };
        store.merge(origin(2), 5, &[old]);
        assert_eq!(store.record("gone"), None, "{backend}: below the floor nothing comes back");
        let drained = store.reader.ring().drain();
        assert_eq!(drained.floor, store.reader.floor(), "nor is it sent");

        let mut store = store.reopen();
        assert_eq!(keys(&store).len(), usize::from(backend != "memory"), "{backend}");
        store.write(put("gone", "again"));
        assert_eq!(store.value("gone"), Some(b"again".to_vec()));
    }
}

#[test]
fn a_floor_rises_only_when_something_goes() {
    let mut store = TestStore::memory();
    store.write(put("k", "v"));
    purge(&mut store, Hlc::at(NOW.plus(1_000)));
    assert_eq!(store.reader.floor(), Hlc::ZERO);
    store.write(delete("k"));
    store.write(put("k", "w"));
    purge(&mut store, Hlc::at(NOW.plus(1_000)));
    assert_eq!((store.reader.floor(), keys(&store)), (Hlc::ZERO, vec!["k".to_owned()]));
}

#[test]
fn more_than_one_turn_takes_go_in_turns() {
    let mut store = TestStore::memory();
    let ops: Vec<Op> =
        (1..=2_500).map(|n| op(origin(2), n, &format!("{n}"), State::Deleted)).collect();
    store.merge(origin(2), 2_500, &ops);
    assert!(store.writer.purge(hlc(2_500)).unwrap());
    assert_eq!(keys(&store).len(), 2_500 - PURGE_AT_ONCE);
    purge(&mut store, hlc(2_500));
    assert!(keys(&store).is_empty());
}

#[test]
fn a_commit_that_is_not_made_lets_nothing_go() {
    let (mut store, levers) = crate::test_backend::test_backend(false);
    let gone = store.write(delete("k")).version;
    levers.set_full(true);
    assert!(store.writer.purge(gone.hlc).is_err());
    assert_eq!((keys(&store).len(), store.reader.floor()), (1, Hlc::ZERO));
    levers.set_full(false);
    purge(&mut store, gone.hlc);
    assert_eq!((keys(&store).len(), store.reader.floor()), (0, gone.hlc));
}

#[test]
fn a_stretch_becomes_what_the_donor_has_but_for_what_is_newer() {
    for backend in BACKENDS {
        let mut store = TestStore::on(backend);
        let peer = origin(2);
        let ops: Vec<Op> = ["a", "b", "c", "d", "e", "f"]
            .iter()
            .zip(1..)
            .map(|(key, n)| put_op(peer, n, key))
            .collect();
        store.merge(peer, 6, &ops);
        store.merge(peer, 50, &[put_op(peer, 50, "newer")]);
        let donor = frontier(&[(peer, 40)]);
        let stretch =
            DonorStretch { after: Some("a"), upto: Some("p"), floor: hlc(5), frontier: &donor };
        let theirs = keyed(&[put_op(peer, 30, "d"), put_op(origin(3), 7, "dd")]);
        store.writer.take_stretch(theirs, &stretch, NOW).unwrap();
        // Before the stretch; newer than the floor; newer than the donor.
        assert_eq!(keys(&store), ["a", "d", "dd", "f", "newer"], "{backend}");
        assert_eq!(store.record("d").unwrap().version.hlc, hlc(30));
        assert_counts(&store.reader, &all_records(&store.reader));
        let rest = DonorStretch { after: Some("p"), upto: None, floor: hlc(60), frontier: &donor };
        store.writer.take_stretch(Vec::new(), &rest, NOW).unwrap();
        assert!(!keys(&store).is_empty());
    }
}

#[test]
fn an_emptied_store_claims_nothing_and_goes_on() {
    for backend in BACKENDS {
        let mut store = TestStore::on(backend);
        store.write(put_for("mine", "v", Ttl::Ms(50)));
        store.merge(origin(2), late(9), &[put_op(origin(2), late(9), "theirs")]);
        let gone = store.write(delete("gone")).version;
        purge(&mut store, gone.hlc);
        let next = Origin::new(NodeId(1), Epoch(2));
        store.writer.take_origin(next).unwrap();
        store.writer.close_time(NOW);
        store.commit();
        let held = store.reader.applied();
        let lacking = held.without(origin(2));
        assert!(!store.writer.empty(&lacking).unwrap(), "{backend}: a peer's op would be lost");
        store.write(put("late", "v"));
        assert!(!store.writer.empty(&held).unwrap(), "{backend}: a client's write would be lost");
        assert!(!keys(&store).is_empty());
        let own_upto = store.reader.applied().get(next);
        assert!(store.writer.empty(&store.reader.applied()).unwrap());
        assert!(keys(&store).is_empty(), "{backend}");
        assert!(store.reader.durable().without(next).is_empty());
        assert_eq!(store.reader.applied(), frontier(&[(next, own_upto.bits())]));
        assert_eq!(store.reader.floor(), Hlc::ZERO);
        assert_counts(&store.reader, &all_records(&store.reader));
        let written = store.write(put("new", "v"));
        assert!(written.version.hlc > gone.hlc, "{backend}: its clock goes on");
        store.flusher.flush().unwrap();
        let store = store.reopen();
        let kept = if backend == "memory" { Vec::new() } else { vec!["new".to_owned()] };
        assert_eq!(keys(&store), kept, "{backend}");
        assert!(!store.reader.applied().covers(gone));
    }
}

#[test]
fn an_emptied_store_keeps_what_it_had_closed_of_its_own_time() {
    for backend in ["file", "fjall"] {
        let mut store = TestStore::on(backend);
        store.writer.close_time(NOW);
        store.commit();
        let held = store.reader.applied();
        assert!(store.writer.empty(&held).unwrap());
        store.commit();
        store.flusher.flush().unwrap();
        assert_eq!(store.reader.durable(), held, "{backend}");
        assert_eq!(store.reopen().reader.applied(), held, "{backend}");
    }
}

#[test]
fn a_closed_origin_stays_closed_over_restarts() {
    for backend in ["file", "fjall"] {
        let mut store = TestStore::on(backend);
        let (old, new) = (origin(2), Origin::new(NodeId(2), Epoch(2)));
        store.merge(old, 7, &[put_op(old, 7, "k")]);
        store.merge_page(&[put_op(old, 9, "loose")]);
        assert!(!store.reader.loose().is_empty());
        store.writer.close_origin(old, Closing { at: hlc(7), loose: true });
        store.writer.close_origin(new, Closing { at: hlc(70), loose: false });
        store.commit();
        assert!(store.reader.applied().is_closed(old), "{backend}");
        assert!(store.reader.loose().is_empty(), "everything of it is covered");
        store.writer.forget_closing(old).unwrap();
        assert_eq!(store.reader.applied().closing(old), None);
        store.flusher.flush().unwrap();
        let store = store.reopen();
        assert!(store.reader.applied().is_closed(old) && store.reader.durable().is_closed(new));
        assert!(store.reader.loose().is_empty(), "{backend}");
    }
}

#[test]
fn a_floor_that_comes_with_a_bootstrap_leaves_the_log_of_a_new_run_whole() {
    let mut store = TestStore::memory();
    store.writer.install(&frontier(&[(origin(2), 50)]), hlc(40));
    store.commit();
    let first = store.write(put("k", "v")).version;
    assert_eq!(store.reader.floor(), hlc(40));
    let drained = store.reader.ring().drain();
    assert_eq!(
        (drained.floor, drained.closed),
        (Hlc::ZERO, first.hlc),
        "or every peer finds a gap"
    );
}

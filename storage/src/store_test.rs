//! A store over its life: restarts on disk, and the end after a failed commit.

use std::time::Duration;

use gridkv_protocol::{State, UnixMs};

use super::*;
use crate::backend::{BackendError, CommitError};
use crate::durability::Durability;
use crate::stats::Counter;
use crate::test_backend::test_backend;
use crate::test_store::{
    NOW, OWN, TestStore, all_records, assert_counts, config, delete, frontier, hlc, keyed, late,
    live, op, origin, put, put_for, put_op, stretch,
};
use crate::write::Ttl;
use crate::writer::PutError;

#[test]
fn a_restart_brings_back_what_was_flushed_and_counts_it() {
    let mut store = TestStore::file();
    store.write(put("live", "v"));
    store.write(put_for("due", "v", Ttl::Ms(10)));
    store.write(delete("deleted"));
    store.merge(origin(2), 9, &[put_op(origin(2), 5, "remote")]);
    store.merge_page(&[put_op(origin(3), 7, "loose"), put_op(origin(3), 8, "loose-too")]);
    store.writer.install(&frontier(&[]), hlc(2));
    store.commit();
    let before = (all_records(&store.reader), store.reader.applied(), store.reader.loose());
    assert_ne!(store.reader.durable(), store.reader.applied());
    store.flusher.flush().unwrap();
    assert_eq!(store.reader.durable(), store.reader.applied());

    let mut store = store.reopen();
    let after = (all_records(&store.reader), store.reader.applied(), store.reader.loose());
    assert_eq!(after, before);
    assert_counts(&store.reader, &before.0);
    assert_eq!((store.reader.floor(), store.reader.durable()), (hlc(2), before.1.clone()));
    assert_eq!(store.writer.others(), &before.1, "the last epoch's writes are seen too");
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones, stats.unsaved), (5, 1, 0));
    assert!(stats.db_size.is_some_and(|bytes| bytes > 0));
    assert!(store.reader.ring().is_empty(), "nothing is published again");

    store.writer.expire(NOW.plus(10)).unwrap();
    store.commit();
    assert_eq!(store.reader.stats().expired, 1, "deadlines are followed again");
    store.merge(origin(3), 8, &[]);
    assert!(store.reader.loose().is_empty(), "what was loose settles");
}

#[test]
fn a_restart_never_mints_below_what_was_seen() {
    let mut store = TestStore::file();
    let written = store.write(put("k", "1")).version;
    store.flusher.flush().unwrap();
    let mut store = store.reopen();
    let next = store.writer.stage(put("k", "2"), UnixMs(1)).unwrap().version;
    assert!(next > written && next.hlc > written.hlc, "the wall clock went back");
    store.commit();
    assert_eq!(store.value("k"), Some(b"2".to_vec()));

    store.merge(origin(2), late(3), &[]);
    store.flusher.flush().unwrap();
    let mut store = store.reopen();
    assert!(store.write(put("k", "3")).version.hlc > hlc(late(3)), "the frontier counts");
    store.merge_page(&[put_op(origin(2), late(900), "loose")]);
    store.flusher.flush().unwrap();
    let mut store = store.reopen();
    assert!(store.write(put("k", "4")).version.hlc > hlc(late(900)), "a loose record counts");
}

/// Two records of a key in the files, with one deadline: it is kept with the one that stands.
#[test]
fn a_deadline_that_was_kept_survives_a_restart() {
    let mut store = TestStore::file();
    store.write(put_for("kept", "v", Ttl::Ms(100)));
    store.write(put_for("kept", "w", Ttl::Keep));
    store.write(put_for("moved", "v", Ttl::Ms(100)));
    store.write(put_for("moved", "w", Ttl::Ms(200)));
    store.write(put_for("gone", "v", Ttl::Ms(100)));
    store.write(put("gone", "w"));
    let mut store = store.reopen();
    assert_counts(&store.reader, &all_records(&store.reader));
    for (after_ms, expired) in [(99, 0), (100, 1), (200, 2), (300, 2)] {
        store.writer.expire(NOW.plus(after_ms)).unwrap();
        store.commit();
        assert_eq!(store.reader.stats().expired, expired, "after {after_ms} ms");
    }
    assert_counts(&store.reader, &all_records(&store.reader));
}

/// What was not flushed survives the process, and would not survive a power cut.
#[test]
fn what_was_not_flushed_is_not_durable() {
    let mut store = TestStore::file();
    let flushed = store.write(put("flushed", "v")).version;
    store.flusher.flush().unwrap();
    let journaled = store.write(put("journaled", "v")).version;
    let durable = store.reader.durable();
    assert!(durable.covers(flushed) && !durable.covers(journaled));
    let mut store = store.reopen();
    assert!(store.reader.applied().covers(journaled));
    assert_eq!(
        (store.value("flushed").is_some(), store.value("journaled").is_some()),
        (true, true)
    );

    store.writer.stage(put("asked", "v"), NOW).unwrap();
    assert_eq!(store.writer.commit(Durability::Fsync).unwrap(), Durability::Fsync);
    assert_eq!(store.reader.durable(), store.reader.applied(), "an fsync reaches all before it");
    assert_eq!(store.reader.stats().unsaved, 0);
}

/// A store that lost its last commits without a trace is behind its watermark: that raises the alarm.
#[test]
fn a_store_that_went_back_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let request = OpenRequest::new(config("file").name, Some(dir.path().join("main")));
    let open = |epoch| {
        let own = Origin::new(gridkv_protocol::NodeId(OWN), gridkv_protocol::Epoch(epoch));
        open(&Registry::with_built_in(), config("file"), own, &request).unwrap()
    };
    let mut store = open(1);
    let mut write = |key| {
        store.writer.stage(put(key, "v"), NOW).unwrap();
        store.writer.commit(Durability::Os).unwrap();
        store.flusher.flush().unwrap();
        std::fs::read(dir.path().join("main/journal-0")).unwrap()
    };
    let (earlier, _) = (write("kept"), write("lost"));
    drop(store);
    let store = open(2);
    assert!(store.warnings.is_empty() && !store.reader.stats().rolled_back);
    drop(store);
    std::fs::write(dir.path().join("main/journal-0"), earlier).unwrap();
    let store = open(3);
    assert!(store.reader.stats().rolled_back);
    assert!(matches!(&store.warnings[..], [warning] if warning.contains("lost what it had")));
}

/// What is committed while an image is written may be in it, and is not claimed.
#[test]
fn a_flush_claims_nothing_that_came_meanwhile() {
    let (mut store, levers) = test_backend(true);
    let before = store.write(put("k", "v")).version;
    let (flusher, reader) = (store.flusher.clone(), store.reader.clone());
    levers.meanwhile(move || assert!(store.write(put("k", "w")).existed));
    flusher.flush().unwrap();
    let (applied, durable) = (reader.applied(), reader.durable());
    assert_eq!(durable, frontier(&[(origin(1), before.hlc.bits())]));
    assert!(applied.get(origin(1)) > before.hlc);
    assert!(flusher.is_needed() && reader.stats().unsaved == 1, "the later one is not on disk");
    flusher.flush().unwrap();
    assert_eq!(reader.durable(), applied);
}

#[test]
fn the_flusher_knows_what_is_not_on_disk() {
    let mut store = TestStore::file();
    assert!(!store.flusher.is_needed());
    store.merge(origin(2), 5, &[]);
    assert!(store.flusher.is_needed(), "peers purge by the frontier that is on the disk");
    assert_eq!(store.reader.stats().unsaved, 0, "closed time is no change");
    store.flusher.flush().unwrap();
    assert!(!store.flusher.is_needed());
    store.write(put("k", "v"));
    store.merge(origin(2), 7, &[put_op(origin(2), 6, "r"), put_op(origin(2), 7, "s")]);
    assert!(store.flusher.is_needed());
    assert_eq!(store.reader.stats().unsaved, 3);
    store.flusher.flush().unwrap();
    assert!(!store.flusher.is_needed());
    assert_eq!(store.reader.stats().persisted_at, None);
    store.flusher.note_opened(UnixMs(3));
    store.flusher.note(Duration::from_millis(7), true, UnixMs(9));
    store.flusher.note(Duration::from_millis(5), false, UnixMs(20));
    let stats = store.reader.stats();
    assert_eq!((stats.persists, stats.persist_failures), (1, 1));
    assert_eq!((stats.persist_times.count(), stats.persist_times.sum), (1, 7_000));
    assert_eq!(stats.persisted_at, Some(UnixMs(9)));
    assert_eq!(stats.unsaved, 0);

    let mut volatile = TestStore::memory();
    volatile.write(put("k", "v"));
    assert!(!volatile.flusher.is_needed());
    assert_eq!(volatile.reader.durable(), volatile.reader.applied());
    assert_eq!(volatile.reader.stats().unsaved, 0);
}

#[test]
fn a_failed_flush_claims_nothing() {
    let (mut store, levers) = test_backend(true);
    store.write(put("k", "v"));
    levers.set_broken(true);
    assert!(store.flusher.flush().is_err());
    assert!(store.flusher.is_needed() && store.reader.durable().is_empty());
    levers.set_broken(false);
    store.flusher.flush().unwrap();
    assert!(!store.flusher.is_needed());
}

#[test]
fn a_failed_commit_is_the_end() {
    let (mut store, levers) = test_backend(false);
    store.write(put("k", "before"));
    let (records, stats) = (all_records(&store.reader), store.reader.stats());
    let applied = store.reader.applied();
    store.reader.ring().drain();

    levers.set_broken(true);
    store.writer.stage(put("k", "lost"), NOW).unwrap();
    store.writer.stage(delete("other"), NOW).unwrap();
    store.writer.merge(stretch(origin(2), 5, &[], &[put_op(origin(2), 5, "r")]), NOW).unwrap();
    assert!(matches!(store.writer.commit(Durability::Memory), Err(CommitError::Unknown(_))));
    assert!(store.writer.is_poisoned() && store.reader.is_poisoned());

    levers.set_broken(false); // a disk that works again changes nothing
    let for_ever =
        |error: &CommitError| matches!(error, CommitError::Unknown(BackendError::Poisoned));
    assert!(for_ever(&store.writer.commit(Durability::Memory).unwrap_err()));
    let poisoned = |error: &BackendError| matches!(error, BackendError::Poisoned);
    let refused = store.writer.stage(put("k", "after"), NOW);
    assert!(matches!(refused, Err(PutError::Backend(BackendError::Poisoned))), "{refused:?}");
    let (_, refused) = store.writer.check(&[put("k", "after")], NOW).unwrap_err();
    assert!(matches!(refused, PutError::Backend(BackendError::Poisoned)));
    let ops = [op(origin(2), 6, "r", live("v", None))];
    assert!(poisoned(&store.writer.merge(stretch(origin(2), 6, &[], &ops), NOW).unwrap_err()));
    assert!(poisoned(&store.writer.merge_page(keyed(&ops), NOW).unwrap_err()));
    assert!(for_ever(&store.writer.take_origin(origin(9)).unwrap_err()));

    assert_eq!(store.value("k"), Some(b"before".to_vec()), "reads go on");
    assert_eq!(all_records(&store.reader), records);
    assert_eq!(store.reader.applied(), applied);
    let after = store.reader.stats();
    assert_eq!(
        (after.key_count, after.tombstones, after.memory_bytes),
        (stats.key_count, stats.tombstones, stats.memory_bytes)
    );
    assert!(store.reader.ring().is_empty(), "nothing is published");
}

/// A disk without room refuses commits one after the other, and each leaves everything as it was.
#[test]
fn a_commit_that_was_not_made_changes_nothing() {
    let (mut store, levers) = test_backend(false);
    store.write(put_for("k", "before", Ttl::Ms(50)));
    store.merge(origin(2), 4, &[put_op(origin(2), 4, "r")]);
    store.merge_page(&[put_op(origin(3), 7, "loose")]);
    let (records, stats) = (all_records(&store.reader), store.reader.stats());
    let (applied, loose) = (store.reader.applied(), store.reader.loose());
    store.reader.ring().drain();

    levers.set_full(true);
    for _ in 0..2 {
        store.writer.stage(put("k", "lost"), NOW).unwrap();
        store.writer.stage(delete("other"), NOW).unwrap();
        let ops = [put_op(origin(2), 9, "r")];
        store.writer.merge(stretch(origin(2), 9, &[], &ops), NOW).unwrap();
        store.writer.merge_page(keyed(&[put_op(origin(3), 8, "loose")]), NOW).unwrap();
        store.writer.install(&frontier(&[(origin(4), 3)]), hlc(3));
        let refused = store.writer.commit(Durability::Memory);
        assert!(matches!(refused, Err(CommitError::Unchanged(_))), "{refused:?}");
        assert_eq!(all_records(&store.reader), records);
        assert_eq!((store.reader.applied(), store.reader.floor()), (applied.clone(), hlc(0)));
        assert_eq!(*store.reader.loose(), *loose);
        assert_eq!(store.writer.others().get(origin(2)), hlc(4), "the op comes again");
        assert!(store.reader.ring().is_empty(), "nothing is published");
        assert_counts(&store.reader, &records);
    }
    assert!(!store.reader.is_poisoned());
    let counted = [&store.reader.operations().put, &store.reader.operations().delete];
    assert_eq!(counted.map(Counter::get), [1, 0], "what was refused is not counted");
    assert_eq!(store.applies(), [2, 0, 0, 0]);

    levers.set_full(false);
    store.commit();
    assert_eq!(all_records(&store.reader), records, "what was refused is not staged any more");
    assert_eq!(store.reader.stats().memory_bytes, stats.memory_bytes);
    store.writer.expire(UnixMs(NOW.0 + 50)).unwrap();
    store.commit();
    assert_eq!(store.reader.stats().expired, 1, "the deadline of the record that stands");
    store.merge(origin(2), 9, &[put_op(origin(2), 9, "r")]);
    assert_eq!(store.value("r"), Some(b"9".to_vec()));
}

/// What another backend made would not be seen, and would be back with it: it is left alone.
#[test]
fn a_directory_of_another_backend_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let request = OpenRequest::new(config("file").name, Some(dir.path().join("main")));
    let open = |backend| open(&Registry::with_built_in(), config(backend), origin(1), &request);
    drop(open("memory").unwrap());
    drop(open("file").unwrap());
    let refused = open("memory").err().unwrap();
    assert!(matches!(refused, OpenError::OtherBackend { .. }), "{refused}");
    assert!(refused.to_string().contains("was made by file: configure file again"), "{refused}");
    drop(open("file").unwrap());
}

#[test]
fn an_unknown_backend_is_named() {
    let request = OpenRequest::new(config("memory").name, None);
    let unknown = StoreConfig { backend: "memmory".to_owned(), ..config("memory") };
    let error = open(&Registry::with_built_in(), unknown, origin(1), &request).err().unwrap();
    let known = Registry::with_built_in().names().join(", ");
    assert_eq!(error.to_string(), format!("there is no backend \"memmory\"; there are {known}"));
}

#[test]
fn a_report_says_what_readers_see() {
    let mut store = TestStore::memory();
    store.write(put("k", "v"));
    store.merge_page(&[op(origin(2), 5, "loose", State::Deleted)]);
    store.writer.install(&frontier(&[]), hlc(3));
    store.commit();
    let report = store.reader.report();
    assert_eq!((&report.applied, &report.durable), (&store.reader.applied(), &report.applied));
    assert_eq!((report.floor, report.keys), (hlc(3), 1));
    assert_eq!(report.loose, *store.reader.loose());
}

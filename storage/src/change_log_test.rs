//! What who follows a store reads, and when it is told that it missed something.

use gridkv_protocol::Hlc;

use super::*;
use crate::store::StoreConfig;
use crate::test_store::{
    NOW, TestStore, config, delete, frontier, key, origin, put, put_for, put_op, touch,
};
use crate::write::Ttl;
use crate::writer::DonorStretch;

fn all(_: &Key) -> bool {
    true
}

/// Every change after a place: key and what happened.
fn told(store: &TestStore, place: ChangePlace) -> Vec<(String, &'static str)> {
    let read = store.reader.changes().read(place, all).unwrap();
    assert!(!read.more);
    let word = |kind| match kind {
        ChangeKind::Put { .. } => "put",
        ChangeKind::Delete => "delete",
        ChangeKind::Expire => "expire",
    };
    read.changes.iter().map(|c| (c.key.as_str().to_owned(), word(c.kind))).collect()
}

#[test]
fn whoever_changes_a_key_it_is_told_once_a_commit() {
    for backend in ["memory", "file", "moka", "fjall", "fjall-memory"] {
        let mut store = TestStore::on(backend);
        let start = store.reader.changes().start();
        store.write(put_for("a", "1", Ttl::Ms(7)));
        store.merge(origin(2), 5, &[put_op(origin(2), 5, "b")]);
        store.merge_page(&[put_op(origin(3), 7, "c"), put_op(origin(2), 4, "b")]);
        store.write(touch("c", Ttl::Unlimited));
        store.write(delete("c"));
        store.write(delete("c"));
        let stage = |store: &mut TestStore, write| store.writer.stage(write, NOW).unwrap();
        stage(&mut store, put("d", "1"));
        stage(&mut store, put("d", "2"));
        store.commit();
        store.writer.expire(NOW.plus(10)).unwrap();
        store.commit();
        let told = told(&store, start);
        let expected = [
            ("a", "put"),
            ("b", "put"),
            ("c", "put"),
            ("c", "put"),
            ("c", "delete"),
            ("c", "delete"),
            ("d", "put"),
            ("a", "expire"),
        ];
        let told: Vec<_> = told.iter().map(|(key, word)| (key.as_str(), *word)).collect();
        assert_eq!(told, expected, "{backend}");
    }
}

#[test]
fn a_commit_that_is_not_made_tells_nothing() {
    let mut store = TestStore::memory();
    store.writer.stage(put("a", "1"), NOW).unwrap();
    store.writer.drop_staged();
    store.commit();
    assert_eq!(told(&store, store.reader.changes().start()), []);
}

#[test]
fn a_change_says_what_there_is() {
    let mut store = TestStore::memory();
    let written = store.write(put_for("a", "123", Ttl::Ms(7)));
    let log = store.reader.changes();
    let read = log.read(log.start(), all).unwrap();
    let kind = ChangeKind::Put { size: 3, expires_at: Some(NOW.plus(7)) };
    let expected = LoggedChange { number: 1, key: key("a"), version: written.version, kind };
    assert_eq!(read.changes, [expected]);
    assert_eq!(read.place, log.end());
}

#[test]
fn who_is_too_slow_is_told_and_goes_on_from_what_is_left() {
    let mut store = TestStore::new(StoreConfig { ring_slots: 4, ..config("memory") });
    let start = store.reader.changes().start();
    for at in 0..4 {
        store.write(put(&at.to_string(), "v"));
    }
    assert_eq!(told(&store, start).len(), 4);
    store.write(put("4", "v"));
    let log = store.reader.changes();
    let Truncated { oldest } = log.read(start, all).unwrap_err();
    assert_eq!(told(&store, oldest).len(), 4);
    assert_eq!(told(&store, log.end()), []);
    let beyond = ChangePlace { number: log.end().number + 1, ..oldest };
    assert_eq!(log.read(beyond, all), Err(Truncated { oldest }), "it never was");
    let elsewhere = ChangePlace { run: origin(9), ..oldest };
    assert_eq!(log.read(elsewhere, all), Err(Truncated { oldest }), "in another run");
}

#[test]
fn a_read_is_bounded_and_skips_what_is_not_wanted() {
    let changes = u64::try_from(READ_AT_ONCE).unwrap() + 1;
    let mut store = TestStore::memory();
    for at in 0..changes {
        store.write(put(&at.to_string(), "v"));
    }
    let log = store.reader.changes();
    let first = log.read(log.start(), |key| key.as_str().ends_with("00")).unwrap();
    assert_eq!(first.changes.len(), 2);
    assert!(first.more && first.place.number == changes - 1);
    let rest = log.read(first.place, all).unwrap();
    assert!(!rest.more && rest.changes.len() == 1 && rest.place == log.end());
}

#[test]
fn what_was_there_before_the_run_has_no_changes() {
    let mut store = TestStore::file();
    store.write(put("a", "1"));
    let store = store.reopen();
    let log = store.reader.changes();
    assert!(log.read(log.start(), all).is_err(), "the beginning is not known any more");
    assert_eq!(told(&store, log.end()), []);
    let empty = TestStore::file().reopen();
    assert_eq!(told(&empty, empty.reader.changes().start()), []);
}

#[test]
fn what_goes_without_a_record_of_its_own_is_told_or_ends_the_log() {
    let mut store = TestStore::memory();
    store.merge(origin(2), 5, &[put_op(origin(2), 5, "a")]);
    let before = store.reader.changes().end();
    let upto_five = frontier(&[(origin(2), 5)]);
    let stretch =
        DonorStretch { after: None, upto: None, floor: Hlc::from_bits(5), frontier: &upto_five };
    store.writer.take_stretch(Vec::new(), &stretch, NOW).unwrap();
    assert_eq!(told(&store, before), [("a".to_owned(), "delete")]);

    store.merge(origin(2), 6, &[put_op(origin(2), 6, "b")]);
    let before = store.reader.changes().end();
    assert!(store.writer.empty(&frontier(&[(origin(2), 6)])).unwrap());
    let log = store.reader.changes();
    assert!(log.read(before, all).is_err(), "the store is empty, and nothing says so key by key");
    assert_eq!(told(&store, log.end()), []);
}

#[test]
fn who_wakes_others_sees_every_key_or_that_it_did_not() {
    let mut store = TestStore::new(StoreConfig { ring_slots: 2, ..config("memory") });
    let keys = |store: &TestStore, number| {
        let mut seen = Vec::new();
        let (last, whole) =
            store.reader.changes().keys_after(number, |key| seen.push(key.as_str().to_owned()));
        (seen, last, whole)
    };
    assert_eq!(keys(&store, 0), (vec![], 0, true));
    store.write(put("a", "1"));
    store.write(put("b", "1"));
    assert_eq!(keys(&store, 1), (vec!["b".to_owned()], 2, true));
    assert_eq!(keys(&store, 2), (vec![], 2, true));
    store.write(put("c", "1"));
    assert_eq!(keys(&store, 0), (vec!["b".to_owned(), "c".to_owned()], 3, false));
}

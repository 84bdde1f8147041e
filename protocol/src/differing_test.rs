//! Records side by side: which of them differ, and which only seem to.

use super::*;
use crate::fixture::{NODE, PEER, at, frontier, live, origin};
use crate::{Live, Value};

const NOW: UnixMs = UnixMs(5_000);

fn record(ms: u64, state: State) -> Record {
    Record { version: Version { hlc: at(ms), origin: origin(PEER, 1) }, state }
}

fn until(ms: u64) -> State {
    let expires_at = Some(UnixMs(ms));
    State::Live(Live { value: Value::copied(b"v"), content_type: None, expires_at })
}

/// Whether a record of a peer that has seen all up to `claimed` differs from what is here, where all up to
/// 100 has been seen.
fn differ(there: Record, here: Option<Record>, claimed: u64) -> bool {
    let frontiers =
        [100, claimed].map(|ms| frontier(&[(origin(PEER, 1), ms), (origin(NODE, 1), 100)]));
    let differing = DifferingKey {
        key: Key::new("k").unwrap(),
        here: here.as_ref().map(|record| record.version),
        there: there.version,
    };
    let theirs = [KeyedRecord { key: differing.key.clone(), record: there }];
    let mut found = Differing::default();
    found.compare(NOW, &theirs, &[here], (&frontiers[0], &frontiers[1]));
    if found == Differing::default() {
        return false;
    }
    assert_eq!(found, Differing { found_at: Some(NOW), keys: vec![differing], more: 0 });
    true
}

#[test]
fn a_key_differs_when_one_side_lacks_what_it_has_seen() {
    let (old, new) = (|| record(80, live(b"v")), || record(90, live(b"v")));
    let deleted = |ms| record(ms, State::Deleted);
    for (there, here, differs) in [
        (new(), None, true),
        (new(), Some(old()), true),
        (old(), Some(new()), true),
        (old(), Some(deleted(90)), true),
        (deleted(90), Some(old()), true),
        (new(), Some(new()), false),
        (deleted(90), None, false),
        (deleted(90), Some(deleted(80)), false),
    ] {
        let sides = format!("{there:?} beside {here:?}");
        assert_eq!(differ(there, here, 100), differs, "{sides}");
    }
}

#[test]
fn what_the_peer_has_not_seen_is_no_difference() {
    let (old, new) = (record(80, live(b"v")), record(99, live(b"v")));
    assert!(differ(old.clone(), Some(new.clone()), 99));
    assert!(!differ(old, Some(new), 98));
}

#[test]
fn a_deadline_counts_until_the_frontier_has_passed_it() {
    assert!(differ(record(90, until(101)), None, 100));
    assert!(!differ(record(90, until(100)), None, 100));
    let expired = |deadline| record(90, State::Expired { expires_at: UnixMs(deadline) });
    assert!(differ(expired(101), None, 100));
    assert!(!differ(expired(100), None, 100));
    assert!(!differ(record(90, until(101)), Some(expired(101)), 100), "expired here first");
    assert!(differ(record(80, State::Deleted), Some(expired(101)), 100));
}

#[test]
fn so_many_keys_are_kept_and_the_others_counted() {
    let mut found = Differing::default();
    let frontier = frontier(&[(origin(PEER, 1), 100)]);
    let keyed = |n: usize| KeyedRecord {
        key: Key::new(&n.to_string()).unwrap(),
        record: record(90, live(b"v")),
    };
    for page in [0..MAX_DIFFERING_KEYS - 1, MAX_DIFFERING_KEYS - 1..MAX_DIFFERING_KEYS + 7] {
        let theirs: Vec<KeyedRecord> = page.map(keyed).collect();
        let here = vec![None; theirs.len()];
        found.compare(NOW, &theirs, &here, (&frontier, &frontier));
    }
    assert_eq!((found.keys.len(), found.more), (MAX_DIFFERING_KEYS, 7));
    assert_eq!(found.keys.last().unwrap().key, keyed(MAX_DIFFERING_KEYS - 1).key);
}

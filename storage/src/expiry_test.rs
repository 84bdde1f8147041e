//! What happens when a deadline passes: through the funnel, and to nobody's ears.

use gridkv_protocol::{Hlc, State, UnixMs};

use crate::digest_keeper::TIMED_BYTES;
use crate::test_store::{
    NOW, TestStore, all_records, assert_counts, key, live, op, origin, put, put_for, stretch, touch,
};
use crate::write::Ttl;

fn at(ms: u64) -> UnixMs {
    NOW.plus(ms)
}

/// Expires everything that is due, and commits. Says in how many turns.
fn expire(store: &mut TestStore, now: UnixMs) -> u32 {
    let mut turns = 1;
    while store.writer.expire(now).unwrap() {
        store.commit();
        turns += 1;
    }
    store.commit();
    turns
}

#[test]
fn due_records_lose_their_value_and_keep_their_version() {
    let mut store = TestStore::memory();
    let written = store.write(put_for("k", "value", Ttl::Ms(10)));
    store.write(put_for("later", "value", Ttl::Ms(20)));
    store.write(put("never", "value"));
    expire(&mut store, at(9));
    assert_eq!(store.reader.stats().key_count, 3, "not before its time");
    let ring = store.reader.ring().len();
    let applied = store.reader.applied();

    expire(&mut store, at(10));
    let record = store.record("k").unwrap();
    assert_eq!(record.version, written.version);
    assert_eq!(record.state, State::Expired { expires_at: at(10) });
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones, stats.expired), (2, 1, 1));
    assert_eq!(store.reader.ring().len(), ring, "no op: every node gets there alone");
    assert_eq!(store.reader.applied(), applied, "and no frontier moves");
    assert_eq!(store.applies(), [0; 4], "nor does it count as a peer's");
    assert_counts(&store.reader, &all_records(&store.reader));
    expire(&mut store, at(15));
    assert_eq!(store.reader.stats().expired, 1, "once");
}

#[test]
fn a_deadline_that_moved_is_not_kept() {
    let mut store = TestStore::memory();
    for key in ["touched", "rewritten", "staged"] {
        store.write(put_for(key, "v", Ttl::Ms(10)));
    }
    store.write(touch("touched", Ttl::Ms(30)));
    store.write(put("rewritten", "w"));
    store.writer.stage(touch("staged", Ttl::Unlimited), NOW).unwrap();
    expire(&mut store, at(10));
    assert_eq!(store.reader.stats().key_count, 3);
    expire(&mut store, at(30));
    assert_eq!(store.reader.stats().key_count, 2);
    assert!(store.reader.get(&key("staged"), at(1_000)).unwrap().is_some());
}

#[test]
fn one_turn_takes_a_bounded_number_earliest_first() {
    let mut store = TestStore::memory();
    for n in 0..2_500_u64 {
        store.writer.stage(put_for(&format!("k{n}"), "v", Ttl::Ms(3_000 - n)), NOW).unwrap();
    }
    store.commit();
    assert!(store.writer.expire(at(3_000)).unwrap(), "more are due");
    store.commit();
    assert_eq!(store.reader.stats().expired, 1_024);
    assert!(store.reader.get(&key("k0"), NOW).unwrap().is_some(), "the last one due");
    assert!(store.reader.get(&key("k2499"), NOW).unwrap().is_none(), "the first one due");
    assert_eq!(expire(&mut store, at(3_000)), 2);
    assert_eq!(store.reader.stats().key_count, 0);
    assert_counts(&store.reader, &all_records(&store.reader));
}

#[test]
fn what_comes_after_its_deadline_is_stored_without_its_value() {
    let mut store = TestStore::memory();
    let due = op(origin(2), 5, "due", live("value", Some(NOW)));
    let not_yet = op(origin(2), 6, "not-yet", live("value", Some(at(1))));
    store.merge(origin(2), 6, &[due.clone(), not_yet]);
    let record = store.record("due").unwrap();
    assert_eq!(record.state, State::Expired { expires_at: NOW });
    assert_eq!(record.version, due.record.version);
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones), (1, 1));
    assert_eq!(store.applies(), [2, 0, 0, 0]);
    store.merge(origin(2), 6, &[due]);
    assert_eq!(store.applies(), [2, 0, 1, 0], "the same record, before or after its deadline");
    assert_counts(&store.reader, &all_records(&store.reader));
}

/// A peer that was quicker to expire sends the record without its value.
#[test]
fn expiry_here_and_there_is_no_collision() {
    let mut store = TestStore::memory();
    let fresh = op(origin(2), 5, "k", live("value", Some(at(10))));
    let expired = op(origin(2), 5, "k", State::Expired { expires_at: at(10) });
    store.merge_page(std::slice::from_ref(&fresh));
    store.merge_page(&[expired]);
    assert_eq!(store.applies(), [2, 0, 0, 0]);
    assert_eq!(store.reader.stats().key_count, 0);
    store.merge_page(&[fresh]);
    assert_eq!(store.applies(), [2, 0, 1, 0], "the value does not come back");
    assert_eq!(store.reader.stats().key_count, 0);
    expire(&mut store, at(10));
    assert_eq!(store.reader.stats().expired, 0, "its deadline is not followed any more");
}

#[test]
fn an_expired_record_loses_to_a_newer_one() {
    let mut store = TestStore::memory();
    store.write(put_for("k", "v", Ttl::Ms(10)));
    expire(&mut store, at(10));
    store.write(put("k", "w"));
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones), (1, 0));
    let newer = op(origin(2), Hlc::at(at(99)).bits(), "k", live("x", Some(at(200))));
    store.merge(origin(2), newer.record.version.hlc.bits(), &[newer]);
    expire(&mut store, at(200));
    assert_eq!(store.reader.stats().expired, 2);
}

#[test]
fn expiry_in_the_commit_of_a_write_sees_it() {
    let mut store = TestStore::memory();
    store.write(put_for("k", "v", Ttl::Ms(10)));
    let renewed = [op(origin(2), Hlc::at(at(5)).bits(), "k", live("new", Some(at(90))))];
    store.writer.merge(stretch(origin(2), 9, &[], &renewed), NOW).unwrap();
    store.writer.expire(at(10)).unwrap();
    store.commit();
    assert_eq!(store.value("k"), Some(b"new".to_vec()));
    assert_eq!(store.reader.stats().expired, 0);
}

#[test]
fn a_loose_record_stays_loose_when_it_expires() {
    let mut store = TestStore::memory();
    store.merge_page(&[op(origin(2), 5, "k", live("v", Some(at(10))))]);
    let before = store.reader.loose();
    expire(&mut store, at(10));
    assert_eq!(store.reader.loose(), before, "the same version is held");
}

/// The account counts them with their records; a backend that counts its memory itself knows none.
#[test]
fn deadlines_count_as_memory_whoever_counts_the_records() {
    let names = ["a", "a longer key, that takes a chunk more of memory", "c"];
    let wanted: usize = names.iter().map(|name| crate::account::scheduled_bytes(&key(name))).sum();
    let mut backends = vec!["memory", "file"];
    #[cfg(feature = "moka")]
    backends.push("moka");
    #[cfg(feature = "fjall")]
    backends.push("fjall");
    for backend in backends {
        let mut store = TestStore::on(backend);
        let bytes = |store: &TestStore| store.reader.stats().memory_bytes;
        // What the digest knows of deadlines; a cache has none.
        let timed = if store.reader.promises().cache { 0 } else { names.len() * TIMED_BYTES };
        for name in names {
            store.write(put_for(name, "v", Ttl::Ms(10)));
        }
        let own = store.reader.backend_memory();
        match own {
            Some(own) => assert_eq!(bytes(&store), own + (wanted + timed) as u64, "{backend}"),
            None => assert!(bytes(&store) > wanted as u64, "{backend}"),
        }
        expire(&mut store, at(10));
        let own = store.reader.backend_memory();
        // Of a record that is kept a grave is noted instead, and the digest still knows the deadline.
        let left = if store.reader.promises().cache { 0 } else { wanted + timed };
        assert!(own.is_none_or(|own| bytes(&store) == own + left as u64), "{backend}");
    }
}

//! What the funnel makes of a client's writes: conditions, versions, deadlines, limits.

use gridkv_protocol::Op;

use super::*;
use crate::durability::Durability;
use crate::stats::{OpKind, Undone};
use crate::store::StoreConfig;
use crate::test_store::{
    NOW, TestStore, all_records, assert_counts, config, delete, key, live, op, origin, put,
    put_for, put_op, refusal, stretch, touch,
};
use crate::write::{Action, Condition, Matcher, Rejection, Ttl, Write};
use gridkv_protocol::{ContentType, State, Value, Version};

const LATER: UnixMs = UnixMs(NOW.0 + 1_000);

fn when(mut write: Write, if_match: Option<Matcher>, if_none_match: Option<Matcher>) -> Write {
    write.condition = Condition { if_match, if_none_match, ..Condition::default() };
    write
}

fn one(version: Version) -> Matcher {
    Matcher::OneOf(vec![version])
}

#[test]
fn a_write_is_readable_after_its_commit_and_not_before() {
    let mut store = TestStore::memory();
    let written = store.writer.stage(put("k", "v"), NOW).unwrap();
    assert_eq!((written.existed, written.durability), (false, Durability::Memory));
    assert_eq!(store.value("k"), None, "not committed");
    assert_eq!(store.reader.stats().key_count, 0, "not counted");
    assert!(store.reader.applied().is_empty(), "not claimed");
    assert!(store.reader.ring().is_empty(), "not published");
    let staged = store.writer.get(&key("k"), NOW).unwrap();
    assert_eq!(staged.map(|record| record.version), Some(written.version));
    store.commit();
    assert_eq!(store.value("k"), Some(b"v".to_vec()));
    assert_eq!(store.reader.stats().key_count, 1);
    assert!(store.reader.applied().covers(written.version));
    let operations = store.reader.operations();
    assert_eq!((operations.get_hit.get(), operations.get_miss.get()), (1, 1));
}

#[test]
fn content_type_and_deadline_are_kept() {
    let mut store = TestStore::memory();
    let content_type = ContentType::new("text/html").ok();
    let action = Action::Put {
        value: Value::copied(b"<p>"),
        content_type: content_type.clone(),
        ttl: Ttl::Ms(1_000),
    };
    let written = store.write(Write { key: key("k"), action, condition: Condition::default() });
    assert_eq!(written.expires_at, Some(LATER));
    let record = store.reader.get(&key("k"), NOW).unwrap().unwrap();
    let live = record.live_at(NOW).unwrap();
    assert_eq!((&live.content_type, live.expires_at), (&content_type, Some(LATER)));
    assert_eq!(store.reader.get(&key("k"), LATER).unwrap(), None, "due is absent");
}

#[test]
fn versions_grow_even_when_time_stands_or_goes_back() {
    let mut store = TestStore::memory();
    let mut last = Hlc::ZERO;
    for now in [5, 5, 9, 3, 0, 9].map(UnixMs) {
        for write in [put("k", "v"), delete("k"), delete("k")] {
            let version = store.writer.stage(write, now).unwrap().version;
            assert!(version.hlc > last, "{version} after {last}");
            assert_eq!(version.origin, origin(1));
            last = version.hlc;
        }
        store.writer.close_time(now);
        store.commit();
        assert!(store.reader.applied().get(origin(1)) > last);
        last = store.reader.applied().get(origin(1));
    }
    store.merge(origin(2), 1 << 40, &[]);
    assert!(store.write(put("k", "v")).version.hlc.bits() > 1 << 40, "above what a peer closed");
    store.merge_page(&[put_op(origin(2), 1 << 41, "p")]);
    assert!(store.write(put("k", "v")).version.hlc.bits() > 1 << 41, "above a page's record");
    store.writer.observe(Hlc::from_bits(1 << 42));
    assert!(store.write(put("k", "v")).version.hlc.bits() > 1 << 42, "above what was observed");
}

#[test]
fn conditions_meet_the_standing_record() {
    let mut store = TestStore::memory();
    let absent = |outcome| {
        assert_eq!(refusal(outcome), Rejection::PreconditionFailed { current: None });
    };
    absent(store.writer.stage(when(put("k", "v"), Some(Matcher::Any), None), NOW));
    absent(store.writer.stage(when(delete("k"), Some(Matcher::Any), None), NOW));
    let first = store.write(when(put("k", "1"), None, Some(Matcher::Any))).version;
    let taken = store.writer.stage(when(put("k", "2"), None, Some(Matcher::Any)), NOW);
    assert_eq!(refusal(taken), Rejection::PreconditionFailed { current: Some(first) });
    let second = store.write(when(put("k", "2"), Some(one(first)), None)).version;
    let outdated = store.writer.stage(when(put("k", "3"), Some(one(first)), None), NOW);
    assert_eq!(refusal(outdated), Rejection::PreconditionFailed { current: Some(second) });
    let same = store.writer.stage(when(put("k", "3"), None, Some(one(second))), NOW);
    assert_eq!(refusal(same), Rejection::PreconditionFailed { current: Some(second) });
    store.write(when(put("k", "3"), None, Some(one(first))));
    assert_eq!(store.value("k"), Some(b"3".to_vec()));
    store.write(delete("k"));
    absent(store.writer.stage(when(touch("k", Ttl::Unlimited), Some(Matcher::Any), None), NOW));
    assert_eq!(store.reader.operations().all_undone(Undone::Conflict), 6);
    assert_eq!(store.reader.operations().put.get(), 3, "what is refused is not counted");
}

#[test]
fn a_refused_write_changes_nothing() {
    let mut store = TestStore::memory();
    store.write(put("k", "v"));
    let (before, clock) = (all_records(&store.reader), store.writer.clock());
    let ring = store.reader.ring().len();
    refusal(store.writer.stage(when(put("k", "w"), None, Some(Matcher::Any)), NOW));
    refusal(store.writer.stage(touch("absent", Ttl::Unlimited), NOW));
    store.commit();
    assert_eq!(all_records(&store.reader), before);
    assert_eq!((store.writer.clock(), store.reader.ring().len()), (clock, ring));
}

#[test]
fn a_due_value_counts_as_absent() {
    let mut store = TestStore::memory();
    store.write(put_for("k", "v", Ttl::Ms(1_000)));
    let any = || Some(Matcher::Any);
    let due = store.writer.stage(when(put("k", "w"), any(), None), LATER);
    assert_eq!(refusal(due), Rejection::PreconditionFailed { current: None });
    let touched = store.writer.stage(touch("k", Ttl::Unlimited), LATER);
    assert_eq!(refusal(touched), Rejection::KeyNotFound);
    assert_eq!(store.writer.get(&key("k"), LATER).unwrap(), None);
    let fresh = when(put_for("k", "w", Ttl::Keep), None, any());
    let written = store.writer.stage(fresh, LATER).unwrap();
    assert_eq!((written.existed, written.expires_at), (false, None), "nothing to keep");
}

#[test]
fn staged_writes_are_seen_by_later_ones_of_the_commit() {
    let mut store = TestStore::memory();
    let mut stage = |write| store.writer.stage(write, NOW);
    let first = stage(put("k", "1")).unwrap().version;
    refusal(stage(when(put("k", "2"), None, Some(Matcher::Any))));
    assert!(stage(when(put("k", "2"), Some(one(first)), None)).unwrap().existed);
    assert!(stage(delete("k")).unwrap().existed);
    assert!(!stage(when(put("k", "3"), None, Some(Matcher::Any))).unwrap().existed);
    store.commit();
    assert_eq!(store.value("k"), Some(b"3".to_vec()));
    assert_eq!(store.reader.ring().len(), 4, "every write is an op");
    assert_counts(&store.reader, &all_records(&store.reader));
}

#[test]
fn a_commit_of_nothing_is_nothing() {
    let mut store = TestStore::file();
    store.commit();
    assert!(!store.flusher.is_needed() && store.reader.applied().is_empty());
    assert_eq!(store.reader.stats().unsaved, 0);
}

#[test]
fn deadlines_as_the_writer_asks() {
    let mut store = TestStore::new(StoreConfig { default_ttl_ms: Some(500), ..config("memory") });
    let at = |ms| Some(NOW.plus(ms));
    let table = [
        (put_for("k", "v", Ttl::StoreDefault), at(500)),
        (put_for("k", "v", Ttl::Keep), at(500)),
        (put_for("k", "v", Ttl::Ms(70)), at(70)),
        (put_for("k", "v", Ttl::Keep), at(70)),
        (touch("k", Ttl::Keep), at(70)),
        (touch("k", Ttl::Ms(90)), at(90)),
        (touch("k", Ttl::StoreDefault), at(500)),
        (touch("k", Ttl::Unlimited), None),
        (put_for("k", "v", Ttl::Keep), None),
        (put_for("k", "v", Ttl::Ms(u64::MAX)), Some(UnixMs(u64::MAX))),
        (put_for("k", "v", Ttl::Unlimited), None),
        (put_for("new", "v", Ttl::Keep), None),
    ];
    for (write, wanted) in table {
        let (text, key) = (format!("{:?}", write.action), write.key.clone());
        let written = store.write(write);
        assert_eq!(written.expires_at, wanted, "{text}");
        let record = store.reader.get(&key, NOW).unwrap().unwrap();
        assert_eq!(record.live_at(NOW).unwrap().expires_at, wanted, "{text}");
    }
}

#[test]
fn a_ttl_of_nothing_is_due_at_once() {
    let mut store = TestStore::memory();
    store.write(put_for("k", "v", Ttl::Ms(0)));
    assert_eq!(store.value("k"), None);
    assert_eq!(store.record("k").unwrap().state, State::Expired { expires_at: NOW });
    assert_counts(&store.reader, &all_records(&store.reader));
}

#[test]
fn a_touch_keeps_the_value() {
    let mut store = TestStore::memory();
    let first = store.write(put("k", "v"));
    let touched = store.write(touch("k", Ttl::Ms(10)));
    assert!(touched.existed && touched.version > first.version);
    assert_eq!(store.value("k"), Some(b"v".to_vec()));
    assert_eq!(store.reader.operations().touch.get(), 1);
}

#[test]
fn a_delete_always_leaves_a_tombstone() {
    let mut store = TestStore::memory();
    let absent = store.write(delete("k"));
    assert!(!absent.existed);
    assert_eq!(store.record("k").unwrap().version, absent.version);
    store.write(put("k", "v"));
    let there = store.write(delete("k"));
    assert!(there.existed && there.expires_at.is_none());
    let again = store.write(delete("k"));
    assert!(!again.existed && again.version > there.version);
    assert_eq!(store.record("k").unwrap().state, State::Deleted);
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones), (0, 1));
    assert_eq!(store.reader.operations().delete.get(), 3);
}

/// Bytes of a value of which a small store can hold two.
const LARGE: usize = 10_000;

/// What a record with such a value takes.
const LARGE_RECORD_BYTES: u64 = 10_048;

const SMALL_STORE_BYTES: u64 = 2 * LARGE_RECORD_BYTES + 2_000;

fn large(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Room for two large records, and a little more.
fn small(refuse_over_limit: bool) -> TestStore {
    TestStore::new(StoreConfig {
        memory_limit_bytes: Some(SMALL_STORE_BYTES),
        refuse_over_limit,
        ..config("memory")
    })
}

#[test]
fn a_full_store_refuses_what_would_grow_it() {
    let mut store = small(true);
    let value = large(LARGE);
    let demand_full = |refusal| {
        let Rejection::MemoryLimit { used_bytes, limit_bytes } = refusal else {
            panic!("{refusal}")
        };
        assert_eq!(limit_bytes, SMALL_STORE_BYTES);
        assert!((2 * LARGE_RECORD_BYTES..limit_bytes).contains(&used_bytes), "{used_bytes}");
    };
    store.write(put("a", &value));
    store.writer.stage(put("b", &value), NOW).unwrap();
    demand_full(refusal(store.writer.stage(put("c", &value), NOW))); // what is staged counts
    store.commit();
    demand_full(refusal(store.writer.stage(put("c", &value), NOW)));
    demand_full(refusal(store.writer.stage(put("b", &large(13_000)), NOW)));
    assert_eq!(store.reader.operations().undone(OpKind::Put, Undone::MemoryLimit), 3);
    store.write(put("b", "2"));
    store.write(delete("a"));
    store.write(touch("b", Ttl::Ms(5)));
    assert!(store.reader.stats().memory_bytes <= SMALL_STORE_BYTES, "never over its limit");
}

#[test]
fn a_soft_limit_only_shows() {
    let mut store = small(false);
    for key in ["a", "b", "c", "d"] {
        store.write(put(key, &large(LARGE)));
    }
    let stats = store.reader.stats();
    assert_eq!(store.reader.record_bytes(), 4 * LARGE_RECORD_BYTES);
    assert!(stats.memory_bytes > SMALL_STORE_BYTES);
    assert_eq!(stats.memory_limit_bytes, Some(SMALL_STORE_BYTES));
    assert_eq!(store.reader.operations().all_undone(Undone::MemoryLimit), 0);
}

/// Peers fill a store past its limit; what does not grow it is taken even then.
#[test]
fn peers_are_never_refused_for_memory() {
    let mut store = small(true);
    let state = live(&large(LARGE), None);
    let large_op = |n: u64| op(origin(2), n, &format!("k{n}"), state.clone());
    let ops: Vec<Op> = (1..=9).map(large_op).collect();
    store.merge(origin(2), 9, &ops);
    assert_eq!(store.reader.stats().key_count, 9);
    store.write(put("k1", "v"));
    store.write(put("k2", ""));
    store.write(delete("k3"));
    let grows = refusal(store.writer.stage(put("k2", &large(100)), NOW));
    let Rejection::MemoryLimit { used_bytes, .. } = grows else { panic!("{grows}") };
    assert_eq!(used_bytes, store.reader.stats().memory_bytes);
}

#[test]
fn an_atomic_batch_is_checked_as_it_will_be_done() {
    let mut store = TestStore::memory();
    store.write(put("k", "v"));
    let any = || Some(Matcher::Any);
    let fine = [
        delete("k"),
        when(put("k", "w"), None, any()),
        when(touch("k", Ttl::Ms(9)), any(), None),
        when(put("new", "v"), None, any()),
        when(delete("new"), any(), None),
        when(put("new", "w"), None, any()),
    ];
    let before = all_records(&store.reader);
    store.writer.check(&fine, NOW).unwrap();
    let refused = [fine.to_vec(), vec![when(put("k", "x"), None, any()), touch("?", Ttl::Keep)]];
    let (at, error) = store.writer.check(&refused.concat(), NOW).unwrap_err();
    assert_eq!(at, 6, "the first that is refused: {error}");
    assert!(matches!(error, PutError::Rejected(Rejection::PreconditionFailed { .. })));
    let (at, error) = store.writer.check(&[delete("k"), touch("k", Ttl::Keep)], NOW).unwrap_err();
    assert!(matches!((at, error), (1, PutError::Rejected(Rejection::KeyNotFound))));
    store.commit();
    assert_eq!(all_records(&store.reader), before, "checking changes nothing");
    for write in fine {
        store.writer.stage(write, NOW).unwrap();
    }
}

#[test]
fn an_atomic_batch_is_checked_against_the_limit_as_a_whole() {
    let store = small(true);
    let (one, two) = (large(LARGE), large(LARGE - 1));
    let batch = [put("a", &one), put("b", &one), put("c", &one)];
    let (at, error) = store.writer.check(&batch, NOW).unwrap_err();
    assert!(matches!((at, error), (2, PutError::Rejected(Rejection::MemoryLimit { .. }))));
    let in_place = [put("a", &one), put("b", &one), put("a", &two), delete("b"), put("b", &two)];
    store.writer.check(&in_place, NOW).unwrap();
    let mut store = store;
    for write in in_place {
        store.writer.stage(write, NOW).unwrap();
    }
}

/// What passes the check is never refused when it is staged.
#[test]
fn a_checked_batch_is_staged_whole() {
    let mut dice = crate::test_store::Dice(3);
    for _ in 0..300 {
        let mut store = small(true);
        let batch: Vec<Write> = (0..6)
            .map(|_| {
                let key = ["a", "b", "c"][dice.index(3)];
                let value = large(dice.index(90) * 150);
                match dice.below(6) {
                    0 => delete(key),
                    1 => touch(key, Ttl::Ms(dice.below(2))),
                    2 => put_for(key, &value, Ttl::Ms(dice.below(2))),
                    _ => put(key, &value),
                }
            })
            .collect();
        let checked = store.writer.check(&batch, NOW).map_err(|(at, _)| at);
        let staged: Result<Vec<_>, usize> = batch
            .into_iter()
            .enumerate()
            .map(|(at, write)| store.writer.stage(write, NOW).map_err(|_| at))
            .collect();
        assert_eq!(checked.err(), staged.err());
    }
}

#[test]
fn writes_win_over_what_is_merged_in_the_same_commit() {
    let mut store = TestStore::memory();
    let remote = [op(origin(2), 7, "k", live("remote", None))];
    store.writer.merge(stretch(origin(2), 7, &[], &remote), NOW).unwrap();
    let written = store.writer.stage(put("k", "own"), NOW).unwrap();
    assert!(written.existed);
    store.commit();
    assert_eq!(store.value("k"), Some(b"own".to_vec()));
}

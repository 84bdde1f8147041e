//! What the cache holds, remembers and forgets.

use std::sync::atomic::AtomicBool;
use std::thread;

use gridkv_protocol::{Epoch, Live, NodeId, Origin, StoreName, UnixMs, Value, Version};

use super::test_cache::{cache, cache_with, small};
use super::*;
use crate::settings::CachePolicy;
use crate::store::StoreConfig;
use crate::test_store::{
    Dice, NOW, TestStore, config, delete, frontier, hlc, key, late, live, op, origin, put, put_for,
    put_op, refusal, stretch, touch,
};
use crate::write::{Rejection, Ttl};

const LRU: CacheSettings =
    CacheSettings { max_bytes: 16 << 10, policy: CachePolicy::Lru, time_to_idle_ms: None };

fn backend(settings: CacheSettings) -> Arc<dyn Backend> {
    let mut request = OpenRequest::new(StoreName::new("main").unwrap(), None);
    request.settings.cache = settings;
    open(&request).0
}

fn record(n: u64, state: State) -> Record {
    let origin = Origin::new(NodeId(1), Epoch(1));
    Record { version: Version { hlc: Hlc::from_bits(n), origin }, state }
}

fn live_until(n: u64, expires_at: Option<UnixMs>) -> Record {
    let value = Value::copied(&n.to_be_bytes());
    record(n, State::Live(Live { value, content_type: None, expires_at }))
}

fn put_one(backend: &dyn Backend, text: &str, record: Record) {
    let records = [KeyedRecord { key: key(text), record }];
    backend.put_batch(&Commit { records: &records, ..Commit::default() }).unwrap();
}

/// Puts live records until the first ones are evicted.
fn fill(backend: &dyn Backend, from: u64, count: u64) {
    (from..from + count).for_each(|n| put_one(backend, &format!("fill-{n}"), live_until(n, None)));
    backend.footprint();
}

#[test]
fn an_evicted_record_leaves_its_version() {
    let moka = backend(LRU);
    let cache = moka.as_cache().unwrap();
    put_one(moka.as_ref(), "k", live_until(1, Some(UnixMs(77))));
    assert_eq!(cache.standing("k").unwrap(), Standing::Record(live_until(1, Some(UnixMs(77)))));
    fill(moka.as_ref(), 2, 24);
    assert_eq!(moka.get("k").unwrap(), None);
    assert_eq!(cache.standing("k").unwrap(), Standing::Residue(record(1, State::Deleted).version));
    assert_eq!(cache.standing("never").unwrap(), Standing::Absent);
    let evicted = cache.take_evicted();
    assert_eq!(evicted[0], Evicted { key: key("k"), expires_at: Some(UnixMs(77)) });
    assert_eq!(evicted.len() as u64, cache.evictions().size);
    assert_eq!(cache.take_evicted(), []);
    assert_eq!(cache.forgotten(), Hlc::ZERO, "all is remembered yet");
    assert_eq!(moka.footprint().keys, Some(25 - cache.evictions().size));
}

#[test]
fn what_is_remembered_is_pushed_out_oldest_first() {
    let moka = backend(LRU);
    let cache = moka.as_cache().unwrap();
    for n in [9, 3, 7, 5] {
        put_one(moka.as_ref(), &format!("dead-{n}"), record(n, State::Deleted));
    }
    let before = moka.footprint();
    assert_eq!((before.keys, before.tombstones, cache.forgotten()), (Some(0), Some(4), Hlc::ZERO));
    for n in 100.. {
        put_one(moka.as_ref(), &format!("more-{n}"), record(n, State::Deleted));
        if moka.get("dead-3").unwrap().is_none() {
            break;
        }
    }
    assert_eq!(cache.forgotten(), hlc(3));
    assert_eq!(cache.standing("dead-3").unwrap(), Standing::Absent);
    for n in [5, 7, 9] {
        assert!(moka.get(&format!("dead-{n}")).unwrap().is_some(), "{n}");
    }
    put_one(moka.as_ref(), "older than all", record(2, State::Deleted));
    assert_eq!(cache.standing("older than all").unwrap(), Standing::Absent, "forgotten already");
}

#[test]
fn idle_records_are_evicted_and_lists_are_no_use_of_them() {
    let moka = backend(CacheSettings { time_to_idle_ms: Some(1_500), ..LRU });
    for key in ["read", "listed"] {
        put_one(moka.as_ref(), key, live_until(1, None));
    }
    for _ in 0..20 {
        thread::sleep(std::time::Duration::from_millis(100));
        assert!(moka.get("read").unwrap().is_some());
        moka.list(Bound::Unbounded, 10).unwrap();
    }
    assert_eq!(moka.footprint().keys, Some(1));
    assert_eq!(moka.as_cache().unwrap().evictions(), Evictions { size: 0, idle: 1 });
    let left = moka.list(Bound::Unbounded, 10).unwrap().records;
    assert_eq!(left.iter().map(|keyed| keyed.key.as_str()).collect::<Vec<_>>(), ["read"]);
}

/// Reports and statistics are asked for while nothing else may wait: they count at once, and follow what
/// was evicted a part at a time.
#[test]
fn very_many_idle_records_are_followed_in_parts_and_counted_at_once() {
    let settings = CacheSettings { max_bytes: 64 << 20, time_to_idle_ms: Some(4_000), ..LRU };
    let moka = Moka::new(&settings);
    let count = 3 * FOLLOWED_AT_ONCE + 100;
    for n in 0..count {
        put_one(&moka, &format!("k{n}"), live_until(1, None));
    }
    assert_eq!(moka.keys(), count as u64);
    thread::sleep(std::time::Duration::from_millis(4_100));
    // The engine stops after a while, which on a busy machine is before it is through.
    let unsettled = (0..count).take_while(|_| moka.keys() > 0);
    unsettled.for_each(|_| moka.hot.settle());
    assert_eq!((moka.keys(), moka.evicted().len()), (0, 0), "counted, and not followed yet");
    for n in 1..=3 {
        assert_eq!(moka.footprint().keys, Some(0));
        assert_eq!(moka.evicted().len(), n * FOLLOWED_AT_ONCE);
    }
    assert_eq!(moka.take_evicted().len(), count);
    assert_eq!(moka.take_evicted(), []);
}

/// Whatever comes, goes, is replaced, refused or removed: what is counted is what is there.
#[test]
fn the_count_of_records_is_exact_once_the_cache_has_done_its_work() {
    for policy in [CachePolicy::Lru, CachePolicy::TinyLfu] {
        let moka = Moka::new(&CacheSettings { policy, max_bytes: 64 << 10, ..LRU });
        let mut dice = Dice(5);
        for n in 1..5_000 {
            let name = format!("k{}", dice.below(300));
            match dice.below(10) {
                0 => put_one(&moka, &name, record(n, State::Deleted)),
                1..4 => drop(moka.get(&name).unwrap()),
                _ => put_one(&moka, &name, live_until(n, None)),
            }
            if n % 500 == 0 {
                moka.hot.settle();
                let live = (0..300).filter(|n| moka.hot.get(&format!("k{n}")).is_some()).count();
                assert_eq!(moka.keys(), live as u64);
                assert!(live > 10);
            }
        }
        moka.forget_all(Hlc::ZERO).unwrap();
        assert_eq!(moka.keys(), 0);
    }
}

#[test]
fn clearing_forgets_everything_up_to_the_greatest() {
    let moka = backend(LRU);
    let cache = moka.as_cache().unwrap();
    fill(moka.as_ref(), 10, 40);
    put_one(moka.as_ref(), "dead", record(60, State::Deleted));
    put_one(moka.as_ref(), "newest", live_until(70, None));
    cache.forget_all(hlc(5)).unwrap();
    assert_eq!(cache.forgotten(), hlc(70));
    let empty =
        Footprint { memory_bytes: Some(0), keys: Some(0), tombstones: Some(0), ..moka.footprint() };
    assert_eq!(moka.footprint(), empty);
    assert!(moka.list(Bound::Unbounded, 10).unwrap().records.is_empty());
    assert_eq!((moka.get("newest").unwrap(), cache.take_evicted()), (None, vec![]));
    put_one(moka.as_ref(), "newest", live_until(71, None));
    assert_eq!(moka.get("newest").unwrap(), Some(live_until(71, None)), "at once");
    cache.forget_all(hlc(99)).unwrap();
    assert_eq!(cache.forgotten(), hlc(99));
}

/// A deadline that came back with a newer record is not taken for one that was evicted.
#[test]
fn a_record_that_came_back_keeps_its_deadline() {
    let moka = backend(LRU);
    let cache = moka.as_cache().unwrap();
    let at = Some(UnixMs(77));
    put_one(moka.as_ref(), "same", live_until(1, at));
    put_one(moka.as_ref(), "other", live_until(2, at));
    fill(moka.as_ref(), 3, 40);
    put_one(moka.as_ref(), "same", live_until(90, at));
    put_one(moka.as_ref(), "other", live_until(91, None));
    let evicted = cache.take_evicted();
    let names: Vec<&str> = evicted.iter().map(|gone| gone.key.as_str()).collect();
    assert!(!names.contains(&"same") && names.contains(&"other"), "{names:?}");
}

/// Deletes and puts beside readers that look in two ways, one after the other.
#[test]
fn one_way_of_reading_never_lags_behind_another() {
    let (moka, done) =
        (backend(CacheSettings { max_bytes: 1 << 20, ..LRU }), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut newest = Hlc::ZERO;
                let mut forward = |record: Option<Record>| {
                    let hlc = record.map_or(newest, |record| record.version.hlc);
                    assert!(newest <= hlc, "{newest} and then {hlc}");
                    newest = hlc;
                };
                while !done.load(Ordering::Acquire) {
                    forward(moka.get("k").unwrap());
                    let mut listed = moka.list(Bound::Unbounded, 1).unwrap().records;
                    forward(listed.pop().map(|keyed| keyed.record));
                }
            });
        }
        for n in 1..40_000 {
            let dead = record(n, State::Deleted);
            put_one(moka.as_ref(), "k", if n % 3 == 0 { dead } else { live_until(n, None) });
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn what_is_too_large_is_refused_and_takes_the_older_with_it() {
    let mut store = small(16 << 10, CachePolicy::Lru);
    let limit_bytes = Room::of(16 << 10).largest_record();
    let fits = "x".repeat(limit_bytes - 1);
    store.write(put("k", &fits));
    assert_eq!(store.value("k"), Some(fits.clone().into_bytes()));
    let large = format!("{fits}x");
    let refused = Rejection::TooLarge { limit_bytes };
    assert_eq!(refusal(store.writer.stage(put("k", &large), NOW)), refused);
    let (at, error) = store.writer.check(&[put("a", "v"), put("k", &large)], NOW).unwrap_err();
    assert_eq!((at, error.to_string()), (1, refused.to_string()));
    assert!(store.value("k").is_some(), "nothing was changed");
    store.merge(origin(2), late(1), &[op(origin(2), late(1), "k", live(&large, None))]);
    assert_eq!((store.value("k"), store.record("k")), (None, None), "a peer's takes its place");
    store.merge_page(&[put_op(origin(3), late(0), "k")]);
    assert_eq!(store.value("k"), None, "and nothing older comes back");
    store.merge_page(&[put_op(origin(3), late(2), "k")]);
    assert_eq!(store.value("k"), Some(late(2).to_string().into_bytes()));
}

/// What is pushed out raises the floor; what is minted afterwards is above it even so.
#[test]
fn writes_go_on_above_a_floor_that_rose() {
    let mut store = small(16 << 10, CachePolicy::TinyLfu);
    for n in 0..40 {
        store.merge_page(&[op(origin(2), late(n), &format!("dead-{n}"), State::Deleted)]);
    }
    store.commit();
    let floor = store.reader.floor();
    assert!(floor >= hlc(late(0)));
    store.merge_page(&[put_op(origin(3), late(0), "dead-0")]);
    assert_eq!((store.value("dead-0"), store.applies()[1]), (None, 1), "stale");
    let written = store.write(put("dead-0", "new"));
    assert!(written.version.hlc > floor);
    assert_eq!(store.value("dead-0"), Some(b"new".to_vec()));
}

#[test]
fn a_cache_makes_room_and_is_never_full() {
    let full =
        StoreConfig { memory_limit_bytes: Some(1), refuse_over_limit: true, ..config("small") };
    let mut store = cache_with(LRU, full);
    for n in 0..200 {
        store.write(put(&format!("k{n}"), "v"));
    }
    let stats = store.reader.stats();
    assert!(stats.memory_bytes <= 16 << 10 && stats.key_count > 10, "{stats:?}");
}

/// Deadlines of what was evicted go; others are kept to the moment.
#[test]
fn records_expire_beside_evictions() {
    let mut store = cache(CacheSettings { max_bytes: 64 << 10, ..LRU });
    for n in 0..300 {
        store.write(put_for(&format!("k{n}"), "v", Ttl::Ms(n)));
    }
    let live = store.reader.stats().key_count;
    assert!(store.reader.stats().tombstones == 0 && live < 100);
    while store.writer.expire(NOW.plus(1_000)).unwrap() {
        store.commit();
    }
    store.commit();
    assert_eq!((store.reader.stats().expired, store.reader.stats().key_count), (live, 0));
}

/// The record that a staged one replaces is evicted before the commit: its deadline is the new one's too.
#[test]
fn a_deadline_that_is_staged_again_stays() {
    let mut store = cache(CacheSettings { time_to_idle_ms: Some(20), ..LRU });
    store.write(put_for("k", "old", Ttl::Ms(100)));
    store.writer.stage(put_for("k", "new", Ttl::Ms(100)), NOW).unwrap();
    thread::sleep(std::time::Duration::from_millis(40));
    store.writer.expire(NOW).unwrap();
    assert_eq!(store.reader.stats().key_count, 0, "evicted");
    store.commit();
    store.writer.expire(NOW.plus(100)).unwrap();
    store.commit();
    assert_eq!(store.reader.stats().expired, 1);
}

#[test]
fn forgetting_all_goes_on_at_what_was_adopted() {
    let mut store = TestStore::new(config("moka"));
    store.merge(origin(2), late(5), &[put_op(origin(2), late(5), "k")]);
    let own = store.write(put_for("own", "v", Ttl::Ms(50)));
    let staged = store.writer.stage(put("staged", "v"), NOW).unwrap();
    let adopt = frontier(&[(origin(2), late(90)), (origin(3), late(80)), (origin(1), late(99))]);
    store.writer.forget_all(&adopt).unwrap();
    let applied = store.reader.applied();
    assert_eq!((applied.get(origin(2)), applied.get(origin(3))), (hlc(late(90)), hlc(late(80))));
    assert_eq!(applied.get(origin(1)), staged.version.hlc, "its own is its own");
    assert_eq!(store.reader.floor(), hlc(late(90)), "all that was adopted, but for its own");
    let published: Vec<Version> =
        store.reader.ring().drain().ops.iter().map(|logged| logged.op.record.version).collect();
    assert_eq!(published, [own.version, staged.version], "what was staged is published");
    for name in ["k", "own", "staged"] {
        assert_eq!(store.value(name), None, "{name}");
    }
    let stats = store.reader.stats();
    assert_eq!((stats.key_count, stats.tombstones, stats.memory_bytes), (0, 0, 0));
    assert!(!store.writer.expire(NOW.plus(100)).unwrap());
    store.commit();
    assert_eq!(store.reader.stats().expired, 0, "no deadline is left");
    store
        .writer
        .merge(stretch(origin(3), late(85), &[], &[put_op(origin(3), late(85), "k")]), NOW)
        .unwrap();
    store.commit();
    assert_eq!(store.value("k"), None, "below the floor: what was missed may be newer");
    store.merge(origin(3), late(95), &[put_op(origin(3), late(95), "k")]);
    assert_eq!(store.value("k"), Some(late(95).to_string().into_bytes()));
    assert!(store.write(delete("k")).version.hlc > hlc(late(95)));
    assert_eq!(refusal(store.writer.stage(touch("k", Ttl::Keep), NOW)), Rejection::KeyNotFound);
}

#[test]
fn a_store_that_is_no_cache_forgets_nothing() {
    let mut store = TestStore::memory();
    store.write(put("k", "v"));
    store.writer.forget_all(&frontier(&[(origin(2), 9)])).unwrap();
    assert!(store.value("k").is_some() && store.reader.applied().get(origin(2)) == Hlc::ZERO);
}

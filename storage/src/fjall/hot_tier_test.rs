//! The tier of hot records beside its writer: no reader ever puts back what a commit has replaced.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, RwLock};
use std::thread;

use gridkv_protocol::{Hlc, Live, Origin, Value, Version};

use super::*;

fn keyed(key: &str, n: u64) -> KeyedRecord {
    let version = Version { hlc: Hlc::from_bits(n), origin: Origin::from_bits(1) };
    let value = Value::copied(&n.to_be_bytes());
    let state = State::Live(Live { value, content_type: None, expires_at: None });
    KeyedRecord { key: Key::new(key).unwrap(), record: Record { version, state } }
}

/// The double of an engine: a map.
#[derive(Default)]
struct Engine(RwLock<BTreeMap<String, Record>>);

impl Engine {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.read().unwrap().get(key).cloned()
    }

    fn put_all(&self, records: &[KeyedRecord]) {
        for keyed in records {
            self.put(keyed);
        }
    }

    fn put(&self, keyed: &KeyedRecord) {
        let (key, record) = (keyed.key.as_str().to_owned(), keyed.record.clone());
        self.0.write().unwrap().insert(key, record);
    }
}

fn number(record: Option<Record>) -> u64 {
    record.map_or(0, |record| record.version.hlc.bits())
}

#[test]
fn only_live_records_are_kept_and_a_write_replaces_them() {
    let (tier, engine) = (HotTier::new(1 << 20), Engine::default());
    let read = |key: &str| tier.fill(key, || Ok(engine.get(key))).unwrap();
    assert_eq!(read("k"), None);
    engine.put(&keyed("k", 1));
    assert_eq!(tier.get("k"), None, "a miss is not kept");
    assert_eq!(number(read("k")), 1);
    assert_eq!(number(tier.get("k")), 1, "it was read twice");
    engine.put(&keyed("l", 1));
    assert_eq!(number(read("l")), 1);
    assert_eq!(tier.get("l"), None, "and this one once");
    let mut dead = keyed("k", 2);
    dead.record.state = State::Deleted;
    let records = [dead, keyed("l", 2)];
    let commit = tier.commit(&records, &[]);
    assert_eq!(tier.get("k"), None, "nothing is known while a commit is on its way");
    engine.put_all(&records);
    commit.end();
    assert_eq!((tier.get("k"), tier.get("l")), (None, None), "what is only written is not hot");
    assert_eq!(number(read("k")), 2);
    assert_eq!(tier.get("k"), None, "a tombstone is not hot");
    assert_eq!(number(read("l")), 2);
    assert_eq!(number(tier.get("l")), 2);
    let newer = [keyed("l", 3)];
    let commit = tier.commit(&newer, &[]);
    assert_eq!(tier.get("l"), None);
    engine.put_all(&newer);
    commit.end();
    assert_eq!(number(tier.get("l")), 3, "what was hot is kept right");
}

#[test]
fn a_commit_that_failed_leaves_its_keys_cold() {
    let (tier, engine) = (HotTier::new(1 << 20), Engine::default());
    let records = [keyed("k", 1)];
    drop(tier.commit(&records, &[]));
    assert_eq!(tier.get("k"), None);
    engine.put(&keyed("k", 1));
    let read = || tier.fill("k", || Ok(engine.get("k"))).unwrap();
    read();
    read();
    assert_eq!(number(tier.get("k")), 1, "and readers fill it again");
    drop(tier.commit(&records, &[]));
    assert_eq!(tier.get("k"), None);
}

/// The race that the marks are for, step by step: without them the old record comes back for good.
#[test]
fn a_reader_that_was_overtaken_puts_nothing_back() {
    let (tier, engine) = (HotTier::new(1 << 20), Engine::default());
    let miss = || tier.fill("k", || Ok(None)).unwrap();
    for (n, whole) in [(1, true), (3, false)] {
        engine.put(&keyed("k", n));
        let newer = [keyed("k", n + 1)];
        drop(tier.commit(&newer, &[])); // cold
        miss();
        let mut open = None;
        let read = tier.fill("k", || {
            let old = engine.get("k");
            let commit = tier.commit(&newer, &[]);
            engine.put(&newer[0]);
            if whole {
                commit.end();
            } else {
                open = Some(commit);
            }
            Ok(old)
        });
        assert_eq!(number(read.unwrap()), n, "what the engine said");
        assert_eq!(tier.get("k"), None, "but it is not kept");
        if let Some(commit) = open {
            tier.fill("k", || Ok(engine.get("k"))).unwrap();
            assert_eq!(tier.get("k"), None, "nor is anything while a commit is on its way");
            commit.end();
        }
        tier.fill("k", || Ok(engine.get("k"))).unwrap();
        assert_eq!(number(tier.get("k")), n + 1);
    }
}

#[test]
fn no_reader_ever_sees_an_older_record_than_was_seen_or_acknowledged() {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    const ROUNDS: u64 = 20_000;
    // So small that records are evicted all the time, and read again.
    for bytes in [1_000, 1 << 20] {
        let (tier, engine) = (HotTier::new(bytes), Engine::default());
        let acknowledged: Vec<AtomicU64> = KEYS.iter().map(|_| AtomicU64::new(0)).collect();
        let seen: Vec<Mutex<u64>> = KEYS.iter().map(|_| Mutex::new(0)).collect();
        let over = AtomicBool::new(false);
        let read = |at: usize| {
            let key = KEYS[at];
            let least = acknowledged[at].load(Ordering::Acquire).max(*seen[at].lock().unwrap());
            let hot = tier.get(key);
            let record = hot.or_else(|| tier.fill(key, || Ok(engine.get(key))).unwrap());
            let found = number(record);
            assert!(found >= least, "{key}: {found} after {least}");
            let mut seen = seen[at].lock().unwrap();
            *seen = found.max(*seen);
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut at = 0;
                    while !over.load(Ordering::Acquire) {
                        read(at % KEYS.len());
                        at += 1;
                    }
                });
            }
            for n in 1..=ROUNDS {
                let first = usize::try_from(n).unwrap() % KEYS.len();
                let records = [keyed(KEYS[first], n), keyed(KEYS[(first + 1) % KEYS.len()], n)];
                let commit = tier.commit(&records, &[]);
                engine.put_all(&records);
                commit.end();
                acknowledged[first].store(n, Ordering::Release);
            }
            over.store(true, Ordering::Release);
        });
        (0..KEYS.len()).for_each(read);
    }
}

#[test]
fn it_stays_within_its_bytes() {
    let tier = HotTier::new(100_000);
    for n in 0..5_000 {
        let key = format!("key-{n}");
        for _ in 0..2 {
            tier.fill(&key, || Ok(Some(keyed(&key, n).record))).unwrap();
        }
    }
    tier.records.run_pending_tasks();
    assert!(tier.bytes() <= 100_000, "{}", tier.bytes());
    assert!(tier.bytes() > 50_000, "{}", tier.bytes());
}

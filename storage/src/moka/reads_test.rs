//! Random operations on tiny caches: what is read is the newest version or nothing, whatever was evicted
//! and forgotten, and whatever comes late or twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gridkv_protocol::{Hlc, Key, Op, Origin, Record, State, UnixMs, Version};

use super::test_cache::small;
use crate::list::ListQuery;
use crate::reader::StoreReader;
use crate::settings::CachePolicy;
use crate::test_store::{
    Dice, NOW, TestStore, all_records, delete, frontier, key, keyed, live, op, origin, put_for,
    stretch, touch,
};
use crate::write::{Action, Rejection, Ttl, Write};
use crate::writer::PutError;

const STEPS: u32 = 3_000;
const KEYS: u64 = 60;
/// Room for about twenty records, and ten traces of others.
const MAX_BYTES: u64 = 16 << 10;
const PEERS: [u32; 3] = [2, 3, 4];
const READERS: u32 = 3;

/// The newest version that anyone has read of each key.
#[derive(Default)]
struct Seen(Mutex<BTreeMap<Key, Version>>);

impl Seen {
    fn now(&self) -> BTreeMap<Key, Version> {
        self.0.lock().unwrap().clone()
    }

    /// Demands that what was read is no older than what had been seen before the read began.
    fn read(&self, before: &BTreeMap<Key, Version>, key: &Key, record: &Record) {
        let older = before.get(key).filter(|before| record.version < **before);
        assert_eq!(older, None, "{key:?} went back to {:?}", record.version);
        let mut seen = self.0.lock().unwrap();
        let newest = seen.entry(key.clone()).or_insert(record.version);
        *newest = record.version.max(*newest);
    }
}

/// Reads everything in every way.
fn read_all(reader: &StoreReader, seen: &Seen) {
    for n in 0..KEYS {
        let (before, key) = (seen.now(), key(&format!("k{n}")));
        if let Some(record) = reader.get(&key, UnixMs(0)).unwrap() {
            seen.read(&before, &key, &record);
        }
    }
    let before = seen.now();
    let value_bytes = Some(usize::MAX);
    let query = ListQuery { limit: 1_000, value_bytes, ..ListQuery::default() };
    for listed in reader.list(&query, UnixMs(0)).unwrap().records {
        let (key, record) = listed.into_record();
        seen.read(&before, &key, &record);
    }
    let before = seen.now();
    for (key, record) in all_records(reader) {
        seen.read(&before, &key, &record);
    }
}

/// A cache, and beside it a store that forgets nothing and gets the same.
struct Run {
    cache: TestStore,
    memory: TestStore,
    /// Of each peer, all that it wrote.
    history: BTreeMap<Origin, Vec<Op>>,
    dice: Dice,
    now: UnixMs,
}

impl Run {
    fn new(policy: CachePolicy, seed: u64) -> Self {
        let (cache, memory) = (small(MAX_BYTES, policy), TestStore::memory());
        Self { cache, memory, history: BTreeMap::new(), dice: Dice(seed), now: NOW }
    }

    fn both(&mut self, act: impl Fn(&mut TestStore)) {
        act(&mut self.cache);
        act(&mut self.memory);
    }

    fn key(&mut self) -> String {
        // Some keys are used far more than others.
        let most = if self.dice.below(3) == 0 { KEYS } else { KEYS / 6 };
        format!("k{}", self.dice.below(most))
    }

    fn value(&mut self) -> String {
        // Some are too large to be kept.
        let most = if self.dice.below(20) == 0 { 1_000 } else { 200 };
        "x".repeat(self.dice.index(most))
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..35 => self.write(),
            35..55 => self.peer_writes(),
            55..65 => self.stretch(),
            65..75 => self.page(),
            75..80 => self.now = self.now.plus(self.dice.below(10)),
            80..84 => self.expire(),
            84..90 => self.compare(),
            90 => self.forget_all(),
            _ => self.both(TestStore::commit),
        }
    }

    fn write(&mut self) {
        let (name, value, now) = (self.key(), self.value(), self.now);
        let ttl =
            if self.dice.below(3) == 0 { Ttl::Ms(self.dice.below(40)) } else { Ttl::Unlimited };
        let write = match self.dice.below(10) {
            0..7 => put_for(&name, &value, ttl),
            7 => touch(&name, ttl),
            _ => delete(&name),
        };
        match self.cache.writer.stage(write.clone(), now) {
            Ok(written) => {
                let mirrored = self.memory.writer.stage(write, now).unwrap();
                assert_eq!(written.version, mirrored.version);
            }
            Err(PutError::Rejected(rejection)) => refused(&write, &rejection),
            Err(PutError::Backend(error)) => panic!("{error}"),
        }
    }

    fn peer_writes(&mut self) {
        let peer = origin(PEERS[self.dice.index(PEERS.len())]);
        for _ in 0..=self.dice.below(4) {
            let (name, value) = (self.key(), self.value());
            let deadline = (self.dice.below(3) == 0).then(|| self.now.plus(self.dice.below(40)));
            let state = match self.dice.below(4) {
                0 => State::Deleted,
                _ => live(&value, deadline),
            };
            let physical = Hlc::at(UnixMs(self.now.0 - 10 + self.dice.below(20))).bits();
            let history = self.history.entry(peer).or_default();
            let last = history.last().map_or(0, |op| op.record.version.hlc.bits());
            let bits = physical.max(last) + 1 + self.dice.below(3);
            history.push(op(peer, bits, &name, state));
        }
    }

    /// Any part of a peer's ops: late, twice, or ahead of others.
    fn stretch(&mut self) {
        let Some(history) = self.history.get(&origin(PEERS[self.dice.index(PEERS.len())])) else {
            return;
        };
        let from = self.dice.index(history.len());
        let ops = history[from..].iter().take(1 + self.dice.index(8)).cloned().collect::<Vec<_>>();
        let (peer, now) = (ops[0].record.version.origin, self.now);
        let upto = ops[ops.len() - 1].record.version.hlc.bits();
        self.both(|store| store.writer.merge(stretch(peer, upto, &[], &ops), now).unwrap());
    }

    /// Any ops of any peer, in any order.
    fn page(&mut self) {
        let mut ops: Vec<Op> = self.history.values().flatten().cloned().collect();
        self.dice.shuffle(&mut ops);
        ops.truncate(8);
        let now = self.now;
        self.both(|store| store.writer.merge_page(keyed(&ops), now).unwrap());
    }

    fn expire(&mut self) {
        let now = self.now;
        self.both(|store| {
            store.commit();
            while store.writer.expire(now).unwrap() {
                store.commit();
            }
        });
    }

    /// Everything is forgotten, and a peer's frontier adopted, with ops that never came.
    fn forget_all(&mut self) {
        let peer = origin(PEERS[self.dice.index(PEERS.len())]);
        let last = self.history.get(&peer).and_then(|history| history.last());
        let adopted = last.map_or(1, |op| op.record.version.hlc.bits());
        self.cache.writer.forget_all(&frontier(&[(peer, adopted)])).unwrap();
        assert_eq!(all_records(&self.cache.reader), BTreeMap::new());
        self.memory.commit();
        self.memory.writer.observe(self.cache.writer.clock());
    }

    /// Demands that the cache reads as the store that forgets nothing, or misses, and counts right.
    fn compare(&mut self) {
        self.both(TestStore::commit);
        let stats = self.cache.reader.stats(); // does what the cache put off
        assert!(stats.memory_bytes <= MAX_BYTES, "{} bytes", stats.memory_bytes);
        for n in 0..KEYS {
            let key = key(&format!("k{n}"));
            let [cached, kept] =
                [&self.cache, &self.memory].map(|store| store.reader.get(&key, self.now).unwrap());
            assert!(cached.is_none() || cached == kept, "{key:?}: {cached:?} beside {kept:?}");
        }
        let (held, kept) = (all_records(&self.cache.reader), all_records(&self.memory.reader));
        for (key, record) in &held {
            assert_eq!(Some(record), kept.get(key), "{key:?}");
        }
        let stats = self.cache.reader.stats();
        let is_live = |record: &&Record| matches!(record.state, State::Live(_));
        let live = held.values().filter(is_live).count() as u64;
        assert_eq!((stats.key_count, stats.tombstones), (live, held.len() as u64 - live));
    }
}

/// A cache may refuse what is too large, and to touch what it does not hold.
fn refused(Write { key, action, .. }: &Write, rejection: &Rejection) {
    match (action, rejection) {
        (Action::Put { value, .. }, Rejection::TooLarge { limit_bytes }) => {
            assert!(key.len() + value.len() > *limit_bytes);
        }
        (Action::Touch { .. }, Rejection::KeyNotFound) => {}
        other => panic!("{other:?}"),
    }
}

fn run(policy: CachePolicy, seed: u64) {
    let mut run = Run::new(policy, seed);
    let (newest, done) = (Seen::default(), AtomicBool::new(false));
    let reader = run.cache.reader.clone();
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    read_all(&reader, &newest);
                }
            });
        }
        // Readers end even when a comparison fails.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                run.step();
            }
            run.compare();
        }));
        done.store(true, Ordering::Release);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    // The run has met what it is about.
    assert!(run.cache.reader.floor() > Hlc::ZERO && !newest.now().is_empty());
}

#[test]
fn reads_never_go_back_with_tiny_lfu() {
    (0..4).for_each(|seed| run(CachePolicy::TinyLfu, seed));
}

#[test]
fn reads_never_go_back_with_lru() {
    (100..104).for_each(|seed| run(CachePolicy::Lru, seed));
}

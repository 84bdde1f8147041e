//! The tier of hot records before the engine: live records only, in memory, bounded by bytes.
//!
//! A record is hot once it was read twice within a while. To keep one costs more than to read it from the
//! engine's own caches (6 us more, beside 2.6, at 500,000 records of 100 bytes), so what is read once, and what
//! is only written, must not be kept.
//!
//! One thread writes and many read, and no reader may put back a record that the writer has replaced
//! meanwhile. Keys are spread over stripes. A commit marks the stripes of its keys, removes the keys,
//! lets the engine commit, puts the new records of those that were hot, and marks again. A reader notes its stripe's mark
//! before it asks the engine, and fills the tier under the stripe's lock only if no commit has marked
//! the stripe since: then what it read is still what the engine has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record, State};
use moka::sync::Cache;
use xxhash_rust::xxh3::xxh3_64;

use crate::backend::BackendError;

/// Stripes that keys share: so many that two keys in use at once rarely meet, at 16 KiB.
const STRIPES: usize = 1_024;

/// Bytes that a record takes beside its key and contents: moka's own 200 and three shared allocations.
const OVERHEAD_BYTES: usize = 300;

/// Keys whose last miss is remembered, at most, in 256 KiB: a second read is noticed among about as many
/// other keys.
const REMEMBERED: usize = 1 << 16;

/// Live records by key.
pub(super) struct HotTier {
    records: Cache<Key, Record>,
    stripes: Vec<Stripe>,
    /// Of keys that were missed, a part of their hash, where another part of it says.
    missed: Vec<AtomicU32>,
}

#[derive(Default)]
struct Stripe {
    /// Odd while a commit is on its way.
    mark: AtomicU64,
    /// Held while the tier is filled, and while the mark moves.
    filling: Mutex<()>,
}

impl Stripe {
    fn step(&self) {
        // Only the writer panics with it, if anyone, and then nothing is written any more.
        let _held = self.filling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.mark.fetch_add(1, Ordering::AcqRel);
    }
}

impl HotTier {
    /// A tier of at most `bytes`.
    pub(super) fn new(bytes: u64) -> Self {
        let records = Cache::builder().max_capacity(bytes).weigher(weight).build();
        Self {
            records,
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            missed: (0..REMEMBERED).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The live record under `key`, if it is hot.
    pub(super) fn get(&self, key: &str) -> Option<Record> {
        self.records.get(key)
    }

    /// Reads from `engine`, and keeps the record if it is live, was read before, and no commit came
    /// between.
    pub(super) fn fill(
        &self,
        key: &str,
        engine: impl FnOnce() -> Result<Option<Record>, BackendError>,
    ) -> Result<Option<Record>, BackendError> {
        let hash = xxh3_64(key.as_bytes());
        let Some(stripe) = self.stripes.get(place(hash, STRIPES)) else { return engine() };
        if !self.was_missed(hash) {
            return engine();
        }
        let before = stripe.mark.load(Ordering::Acquire);
        let found = engine()?;
        let live = found.as_ref().filter(|record| matches!(record.state, State::Live(_)));
        if let (Some(record), Ok(key)) = (live, Key::new(key)) {
            let _held = stripe.filling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if before % 2 == 0 && stripe.mark.load(Ordering::Acquire) == before {
                self.records.insert(key, record.clone());
            }
        }
        Ok(found)
    }

    /// Whether this key was missed not long ago; from now on it was.
    fn was_missed(&self, hash: u64) -> bool {
        let part = u32::try_from(hash >> 32).unwrap_or_default();
        let slot = self.missed.get(place(hash, REMEMBERED));
        slot.is_some_and(|slot| slot.swap(part, Ordering::Relaxed) == part)
    }

    /// Starts a commit of `records`, and of those that go: none of their keys is hot until it ends.
    pub(super) fn commit<'a>(
        &'a self,
        records: &'a [KeyedRecord],
        removed: &[KeyedRecord],
    ) -> HotCommit<'a> {
        let hash = |keyed: &KeyedRecord| xxh3_64(keyed.key.as_str().as_bytes());
        let all = records.iter().chain(removed);
        let mut places: Vec<usize> = all.map(|keyed| place(hash(keyed), STRIPES)).collect();
        places.sort_unstable();
        places.dedup();
        let marked: Vec<_> = places.into_iter().filter_map(|at| self.stripes.get(at)).collect();
        for stripe in &marked {
            stripe.step();
        }
        let was_hot = |keyed: &&KeyedRecord| self.records.remove(keyed.key.as_str()).is_some();
        let hot = records.iter().filter(was_hot).collect();
        for keyed in removed {
            self.records.invalidate(keyed.key.as_str());
        }
        HotCommit { tier: self, hot, marked }
    }

    /// Forgets everything, and what is being read now.
    pub(super) fn clear(&self) {
        for stripe in &self.stripes {
            stripe.step();
        }
        self.records.invalidate_all();
        for stripe in &self.stripes {
            stripe.step();
        }
    }

    /// Bytes that it holds, as far as its own housekeeping has come.
    pub(super) fn bytes(&self) -> u64 {
        self.records.weighted_size()
    }
}

/// A commit on its way. Dropped without [`HotCommit::end`], its keys stay cold.
pub(super) struct HotCommit<'a> {
    tier: &'a HotTier,
    /// Records of keys that were hot.
    hot: Vec<&'a KeyedRecord>,
    marked: Vec<&'a Stripe>,
}

impl HotCommit<'_> {
    /// The engine has committed: what was hot is hot again.
    pub(super) fn end(self) {
        for KeyedRecord { key, record } in &self.hot {
            if matches!(record.state, State::Live(_)) {
                self.tier.records.insert(key.clone(), record.clone());
            }
        }
    }
}

impl Drop for HotCommit<'_> {
    fn drop(&mut self) {
        for stripe in &self.marked {
            stripe.step();
        }
    }
}

/// Which of `count` places a hash has.
fn place(hash: u64, count: usize) -> usize {
    usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() % count
}

fn weight(key: &Key, record: &Record) -> u32 {
    u32::try_from(OVERHEAD_BYTES + key.len() + record.content_bytes()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "hot_tier_test.rs"]
mod tests;

//! The tier of hot records before the engine: live records only, in memory, bounded by bytes.
//!
//! One thread writes and many read, and no reader may put back a record that the writer has replaced
//! meanwhile. Keys are spread over stripes. A commit marks the stripes of its keys, removes the keys,
//! lets the engine commit, puts the new records, and marks again. A reader notes its stripe's mark
//! before it asks the engine, and fills the tier under the stripe's lock only if no commit has marked
//! the stripe since: then what it read is still what the engine has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record, State};
use moka::sync::Cache;
use xxhash_rust::xxh3::xxh3_64;

use crate::backend::BackendError;

/// Stripes that keys share: so many that two keys in use at once rarely meet, at 16 KiB.
const STRIPES: usize = 1_024;

/// Bytes that a record takes beside its key and contents: moka's own 200 and three shared allocations.
const OVERHEAD_BYTES: usize = 300;

/// Live records by key.
pub(super) struct HotTier {
    records: Cache<Key, Record>,
    stripes: Vec<Stripe>,
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
        Self { records, stripes: (0..STRIPES).map(|_| Stripe::default()).collect() }
    }

    /// The live record under `key`, if it is hot.
    pub(super) fn get(&self, key: &str) -> Option<Record> {
        self.records.get(key)
    }

    /// Reads from `engine`, and keeps the record if it is live and no commit came between.
    pub(super) fn fill(
        &self,
        key: &str,
        engine: impl FnOnce() -> Result<Option<Record>, BackendError>,
    ) -> Result<Option<Record>, BackendError> {
        let Some(stripe) = self.stripes.get(place(key)) else { return engine() };
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

    /// Starts a commit of `records`: none of their keys is hot until it ends.
    pub(super) fn commit<'a>(&'a self, records: &'a [KeyedRecord]) -> HotCommit<'a> {
        let mut places: Vec<usize> =
            records.iter().map(|keyed| place(keyed.key.as_str())).collect();
        places.sort_unstable();
        places.dedup();
        let marked: Vec<_> = places.into_iter().filter_map(|at| self.stripes.get(at)).collect();
        for stripe in &marked {
            stripe.step();
        }
        for keyed in records {
            self.records.invalidate(keyed.key.as_str());
        }
        HotCommit { tier: self, records, marked }
    }

    /// Bytes that it holds, as far as its own housekeeping has come.
    pub(super) fn bytes(&self) -> u64 {
        self.records.weighted_size()
    }
}

/// A commit on its way. Dropped without [`HotCommit::end`], its keys stay cold.
pub(super) struct HotCommit<'a> {
    tier: &'a HotTier,
    records: &'a [KeyedRecord],
    marked: Vec<&'a Stripe>,
}

impl HotCommit<'_> {
    /// The engine has committed: what was written is hot.
    pub(super) fn end(self) {
        for KeyedRecord { key, record } in self.records {
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

fn place(key: &str) -> usize {
    usize::try_from(xxh3_64(key.as_bytes())).unwrap_or_default() % STRIPES
}

fn weight(key: &Key, record: &Record) -> u32 {
    u32::try_from(OVERHEAD_BYTES + key.len() + record.content_bytes()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "hot_tier_test.rs"]
mod tests;

// CAVEATS: `usize::try_from` of a hash is 0 for most hashes on machines of 32 bits: one stripe, correct
// and slow.

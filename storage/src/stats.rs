//! What a store counts about itself: plain atomics, written by one actor, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::UnixMs;

use crate::backend::{Evictions, LsmShape};
use crate::durability::Durability;
use crate::histogram::Measured;
use crate::write::Action;

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Release);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// What a client does with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Reads a key.
    Get,
    /// Puts a value.
    Put,
    /// Deletes a key.
    Delete,
    /// Changes a deadline.
    Touch,
    /// Lists keys.
    List,
    /// Does several of these at once.
    Batch,
}

/// Why an operation was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The key has no value.
    NotFound,
    /// Its condition did not hold.
    Conflict,
    /// The store was full.
    MemoryLimit,
    /// Too much was in flight. Nothing happened.
    Overloaded,
    /// Something else: it could not be read or committed, or the node took no writes.
    Error,
}

impl OpKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Get, Self::Put, Self::Delete, Self::Touch, Self::List, Self::Batch];

    /// The kind of a write.
    pub fn of(action: &Action) -> Self {
        match action {
            Action::Put { .. } => Self::Put,
            Action::Delete => Self::Delete,
            Action::Touch { .. } => Self::Touch,
        }
    }
}

impl Undone {
    const COUNT: usize = 5;
}

/// Operations of clients on a store, by kind and result, since the node started. What is within a batch counts as
/// what it is, and the batch once more.
#[derive(Debug, Default)]
pub struct OperationCounters {
    /// Reads that found a value.
    pub get_hit: Counter,
    /// Reads that found none.
    pub get_miss: Counter,
    /// Reads that the cache answered with a value; only where there is a cache.
    pub cache_hit: Counter,
    /// Reads that it did not.
    pub cache_miss: Counter,
    /// Puts committed.
    pub put: Counter,
    /// Deletes committed.
    pub delete: Counter,
    /// Deadlines changed.
    pub touch: Counter,
    /// Lists answered.
    pub list: Counter,
    /// Batches answered.
    pub batch: Counter,
    undone: [[Counter; Undone::COUNT]; OpKind::ALL.len()],
}

impl OperationCounters {
    /// Counts an operation that was not done.
    pub fn fail(&self, kind: OpKind, why: Undone) {
        if let Some(counter) = self.place(kind, why) {
            counter.add(1);
        }
    }

    /// How many operations of a kind were not done for this reason.
    pub fn undone(&self, kind: OpKind, why: Undone) -> u64 {
        self.place(kind, why).map_or(0, Counter::get)
    }

    /// How many operations of any kind were not done for this reason, batches as such not among them.
    pub fn all_undone(&self, why: Undone) -> u64 {
        let single = OpKind::ALL.into_iter().filter(|kind| *kind != OpKind::Batch);
        single.map(|kind| self.undone(kind, why)).sum()
    }

    fn place(&self, kind: OpKind, why: Undone) -> Option<&Counter> {
        self.undone.get(kind as usize)?.get(why as usize)
    }
}

/// What became of records that came from peers, since the node started.
#[derive(Debug, Default)]
pub struct ApplyCounters {
    /// They were newer.
    pub applied: Counter,
    /// A newer record stood.
    pub stale: Counter,
    /// The same record stood.
    pub duplicate: Counter,
    /// They overwrote a version that their writer had not seen: the remote write won.
    pub conflict_remote_won: Counter,
    /// They lost to a version that their writer had not seen: the standing write won.
    pub conflict_local_won: Counter,
    /// Same version, different content. Must stay 0.
    pub collision: Counter,
    /// They came in a batch that was not taken: behind a gap, from a past or from the future, or at a moment when
    /// nothing is. Their sender gives them again.
    pub rejected: Counter,
}

/// Reads of clients through a cache, since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// It had the value.
    pub hits: u64,
    /// It had not.
    pub misses: u64,
}

impl CacheCounts {
    /// The share of hits, 0 to 1; 0 before the first read.
    #[expect(clippy::cast_precision_loss, reason = "a share of 2^53 reads is exact enough")]
    pub fn hit_rate(self) -> f64 {
        let reads = self.hits + self.misses;
        if reads == 0 { 0.0 } else { self.hits as f64 / reads as f64 }
    }
}

/// A snapshot of a store's statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreStats {
    /// Keys that have a value.
    pub key_count: u64,
    /// Tombstones and expired records kept.
    pub tombstones: u64,
    /// Ops in the op ring, waiting for the publisher.
    pub sync_buffer_len: usize,
    /// Ops that the ring holds at most.
    pub sync_buffer_capacity: usize,
    /// Ops that the ring lost to overflow: each is a gap that peers fill by catch-up.
    pub sync_buffer_overwritten: u64,
    /// When that happened last; `None` when it never did.
    pub sync_buffer_overflowed_at: Option<UnixMs>,
    /// Bytes on disk; `None` on volatile backends.
    pub db_size: Option<u64>,
    /// Bytes of keys, values and records held in memory, by account.
    pub memory_bytes: u64,
    /// Bytes that the store should hold in memory at most; `None`: nobody said.
    pub memory_limit_bytes: Option<u64>,
    /// Whether data outlives the process.
    pub persistent: bool,
    /// What a write survives when it is answered.
    pub durability: Durability,
    /// Records that came to their deadline.
    pub expired: u64,
    /// Tombstones and expired records that all members had seen, and that were removed.
    pub purged: u64,
    /// Persist runs that ended well.
    pub persists: u64,
    /// Persist runs that failed.
    pub persist_failures: u64,
    /// How long the persist runs took that ended well.
    pub persist_times: Measured,
    /// When one last ended well, or the store was opened; `None` while nobody said.
    pub persisted_at: Option<UnixMs>,
    /// Changes that are not on disk yet; 0 on volatile backends.
    pub unsaved: u64,
    /// Whether the store came back with less than it had on the disk before.
    pub rolled_back: bool,
    /// Reads of clients that the cache answered, and that it did not; `None` without a cache.
    pub cache: Option<CacheCounts>,
    /// Records evicted, by cause; `None` where nothing is.
    pub evictions: Option<Evictions>,
    /// The tables of the engine; `None` without such an engine.
    pub lsm: Option<LsmShape>,
}

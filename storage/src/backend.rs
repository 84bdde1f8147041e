//! The narrow trait beneath every store: keeps bytes, knows nothing.
//!
//! Versions, conditions, expiry, counts and replication live once, in [`crate::writer`]. A backend is
//! finished when it passes [`crate::conformance`].

use std::ops::Bound;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Record, UnixMs};

use crate::durability::Durability;

mod cache;

pub use cache::{Cache, Evicted, Evictions, Standing};

/// Keeps the records of one store. One thread writes; any thread reads meanwhile.
pub trait Backend: Send + Sync {
    /// What this backend promises.
    fn promises(&self) -> Promises;

    /// The record under `key`: live, expired or tombstone.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    fn get(&self, key: &str) -> Result<Option<Record>, BackendError>;

    /// The same for who decides beside the record, which is no use of it: it makes nothing hot.
    ///
    /// # Errors
    /// As for [`Backend::get`].
    fn get_standing(&self, key: &str) -> Result<Option<Record>, BackendError> {
        self.get(key)
    }

    /// The record under `key` as far as it can be had without touching a disk, for threads that may not
    /// wait. Backends that keep everything in memory need not write it; those with a tier of hot records
    /// know what is in it, and count as missing what is not.
    ///
    /// # Errors
    /// As for [`Backend::get`].
    fn get_near(&self, key: &str) -> Result<Near, BackendError> {
        self.get(key).map(Near::Known)
    }

    /// Puts all records, and with them where the frontier moved to, or nothing of it. Returns what the
    /// commit now survives: what it asks for, or more. A commit without records may stay in memory until
    /// the next one or the next flush.
    ///
    /// # Errors
    /// [`CommitError`], which says whether anything of the commit may be there.
    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError>;

    /// Records after `after` in any order that stays the same while writes go on; `None` starts. A
    /// record that is there throughout a walk comes exactly once. Backends without a cheaper order need
    /// not write it: it is that of their keys, and the cursor the last one.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read, or the cursor is not this backend's.
    fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        by_key(self, after, limit)
    }

    /// Records in byte order of their keys, tombstones included.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read.
    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError>;

    /// Empties it: no record, no frontier, no floor. If it is cut short, what is left claims nothing: the
    /// frontier goes first. No commit and no flush runs meanwhile.
    ///
    /// # Errors
    /// [`CommitError`], which says whether anything may be gone.
    fn clear(&self) -> Result<(), CommitError>;

    /// Brings everything committed to the disk, and with it `frontier`, which every record it covers
    /// has been committed for, and `floor`. Nothing to do on volatile backends.
    ///
    /// # Errors
    /// [`BackendError`]: what was on the disk before is still there.
    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError>;

    /// Rewrites what is on the disk if that is worth it, so that it takes less room and is read faster at
    /// the next start. Writes go on meanwhile. Says whether there was anything to do.
    ///
    /// # Errors
    /// [`BackendError`]: what was on the disk before is still there.
    fn compact(&self) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Rewrites what it keeps whether that is worth it or not, so that it takes as little room as it can.
    /// Writes go on meanwhile. Says whether there is anything that it can rewrite.
    ///
    /// # Errors
    /// [`BackendError`]: what was there before still is.
    fn rewrite(&self) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Whether [`Backend::rewrite`] does anything.
    fn rewrites(&self) -> bool {
        false
    }

    /// Wishes for room for so many more records, until what is returned is dropped: they come at once, and
    /// whoever writes beside them is not to wait while a table grows step by step.
    fn room(&self, _records: usize) -> Option<Box<dyn Room + '_>> {
        None
    }

    /// What it occupies now.
    fn footprint(&self) -> Footprint;

    /// The tables of its engine, if it has one that keeps tables.
    fn lsm(&self) -> Option<LsmShape> {
        None
    }

    /// The process ends, and asks for nothing any more: removes what should not stay behind.
    fn close(&self) {}

    /// What more it can do if it is a cache; caches promise so.
    fn as_cache(&self) -> Option<&dyn Cache> {
        None
    }
}

/// Room that is kept as long as this is.
pub trait Room {}

/// A stretch of the walk in byte order of keys; its cursor is the last one.
pub(crate) fn by_key<B: Backend + ?Sized>(
    backend: &B,
    after: Option<&PageCursor>,
    limit: usize,
) -> Result<Walk<PageCursor>, BackendError> {
    let after = after
        .map(|cursor| Key::from_bytes(cursor.bytes()).map_err(|_| BackendError::BadCursor))
        .transpose()?;
    let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
    let Walk { records, next } = backend.list(from, limit)?;
    let next = next.and_then(|key| PageCursor::new(key.as_str().as_bytes()));
    Ok(Walk { records, next })
}

/// What can be said of a key without touching a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Near {
    /// Its record, or that there is none.
    Known(Option<Record>),
    /// Only [`Backend::get`] knows, and may ask a disk, unless [`Promises::reads_disk`] says that none is.
    Far,
}

/// What a backend promises. Never changes while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a promise of its own, named where it is made"
)]
pub struct Promises {
    /// Whether data outlives the process.
    pub persistent: bool,
    /// Whether it may forget records.
    pub cache: bool,
    /// Whether reads go through a tier that may miss, so that hits are worth counting.
    pub hot_tier: bool,
    /// Whether reads and walks may touch a disk.
    pub reads_disk: bool,
    /// What every commit survives when `put_batch` returns.
    pub durability: Durability,
    /// The most that a commit may ask for.
    pub best: Durability,
}

/// A commit: all of it or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commit<'a> {
    /// Records to put, each key once.
    pub records: &'a [KeyedRecord],
    /// Records that go, as they stand now: each key once, and none of those in `records`.
    pub removed: &'a [KeyedRecord],
    /// Origins whose frontier moved, and where to.
    pub moved: &'a [(Origin, Hlc)],
    /// The store's floor.
    pub floor: Hlc,
    /// What the commit must survive when it returns: at most what the backend promises as its best. Less
    /// than what it always gives asks for nothing.
    pub durability: Durability,
    /// The counts of the store with this commit: for backends that keep them for [`Index`].
    pub counts: Counts,
    /// How deadlines change with this commit, each key once: for backends that keep them for [`Index`].
    pub deadlines: &'a [DeadlineChange],
}

/// Counts of a whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live records, due or not.
    pub keys: u64,
    /// Tombstones and expired records.
    pub tombstones: u64,
    /// Bytes that all records take, by account.
    pub bytes: u64,
    /// No record's version is later.
    pub greatest: Hlc,
    /// Whether a record's version exceeds the frontier of its origin.
    pub loose: bool,
}

/// A deadline that came, went or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlineChange {
    /// The key.
    pub key: Key,
    /// The deadline of its record before.
    pub before: Option<UnixMs>,
    /// The deadline of its record now.
    pub after: Option<UnixMs>,
}

/// A stretch of a walk.
#[derive(Clone, Debug)]
pub struct Walk<C> {
    /// The records.
    pub records: Vec<KeyedRecord>,
    /// Where the walk goes on; `None` at its end.
    pub next: Option<C>,
}

/// What a backend occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes on disk; `None` on volatile backends.
    pub disk_bytes: Option<u64>,
    /// Bytes in memory, where they are not simply those of all records.
    pub memory_bytes: Option<u64>,
    /// Bytes in memory beside those of the records: tables and orders that find them.
    pub structure_bytes: u64,
    /// Live records, where the store can not count them: caches forget some.
    pub keys: Option<u64>,
    /// Tombstones and expired records, likewise.
    pub tombstones: Option<u64>,
}

/// The tables of a log-structured engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LsmShape {
    /// How many there are on each level, the newest first.
    pub tables: Vec<u64>,
    /// Memtables that are full and not yet a table.
    pub sealed_memtables: u64,
    /// Compaction runs that ended, as the engine counts them: also those that found nothing to do.
    pub compactions: u64,
}

/// What a backend had when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The frontier that its records honour.
    pub frontier: Frontier,
    /// The floor.
    pub floor: Hlc,
    /// What a store otherwise finds by reading every record; `None`: it has to.
    pub index: Option<Index>,
    /// What an operator should know: what was damaged, and where it was put.
    pub warnings: Vec<String>,
}

/// What a backend kept of [`Commit::counts`] and [`Commit::deadlines`], exactly as of the last commit
/// that it recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The counts.
    pub counts: Counts,
    /// Every deadline of a live record.
    pub deadlines: Vec<(UnixMs, Key)>,
    /// Every dead record, by the stable point from which it may be purged; `None`: they are found by a walk.
    pub graves: Option<Vec<(Hlc, Key)>>,
}

/// Why a commit was not made, and what became of it.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing of it is there, now or after a restart. The next one may work.
    #[error("nothing was committed")]
    Unchanged(#[source] BackendError),
    /// Whether it is there after a restart is not known. The backend must not be used any more.
    #[error("whether the commit is on disk is not known")]
    Unknown(#[source] BackendError),
}

impl CommitError {
    /// What went wrong, whatever became of the commit.
    pub fn into_cause(self) -> BackendError {
        match self {
            Self::Unchanged(cause) | Self::Unknown(cause) => cause,
        }
    }
}

/// Why a backend could not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The operating system said no. State on disk is as it was, unless the call says otherwise.
    #[error("{doing}")]
    Io {
        /// What was being done, and to which file.
        doing: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The engine beneath failed.
    #[error("can not {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was written by another version of this program. It is left alone.
    #[error(
        "{path} was written by another version of this program; start that one, or move the file away"
    )]
    Foreign {
        /// The file.
        path: String,
        /// The version of its format.
        version: u8,
    },
    /// The store was emptied while it was read. Nothing of what was read counts.
    #[error("the store was emptied meanwhile")]
    Emptied,
    /// The cursor was not made by this backend. Nothing was changed.
    #[error("not a cursor of this store")]
    BadCursor,
    /// What is to be written can not be encoded. Nothing was changed.
    #[error("a record can not be encoded: {0}")]
    Encode(String),
    /// The backend's thread panicked while it held a lock: its state is unknown.
    #[error("the store is poisoned")]
    Poisoned,
    /// The disk has too little room left. Nothing was changed.
    #[error("the disk is full: {free_bytes} bytes are free, and {wanted_bytes} must be")]
    DiskFull {
        /// Bytes free.
        free_bytes: u64,
        /// Bytes that must be free before more is written.
        wanted_bytes: u64,
    },
}

impl BackendError {
    /// Whether there was no room on the disk.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::DiskFull { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ),
            Self::Engine { .. }
            | Self::Foreign { .. }
            | Self::Emptied
            | Self::BadCursor
            | Self::Encode(_)
            | Self::Poisoned => false,
        }
    }
}

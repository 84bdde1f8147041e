//! The narrow trait beneath every store: keeps bytes, knows nothing.
//!
//! Versions, conditions, expiry, counts and replication live once, in [`crate::writer`]. A backend is
//! finished when it passes [`crate::conformance`].

use std::ops::Bound;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Record};

use crate::durability::Durability;

/// Keeps the records of one store. One thread writes; any thread reads meanwhile.
pub trait Backend: Send + Sync {
    /// What this backend promises.
    fn promises(&self) -> Promises;

    /// The record under `key`: live, expired or tombstone.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    fn get(&self, key: &str) -> Result<Option<Record>, BackendError>;

    /// Puts all records, and with them where the frontier moved to, or nothing of it.
    ///
    /// # Errors
    /// [`BackendError`]: whether the commit is there after a restart is then not known.
    fn put_batch(&self, commit: &Commit<'_>) -> Result<(), BackendError>;

    /// Records after `after` in any order that stays the same while writes go on; `None` starts. A
    /// record that is there throughout a walk comes exactly once.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read, or the cursor is not this backend's.
    fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError>;

    /// Records in byte order of their keys, tombstones included.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read.
    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError>;

    /// Brings everything committed to the disk, and with it `frontier`, which every record it covers
    /// has been committed for, and `floor`. Nothing to do on volatile backends.
    ///
    /// # Errors
    /// [`BackendError`]: what was on the disk before is still there.
    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError>;

    /// What it occupies now.
    fn footprint(&self) -> Footprint;
}

/// What a backend promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// Whether data outlives the process.
    pub persistent: bool,
    /// Whether it may forget records.
    pub cache: bool,
    /// What a commit survives when `put_batch` returns.
    pub durability: Durability,
}

/// A commit: all of it or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Records to put, each key once.
    pub records: &'a [KeyedRecord],
    /// Origins whose frontier moved, and where to.
    pub moved: &'a [(Origin, Hlc)],
    /// The store's floor.
    pub floor: Hlc,
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
}

/// What a backend had when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The frontier that its records honour.
    pub frontier: Frontier,
    /// The floor.
    pub floor: Hlc,
    /// What an operator should know: what was damaged, and where it was put.
    pub warnings: Vec<String>,
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
    /// The cursor was not made by this backend. Nothing was changed.
    #[error("not a cursor of this store")]
    BadCursor,
    /// What is to be written can not be encoded. Nothing was changed.
    #[error("a record can not be encoded: {0}")]
    Encode(String),
    /// The backend's thread panicked while it held a lock: its state is unknown.
    #[error("the store is poisoned")]
    Poisoned,
}

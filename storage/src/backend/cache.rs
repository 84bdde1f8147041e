//! What only a cache does: a backend that may forget, and must never bring back an older record.

use gridkv_protocol::{Hlc, Key, Record, UnixMs, Version};

use super::BackendError;

/// What only a cache does: a backend that may forget records, and must never bring back an older one.
///
/// Tombstones and expired records are kept outside of what is evicted. Of an evicted record its version
/// stays behind, as residue. Both are bounded: what is pushed out raises [`Cache::forgotten`].
pub trait Cache {
    /// What an incoming record under `key` meets, from the one thread that writes.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    fn standing(&self, key: &str) -> Result<Standing, BackendError>;

    /// Of a key that is absent, and leaves no residue, a version up to here may have been held and
    /// forgotten. Only rises.
    fn forgotten(&self) -> Hlc;

    /// Live records that it holds, without a wait: peers are told so often.
    fn keys(&self) -> u64;

    /// Records that were evicted since the last call. Of very many, some are left for the next one.
    fn take_evicted(&self) -> Vec<Evicted>;

    /// Forgets everything. [`Cache::forgotten`] is then at least `forgotten`, and at least the greatest
    /// point of all that was held.
    ///
    /// # Errors
    /// [`BackendError`] when it can not: nothing was forgotten.
    fn forget_all(&self, forgotten: Hlc) -> Result<(), BackendError>;

    /// Bytes of key, value and content type that one record may have, so that it can be kept at all.
    fn largest_record(&self) -> usize;

    /// Records evicted since it was opened, by cause.
    fn evictions(&self) -> Evictions;
}

/// What stands under a key of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that is known of.
    Absent,
    /// A record: live, expired or tombstone.
    Record(Record),
    /// A record of this version did, and was evicted.
    Residue(Version),
}

impl From<Option<Record>> for Standing {
    fn from(record: Option<Record>) -> Self {
        record.map_or(Self::Absent, Self::Record)
    }
}

impl Standing {
    /// The record, if it is there whole.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Absent | Self::Residue(_) => None,
        }
    }

    /// The version, if it is known.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Record(record) => Some(record.version),
            Self::Residue(version) => Some(*version),
            Self::Absent => None,
        }
    }
}

/// A record that a cache evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Its key.
    pub key: Key,
    /// Its deadline, if it had one.
    pub expires_at: Option<UnixMs>,
}

/// Counts of evicted records, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evictions {
    /// There was no room.
    pub size: u64,
    /// Nobody read or wrote them for the time to idle.
    pub idle: u64,
}

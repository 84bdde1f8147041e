//! Counts of keys, tombstones and bytes, kept exact by adding and removing whole records.

use std::sync::atomic::{AtomicI64, Ordering};

use gridkv_protocol::{Key, Record, State};

use crate::backend::Counts;
use crate::schedule::{deadline, ripe};
use crate::{chunk, packed};

/// Bytes of a moment in the ordered set beside its key: three words, in nodes that are little more than half
/// full when moments come in order.
const MOMENT_BYTES: usize = 54;

/// Bytes that a text behind an `Arc` takes beside its own: two counts.
const SHARED_HEAD_BYTES: usize = 16;

/// Bytes of memory that a record takes, with its key and its place in a schedule, as the allocator rounds them.
/// What finds it, the table and the order of the keys, is counted as a whole: it grows in steps.
fn bytes(key: &Key, record: &Record) -> usize {
    let is_scheduled = deadline(record).is_some() || ripe(record).is_some();
    packed::bytes(key, record) + if is_scheduled { scheduled_bytes(key) } else { 0 }
}

/// Bytes of memory that a moment of a key takes in a schedule, and its key beside it.
pub(crate) fn scheduled_bytes(key: &Key) -> usize {
    MOMENT_BYTES + chunk::bytes(SHARED_HEAD_BYTES + key.len())
}

/// A change of the counts, or the counts themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Records that are live, due or not.
    pub(crate) keys: i64,
    /// Tombstones and expired records.
    pub(crate) tombstones: i64,
    /// Bytes of all records.
    pub(crate) bytes: i64,
}

impl Account {
    /// Adds a record.
    pub(crate) fn add(&mut self, key: &Key, record: &Record) {
        self.apply(key, record, 1);
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, key: &Key, record: &Record) {
        self.apply(key, record, -1);
    }

    /// Adds another account.
    pub(crate) fn join(&mut self, other: &Self) {
        self.keys += other.keys;
        self.tombstones += other.tombstones;
        self.bytes += other.bytes;
    }

    /// The counts of a store with this account.
    pub(crate) fn counts(&self) -> Counts {
        SharedAccount::default().with(self)
    }

    /// The account of a store with these counts.
    pub(crate) fn of(counts: &Counts) -> Self {
        let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            keys: signed(counts.keys),
            tombstones: signed(counts.tombstones),
            bytes: signed(counts.bytes),
        }
    }

    fn apply(&mut self, key: &Key, record: &Record, sign: i64) {
        match &record.state {
            State::Live(_) => self.keys += sign,
            State::Expired { .. } | State::Deleted => self.tombstones += sign,
        }
        self.bytes += sign * i64::try_from(bytes(key, record)).unwrap_or(i64::MAX);
    }
}

/// The counts of a store, readable from any thread.
#[derive(Debug, Default)]
pub(crate) struct SharedAccount {
    keys: AtomicI64,
    tombstones: AtomicI64,
    bytes: AtomicI64,
}

impl SharedAccount {
    pub(crate) fn apply(&self, change: &Account) {
        self.keys.fetch_add(change.keys, Ordering::Relaxed);
        self.tombstones.fetch_add(change.tombstones, Ordering::Relaxed);
        self.bytes.fetch_add(change.bytes, Ordering::Relaxed);
    }

    /// Nothing is there any more.
    pub(crate) fn reset(&self) {
        for count in [&self.keys, &self.tombstones, &self.bytes] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// The counts as `change` will leave them.
    pub(crate) fn with(&self, change: &Account) -> Counts {
        Counts {
            keys: self.keys().saturating_add_signed(change.keys),
            tombstones: self.tombstones().saturating_add_signed(change.tombstones),
            bytes: self.bytes().saturating_add_signed(change.bytes),
            ..Counts::default()
        }
    }

    pub(crate) fn keys(&self) -> u64 {
        unsigned(&self.keys)
    }

    pub(crate) fn tombstones(&self) -> u64 {
        unsigned(&self.tombstones)
    }

    pub(crate) fn bytes(&self) -> u64 {
        unsigned(&self.bytes)
    }
}

fn unsigned(counter: &AtomicI64) -> u64 {
    u64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(0)
}

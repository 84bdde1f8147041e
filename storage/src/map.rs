//! The map under the volatile part of a store: a concurrent hash map for reads, and an ordered set of
//! its keys for walks.
//!
//! Chosen by measuring eleven structures (`make bench`, "structures"): beside a writer, reads and
//! overwrites of this pair are the fastest at ten thousand and at a million keys, and its memory stays
//! flat under overwrites and churn. The set is locked only when a key is new, and for at most
//! [`WALK_CHUNK`] keys of a walk, so a walk delays a writer by microseconds. Persistent maps, whose
//! snapshots are free, cost ten times as much per read and write at a million keys.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::RwLock;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Key, Record};

use crate::backend::{BackendError, Walk};

/// Keys taken from the ordered set under one lock, at most.
pub const WALK_CHUNK: usize = 1_000;

/// Buckets made at the start: growing a small table stalls the writer for longer than a large one.
const INITIAL_CAPACITY: usize = 1 << 14;

/// Records by key, readable from any thread while one thread writes.
pub struct RecordMap {
    records: scc::HashMap<Key, Record>,
    order: RwLock<BTreeSet<Key>>,
}

impl Default for RecordMap {
    fn default() -> Self {
        Self {
            records: scc::HashMap::with_capacity(INITIAL_CAPACITY),
            order: RwLock::new(BTreeSet::new()),
        }
    }
}

impl RecordMap {
    /// The record under `key`.
    pub fn get(&self, key: &str) -> Option<Record> {
        self.records.read_sync(key, |_, record| record.clone())
    }

    /// Puts a record. Only one thread may.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when a thread died while it held the ordered set.
    pub fn put(&self, key: &Key, record: &Record) -> Result<(), BackendError> {
        // Overwrites keep the key that is there, so that map and set share it.
        let overwritten =
            self.records.update_sync(key.as_str(), |_, standing| *standing = record.clone());
        if overwritten.is_none() {
            // The map first: a walk that meets the key in the set finds its record.
            self.records.upsert_sync(key.clone(), record.clone());
            self.order.write().map_err(|_| BackendError::Poisoned)?.insert(key.clone());
        }
        Ok(())
    }

    /// Puts records, one after the other.
    ///
    /// # Errors
    /// As for [`RecordMap::put`]: some may have been put.
    pub fn put_all(&self, records: &[KeyedRecord]) -> Result<(), BackendError> {
        records.iter().try_for_each(|keyed| self.put(&keyed.key, &keyed.record))
    }

    /// Records in byte order of their keys, from a bound, at most `limit`.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when a thread died while it held the ordered set.
    pub fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let limit = limit.clamp(1, WALK_CHUNK);
        let keys: Vec<Key> = {
            let order = self.order.read().map_err(|_| BackendError::Poisoned)?;
            order.range::<str, _>((from, Bound::Unbounded)).take(limit).cloned().collect()
        };
        let next = if keys.len() == limit { keys.last().cloned() } else { None };
        let records = keys
            .into_iter()
            .filter_map(|key| {
                let record = self.get(key.as_str())?;
                Some(KeyedRecord { key, record })
            })
            .collect();
        Ok(Walk { records, next })
    }

    /// The same walk, with cursors as peers see them: here, the last key.
    ///
    /// # Errors
    /// [`BackendError::BadCursor`] when the cursor is no key.
    pub fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        page_by_key(after, |from| self.list(from, limit))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// A walk in byte order with cursors as peers see them: here, the last key.
///
/// # Errors
/// [`BackendError::BadCursor`] when the cursor is no key, and those of `list`.
pub(crate) fn page_by_key(
    after: Option<&PageCursor>,
    list: impl FnOnce(Bound<&str>) -> Result<Walk<Key>, BackendError>,
) -> Result<Walk<PageCursor>, BackendError> {
    let after = after
        .map(|cursor| Key::from_bytes(cursor.bytes()).map_err(|_| BackendError::BadCursor))
        .transpose()?;
    let walk = list(after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str())))?;
    let next = walk.next.and_then(|key| PageCursor::new(key.as_str().as_bytes()));
    Ok(Walk { records: walk.records, next })
}

// CAVEATS: a walk is not a point in time: it sees each key once, with the record it has when the walk
// comes by. That is enough for catch-up, lists and images, because records only move forward and a
// frontier that is taken before a walk never covers what the walk missed.

//! The map under the volatile part of a store: a concurrent hash table for reads, and the order of its
//! keys for walks.
//!
//! Chosen by measuring (`make bench`, "structures"): a record is one allocation with its key, behind a
//! pointer of one word, and the order is kept in blocks of keys without what they share. The order is
//! locked only when a key is new, and for at most [`WALK_CHUNK`] keys of a walk, so a walk delays a
//! writer by microseconds. Persistent maps, whose snapshots are free, cost ten times as much per read
//! and write at a million keys.

use std::ops::Bound;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record};

use crate::backend::{BackendError, Commit, Room, Walk};
use crate::key_order::KeyOrder;
use crate::packed::Packed;

/// Keys taken from their order under one lock, at most.
pub const WALK_CHUNK: usize = 1_000;

/// Slots made at the start: growing a small table stalls the writer for longer than a large one. They
/// take memory only when they are used.
const INITIAL_CAPACITY: usize = 1 << 14;

/// Bytes of a slot of the table: a pointer, and its part of what the table keeps for 32 slots.
const SLOT_BYTES: usize = 10;

/// Slots that two records have, at most: the table grows when 13 of 16 are taken, to twice of what it
/// had or a little more.
const SLOTS_OF_TWO: usize = 5;

/// The table grows when so many of [`GROWN_OF`] slots are taken.
const GROWS_AT: usize = 13;

/// See [`GROWS_AT`].
const GROWN_OF: usize = 16;

impl Room for scc::hash_set::Reserve<'_, Packed> {}

/// Records by key, readable from any thread while one thread writes.
pub struct RecordMap {
    records: scc::HashSet<Packed>,
    order: RwLock<KeyOrder>,
    /// Bytes of table and order. Changed by the one thread that writes.
    structure_bytes: AtomicUsize,
}

impl Default for RecordMap {
    fn default() -> Self {
        Self {
            records: scc::HashSet::with_capacity(INITIAL_CAPACITY),
            order: RwLock::new(KeyOrder::default()),
            structure_bytes: AtomicUsize::new(0),
        }
    }
}

impl RecordMap {
    /// The record under `key`.
    pub fn get(&self, key: &str) -> Option<Record> {
        self.records.read_sync(key.as_bytes(), Packed::record).flatten()
    }

    /// Puts a record. Only one thread may.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when a thread died while it held the order.
    pub fn put(&self, key: &Key, record: &Record) -> Result<(), BackendError> {
        self.swap(key.as_str(), Packed::new(key, record)).map(drop)
    }

    /// Puts a record that was packed, and returns the one that stood under its key. Only one thread may.
    ///
    /// # Errors
    /// As for [`RecordMap::put`].
    pub(crate) fn exchange(&self, packed: Packed) -> Result<Option<Packed>, BackendError> {
        let same = packed.clone();
        self.swap(same.key_text(), packed)
    }

    fn swap(&self, key: &str, packed: Packed) -> Result<Option<Packed>, BackendError> {
        // The table first: a walk that meets the key in the order finds its record.
        let overwritten = self.records.replace_sync(packed);
        if overwritten.is_none() {
            let mut order = self.order.write().map_err(|_| BackendError::Poisoned)?;
            order.insert(key);
            self.measure(&order);
        }
        Ok(overwritten)
    }

    /// Makes the table large enough for so many more records, until what it returns is dropped: growing
    /// step by step looks at every record again and again.
    pub(crate) fn reserve(&self, records: usize) -> Option<impl Drop + '_> {
        self.records.reserve(records)
    }

    /// Sees to it that the table grows once at most while so many records come, beside those that are there,
    /// until what it returns is dropped. Growing moves every record that is there, and writes that come
    /// meanwhile move them: at a million records that is a fifth of a second.
    pub(crate) fn room(&self, records: usize) -> Option<impl Room + '_> {
        let count = self.order.read().map_or(0, |order| order.count());
        let slots = count.saturating_add(records) / GROWS_AT * GROWN_OF + GROWN_OF;
        self.records.reserve(slots)
    }

    /// Puts records, one after the other.
    ///
    /// # Errors
    /// As for [`RecordMap::put`]: some may have been put.
    pub fn put_all(&self, records: &[KeyedRecord]) -> Result<(), BackendError> {
        records.iter().try_for_each(|keyed| self.put(&keyed.key, &keyed.record))
    }

    /// Does what a commit says: records that go, then those that come.
    ///
    /// # Errors
    /// As for [`RecordMap::put`]: a part may have been done.
    pub(crate) fn take(&self, commit: &Commit<'_>) -> Result<(), BackendError> {
        commit.removed.iter().try_for_each(|keyed| self.remove(keyed.key.as_str()))?;
        self.put_all(commit.records)
    }

    /// Removes every record. Only one thread may.
    ///
    /// # Errors
    /// As for [`RecordMap::put`].
    pub(crate) fn clear(&self) -> Result<(), BackendError> {
        self.records.clear_sync();
        let mut order = self.order.write().map_err(|_| BackendError::Poisoned)?;
        *order = KeyOrder::default();
        self.measure(&order);
        Ok(())
    }

    /// Removes a record. Only one thread may.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when a thread died while it held the order.
    pub fn remove(&self, key: &str) -> Result<(), BackendError> {
        self.records.remove_sync(key.as_bytes());
        let mut order = self.order.write().map_err(|_| BackendError::Poisoned)?;
        order.remove(key);
        self.measure(&order);
        Ok(())
    }

    fn measure(&self, order: &KeyOrder) {
        let used = order.count().saturating_mul(SLOTS_OF_TWO) / 2;
        let slots = self.records.capacity().min(used);
        let bytes = order.bytes() + slots * SLOT_BYTES;
        self.structure_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of memory that the table and the order take, beside the records.
    pub fn structure_bytes(&self) -> u64 {
        u64::try_from(self.structure_bytes.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
    }

    /// Records in byte order of their keys, from a bound, at most `limit`.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when a thread died while it held the order.
    pub fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let limit = limit.clamp(1, WALK_CHUNK);
        let run = self.order.read().map_err(|_| BackendError::Poisoned)?.run(from, limit);
        let keys = run.list(from, limit);
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

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

// CAVEATS: a walk is not a point in time: it sees each key once, with the record it has when the walk
// comes by. That is enough for catch-up, lists and images, because records only move forward and a
// frontier that is taken before a walk never covers what the walk missed.

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Origin, State, Version};

    use super::*;

    fn put(map: &RecordMap, numbers: std::ops::Range<usize>) -> usize {
        let version =
            Version { hlc: gridkv_protocol::Hlc::from_bits(1), origin: Origin::from_bits(1) };
        let (mut slots, mut growths) = (map.records.capacity(), 0);
        for n in numbers {
            let key = Key::new(&format!("key-{n:08}")).unwrap();
            map.put(&key, &Record { version, state: State::Deleted }).unwrap();
            let now = map.records.capacity();
            growths += usize::from(now != slots);
            slots = now;
        }
        growths
    }

    #[test]
    fn a_table_with_room_grows_once_however_much_comes() {
        let (without, with) = (RecordMap::default(), RecordMap::default());
        for map in [&without, &with] {
            put(map, 0..10_000);
        }
        assert!(put(&without, 10_000..60_000) > 1, "it would grow again and again");
        let _room = with.room(50_000);
        assert!(put(&with, 10_000..60_000) <= 1);
        assert_eq!(with.len(), 60_000);
    }
}

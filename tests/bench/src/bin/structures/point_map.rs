//! The concurrent hash maps, each with its default hasher (`SipHash`, as keys come from clients).

use dashmap::DashMap;

use crate::record::{Key, Record};

/// A concurrent map without order.
pub(crate) trait PointMap: Default + Sync {
    /// Clones the record of a key.
    fn get(&self, key: &str) -> Option<Record>;

    /// Stores a record; true when the key is new.
    fn put(&self, key: Key, record: Record) -> bool;

    /// Drops a key.
    fn remove(&self, key: &str);
}

/// `DashMap`: shards under locks.
#[derive(Default)]
pub(crate) struct Dash(DashMap<Key, Record>);

impl PointMap for Dash {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    fn put(&self, key: Key, record: Record) -> bool {
        self.0.insert(key, record).is_none()
    }

    fn remove(&self, key: &str) {
        self.0.remove(key);
    }
}

/// `scc::HashMap`: a lock per bucket.
#[derive(Default)]
pub(crate) struct Scc(scc::HashMap<Key, Record>);

impl PointMap for Scc {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.read_sync(key, |_, record| record.clone())
    }

    fn put(&self, key: Key, record: Record) -> bool {
        self.0.upsert_sync(key, record).is_none()
    }

    fn remove(&self, key: &str) {
        self.0.remove_sync(key);
    }
}

/// `papaya::HashMap`: reads take no lock; old entries are reclaimed in batches.
#[derive(Default)]
pub(crate) struct Papaya(papaya::HashMap<Key, Record>);

impl PointMap for Papaya {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.pin().get(key).cloned()
    }

    fn put(&self, key: Key, record: Record) -> bool {
        self.0.pin().insert(key, record).is_none()
    }

    fn remove(&self, key: &str) {
        self.0.pin().remove(key);
    }
}

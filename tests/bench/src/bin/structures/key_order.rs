//! The ordered sets of keys that stand beside a hash map.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::PoisonError;

use crossbeam_skiplist::SkipSet;
use gridkv_storage::key_order;
use scc::Guard;

use crate::candidate::Index;
use crate::record::Key;

/// A concurrent ordered set of keys.
pub(crate) trait KeyOrder: Default + Sync {
    /// Adds a new key.
    fn add(&self, key: Key);

    /// Removes a key.
    fn remove(&self, key: &str);

    /// Up to `limit` keys after `after`.
    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key>;
}

/// The range of keys that follow `after`.
pub(crate) fn following_range(after: Option<&Key>) -> (Bound<&str>, Bound<&str>) {
    let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
    (start, Bound::Unbounded)
}

fn take_keys(keys: &BTreeSet<Key>, after: Option<&Key>, limit: usize) -> Vec<Key> {
    let mut page = Vec::with_capacity(limit);
    page.extend(keys.range::<str, _>(following_range(after)).take(limit).cloned());
    page
}

/// A B-tree under `parking_lot`'s lock, held for one page at most.
#[derive(Default)]
pub(crate) struct LockedTree(parking_lot::RwLock<BTreeSet<Key>>);

impl KeyOrder for LockedTree {
    fn add(&self, key: Key) {
        self.0.write().insert(key);
    }

    fn remove(&self, key: &str) {
        self.0.write().remove(key);
    }

    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key> {
        take_keys(&self.0.read(), after, limit)
    }
}

/// A B-tree under the standard library's lock.
#[derive(Default)]
pub(crate) struct StdLockedTree(std::sync::RwLock<BTreeSet<Key>>);

impl KeyOrder for StdLockedTree {
    fn add(&self, key: Key) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key);
    }

    fn remove(&self, key: &str) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.remove(key);
    }

    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        take_keys(&keys, after, limit)
    }
}

/// Blocks of keys without what neighbours share, under the standard library's lock.
#[derive(Default)]
pub(crate) struct LockedBlocks(std::sync::RwLock<key_order::KeyOrder>);

impl KeyOrder for LockedBlocks {
    fn add(&self, key: Key) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.as_str());
    }

    fn remove(&self, key: &str) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.remove(key);
    }

    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let run = keys.run(following_range(after).0, limit);
        drop(keys);
        run.list(following_range(after).0, limit)
    }
}

/// A lock-free skip list of keys.
#[derive(Default)]
pub(crate) struct SkipKeys(SkipSet<Key>);

impl KeyOrder for SkipKeys {
    fn add(&self, key: Key) {
        self.0.insert(key);
    }

    fn remove(&self, key: &str) {
        self.0.remove(key);
    }

    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key> {
        let mut page = Vec::with_capacity(limit);
        let range = self.0.range::<str, _>(following_range(after));
        page.extend(range.take(limit).map(|entry| entry.value().clone()));
        page
    }
}

/// A concurrent B+ tree of keys.
#[derive(Default)]
pub(crate) struct OrderedIndex(Index<()>);

impl KeyOrder for OrderedIndex {
    fn add(&self, key: Key) {
        // A key that is there already leaves the set as it is.
        drop(self.0.insert_sync(key, ()));
    }

    fn remove(&self, key: &str) {
        self.0.remove_sync(key);
    }

    fn following(&self, after: Option<&Key>, limit: usize) -> Vec<Key> {
        let mut page = Vec::with_capacity(limit);
        let guard = Guard::new();
        let range = self.0.range::<str, _>(following_range(after), &guard);
        page.extend(range.take(limit).map(|(key, ())| key.clone()));
        page
    }
}

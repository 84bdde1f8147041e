//! Ordered concurrent maps that need nothing beside them.

use crossbeam_skiplist::SkipMap;
use scc::Guard;

use crate::candidate::{Candidate, Index};
use crate::key_order::following_range;
use crate::record::{Key, Record};

/// `scc::TreeIndex`: a B+ tree whose readers take no lock.
#[derive(Default)]
pub(crate) struct Tree(Index<Record>);

impl Candidate for Tree {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.peek_with(key, |_, record| record.clone())
    }

    fn commit(&self, batch: &mut Vec<(Key, Record)>) {
        for (key, record) in batch.drain(..) {
            self.0.upsert_sync(key, record);
        }
    }

    fn remove(&self, key: &str) {
        self.0.remove_sync(key);
    }

    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>) {
        let guard = Guard::new();
        let range = self.0.range::<str, _>(following_range(after), &guard);
        out.extend(range.take(limit).map(|(k, r)| (k.clone(), r.clone())));
    }
}

/// `crossbeam_skiplist::SkipMap`: a lock-free skip list.
#[derive(Default)]
pub(crate) struct Skip(SkipMap<Key, Record>);

impl Candidate for Skip {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    fn commit(&self, batch: &mut Vec<(Key, Record)>) {
        for (key, record) in batch.drain(..) {
            self.0.insert(key, record);
        }
    }

    fn remove(&self, key: &str) {
        self.0.remove(key);
    }

    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>) {
        let range = self.0.range::<str, _>(following_range(after));
        out.extend(range.take(limit).map(|entry| (entry.key().clone(), entry.value().clone())));
    }
}

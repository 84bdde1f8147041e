//! A persistent ordered map that the writer publishes whole after every commit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;

use crate::candidate::Candidate;
use crate::key_order::following_range;
use crate::record::{Key, Record};

/// How a record lies in a leaf: inline, or behind an `Arc` so that copying a leaf is cheap.
pub(crate) trait Stored: Clone + Send + Sync {
    /// Wraps a record.
    fn store(record: Record) -> Self;

    /// Clones the record out.
    fn record(&self) -> Record;
}

impl Stored for Record {
    fn store(record: Record) -> Self {
        record
    }

    fn record(&self) -> Record {
        self.clone()
    }
}

impl Stored for Arc<Record> {
    fn store(record: Record) -> Self {
        Self::new(record)
    }

    fn record(&self) -> Record {
        Record::clone(self)
    }
}

/// The published version; a commit copies the paths it touches and swaps the root.
pub(crate) struct Persistent<V: Stored>(ArcSwap<OrdMap<Key, V>>);

impl<V: Stored> Default for Persistent<V> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(OrdMap::new()))
    }
}

impl<V: Stored> Persistent<V> {
    /// Makes the next version. One writer only: two would lose a commit.
    fn publish(&self, change: impl FnOnce(&mut OrdMap<Key, V>)) {
        let mut next = OrdMap::clone(&self.0.load());
        change(&mut next);
        self.0.store(Arc::new(next));
    }
}

impl<V: Stored> Candidate for Persistent<V> {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.load().get(key).map(V::record)
    }

    fn commit(&self, batch: &mut Vec<(Key, Record)>) {
        self.publish(|map| {
            for (key, record) in batch.drain(..) {
                map.insert(key, V::store(record));
            }
        });
    }

    fn remove(&self, key: &str) {
        self.publish(|map| {
            map.remove(key);
        });
    }

    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>) {
        let version = self.0.load_full();
        let range = version.range::<_, str>(following_range(after));
        out.extend(range.take(limit).map(|(k, v)| (k.clone(), v.record())));
    }

    fn snapshot(&self) -> Option<usize> {
        Some(self.0.load_full().len())
    }
}

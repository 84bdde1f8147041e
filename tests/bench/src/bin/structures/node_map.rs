//! The map that the node keeps its records in.

use std::ops::Bound;

use gridkv_storage::map::RecordMap;

use crate::candidate::Candidate;
use crate::record::{Key, Record};

/// What stands under the `memory` and `file` backends.
#[derive(Default)]
pub(crate) struct NodeMap(RecordMap);

impl Candidate for NodeMap {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.get(key)
    }

    fn commit(&self, batch: &mut Vec<(Key, Record)>) {
        // A put fails only after a panic, and then shows as a lost read.
        batch.drain(..).all(|(key, record)| self.0.put(&key, &record).is_ok());
    }

    fn remove(&self, key: &str) {
        // As above.
        drop(self.0.remove(key));
    }

    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>) {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
        let walk = self.0.list(from, limit).into_iter().flat_map(|walk| walk.records);
        out.extend(walk.map(|keyed| (keyed.key, keyed.record)));
    }
}

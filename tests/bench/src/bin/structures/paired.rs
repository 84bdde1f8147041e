//! A hash map for point reads with an ordered set of its keys beside it.

use crate::candidate::Candidate;
use crate::key_order::KeyOrder;
use crate::point_map::PointMap;
use crate::record::{Key, Record};

/// A map and the order of its keys; the set is touched only when a key comes or goes.
#[derive(Default)]
pub(crate) struct Paired<M, O> {
    records: M,
    order: O,
}

impl<M: PointMap, O: KeyOrder> Candidate for Paired<M, O> {
    fn get(&self, key: &str) -> Option<Record> {
        self.records.get(key)
    }

    fn commit(&self, batch: &mut Vec<(Key, Record)>) {
        for (key, record) in batch.drain(..) {
            let entry = key.clone();
            if self.records.put(key, record) {
                self.order.add(entry);
            }
        }
    }

    fn remove(&self, key: &str) {
        self.order.remove(key);
        self.records.remove(key);
    }

    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>) {
        let keys = self.order.following(after, limit);
        out.extend(keys.into_iter().filter_map(|key| {
            let record = self.records.get(key.as_str())?;
            Some((key, record))
        }));
    }
}

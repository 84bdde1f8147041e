//! A walk over the live records of a store in byte order, a stretch at a time: what snapshots are made of.
//!
//! It is no point in time: a record that is there throughout comes exactly once, as it is when the walk comes
//! by. A store that is emptied meanwhile ends the walk with an error, never as if it were at its end.

use std::ops::Bound;

use gridkv_protocol::limits::PAGE_BYTES;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Key, UnixMs};

use super::StoreReader;
use crate::backend::BackendError;
use crate::map::WALK_CHUNK;

/// Records that one call looks at, at most: a stretch of tombstones must not hold a thread for long.
const SCAN: usize = 64 * WALK_CHUNK;

/// A walk that was begun.
pub struct LiveWalk {
    reader: StoreReader,
    /// What was here when it began, so that an emptying is noticed.
    began: Frontier,
    after: Option<Key>,
    is_over: bool,
}

impl StoreReader {
    /// Begins a walk over the live records.
    pub fn live_walk(&self) -> LiveWalk {
        LiveWalk { began: self.applied(), reader: self.clone(), after: None, is_over: false }
    }
}

impl LiveWalk {
    /// The next records, of about [`PAGE_BYTES`]; there may be none although more follow. It may touch the
    /// disk.
    ///
    /// # Errors
    /// [`BackendError`] when they can not be read, or the store was emptied since the walk began.
    pub fn next_records(&mut self, now: UnixMs) -> Result<Vec<KeyedRecord>, BackendError> {
        let (mut records, mut bytes, mut scanned) = (Vec::new(), 0, 0);
        while !self.is_over && bytes < PAGE_BYTES && scanned < SCAN {
            let from =
                self.after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
            let shared = &self.reader.shared;
            let walk = shared.read(shared.backend.list(from, WALK_CHUNK))?;
            scanned += WALK_CHUNK;
            (self.is_over, self.after) = (walk.next.is_none(), walk.next);
            for keyed in walk.records {
                if bytes >= PAGE_BYTES {
                    // Where a walk is cut is no matter: it goes on after any key.
                    self.is_over = false;
                    self.after = records.last().map(|last: &KeyedRecord| last.key.clone());
                    break;
                }
                if keyed.record.live_at(now).is_some() {
                    bytes += keyed.weight();
                    records.push(keyed);
                }
            }
        }
        if self.reader.applied().covers_all(&self.began) {
            Ok(records)
        } else {
            Err(BackendError::Emptied)
        }
    }

    /// Whether there are no more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether what has this version was here when the walk began.
    pub fn began_with(&self, version: gridkv_protocol::Version) -> bool {
        self.began.covers(version)
    }
}

#[cfg(test)]
#[path = "live_walk_test.rs"]
mod tests;

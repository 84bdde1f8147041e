//! Deadlines of live records, in order: what expires next is found without looking at the rest.

use std::collections::BTreeSet;

use gridkv_protocol::{Key, Live, Record, State, UnixMs};

use crate::account::deadline_bytes;
use crate::backend::DeadlineChange;

/// The keys with a deadline, by deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeSet<(UnixMs, Key)>,
    bytes: usize,
}

impl Deadlines {
    /// Follows a change that was committed.
    pub(crate) fn follow(&mut self, DeadlineChange { key, before, after }: &DeadlineChange) {
        if let Some(at) = *before {
            self.remove(at, key);
        }
        if let Some(at) = *after {
            self.add(at, key.clone());
        }
    }

    /// Notes a deadline that was there before.
    pub(crate) fn add(&mut self, at: UnixMs, key: Key) {
        let bytes = deadline_bytes(&key);
        if self.by_time.insert((at, key)) {
            self.bytes += bytes;
        }
    }

    /// Bytes of memory that all of them take.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    /// Every deadline and its key, in order.
    pub(crate) fn into_all(self) -> impl Iterator<Item = (UnixMs, Key)> {
        self.by_time.into_iter()
    }

    /// Forgets a deadline.
    pub(crate) fn remove(&mut self, at: UnixMs, key: &Key) {
        if self.by_time.remove(&(at, key.clone())) {
            self.bytes -= deadline_bytes(key);
        }
    }

    /// Deadlines that have come, and their keys, earliest first, at most `most`.
    pub(crate) fn due(&self, now: UnixMs, most: usize) -> Vec<(UnixMs, Key)> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now);
        due.take(most).cloned().collect()
    }
}

/// The deadline of a live record.
pub(crate) fn deadline(record: &Record) -> Option<UnixMs> {
    match &record.state {
        State::Live(Live { expires_at, .. }) => *expires_at,
        State::Expired { .. } | State::Deleted => None,
    }
}

#[cfg(test)]
#[path = "deadlines_test.rs"]
mod tests;

//! Deadlines of live records, in order: what expires next is found without looking at the rest.

use std::collections::BTreeSet;

use gridkv_protocol::{Key, Live, Record, State, UnixMs};

/// The keys with a deadline, by deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeSet<(UnixMs, Key)>,
}

impl Deadlines {
    /// Follows a change of the record under `key`.
    pub(crate) fn follow(&mut self, key: &Key, before: Option<&Record>, after: &Record) {
        let (before, after) = (before.and_then(deadline), deadline(after));
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.by_time.remove(&(at, key.clone()));
        }
        if let Some(at) = after {
            self.by_time.insert((at, key.clone()));
        }
    }

    /// Keys whose deadline has come, earliest first, at most `most`.
    pub(crate) fn due(&self, now: UnixMs, most: usize) -> Vec<Key> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now);
        due.take(most).map(|(_, key)| key.clone()).collect()
    }
}

fn deadline(record: &Record) -> Option<UnixMs> {
    match &record.state {
        State::Live(Live { expires_at, .. }) => *expires_at,
        State::Expired { .. } | State::Deleted => None,
    }
}

#[cfg(test)]
#[path = "deadlines_test.rs"]
mod tests;

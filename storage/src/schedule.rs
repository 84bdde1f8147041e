//! Keys by the moment at which something is to be done with their records: what comes next is found without
//! looking at the rest.
//!
//! Two kinds of moments: the deadline of a live record, and the point from which a dead one may be purged.

use std::collections::BTreeSet;

use gridkv_protocol::{Hlc, Key, Live, Record, State, UnixMs};

use crate::account::scheduled_bytes;
use crate::pending::{Change, Pending};

/// Keys in the order of their moments.
#[derive(Debug)]
pub(crate) struct Schedule<At> {
    by_time: BTreeSet<(At, Key)>,
    bytes: usize,
}

/// Live records by their deadlines.
pub(crate) type Deadlines = Schedule<UnixMs>;

/// Tombstones and expired records by the stable point at which nobody needs them any more.
pub(crate) type Graveyard = Schedule<Hlc>;

impl<At> Default for Schedule<At> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), bytes: 0 }
    }
}

impl<At: Copy + Ord> Schedule<At> {
    /// Follows a change that was committed.
    pub(crate) fn follow(&mut self, key: &Key, before: Option<At>, after: Option<At>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.remove(at, key);
        }
        if let Some(at) = after {
            self.add(at, key.clone());
        }
    }

    /// Notes a moment that was there before.
    pub(crate) fn add(&mut self, at: At, key: Key) {
        let bytes = scheduled_bytes(&key);
        if self.by_time.insert((at, key)) {
            self.bytes += bytes;
        }
    }

    /// Bytes of memory that all of them take.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    /// Every moment and its key, in order.
    pub(crate) fn into_all(self) -> impl Iterator<Item = (At, Key)> {
        self.by_time.into_iter()
    }

    /// Forgets a moment.
    pub(crate) fn remove(&mut self, at: At, key: &Key) {
        if self.by_time.remove(&(at, key.clone())) {
            self.bytes -= scheduled_bytes(key);
        }
    }

    /// Moments that have come, and their keys, earliest first, at most `most`.
    pub(crate) fn due(&self, now: At, most: usize) -> Vec<(At, Key)> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now);
        due.take(most).cloned().collect()
    }
}

impl<At: Copy + Ord> FromIterator<(At, Key)> for Schedule<At> {
    fn from_iter<I: IntoIterator<Item = (At, Key)>>(moments: I) -> Self {
        let mut schedule = Self::default();
        for (at, key) in moments {
            schedule.add(at, key);
        }
        schedule
    }
}

/// Lets the schedules follow what was committed. Returns the bytes that they take.
pub(crate) fn follow(
    pending: &Pending,
    deadlines: &mut Deadlines,
    mut graves: Option<&mut Graveyard>,
) -> u64 {
    for Change { key, before, after } in pending.changes() {
        deadlines.follow(key, before.and_then(deadline), after.and_then(deadline));
        if let Some(graves) = &mut graves {
            graves.follow(key, before.and_then(ripe), after.and_then(ripe));
        }
    }
    deadlines.bytes().saturating_add(graves.map_or(0, |graves| graves.bytes()))
}

/// The deadline of a live record.
pub(crate) fn deadline(record: &Record) -> Option<UnixMs> {
    match &record.state {
        State::Live(Live { expires_at, .. }) => *expires_at,
        State::Expired { .. } | State::Deleted => None,
    }
}

/// The stable point from which a dead record may be purged: its version's, and for an expired one also its
/// deadline's, because until then others may hold it alive.
pub(crate) fn ripe(record: &Record) -> Option<Hlc> {
    match &record.state {
        State::Live(_) => None,
        State::Expired { expires_at } => Some(record.version.hlc.max(Hlc::end_of(*expires_at))),
        State::Deleted => Some(record.version.hlc),
    }
}

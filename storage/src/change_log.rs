//! The last changes of a store, in the order in which they were committed, for whoever follows it.
//!
//! Each commit adds the keys whose record it changed, whoever wrote them: clients, peers, a catch-up page, a
//! deadline. Of a key that changes more than once in one commit only the last change is here: nobody could see
//! the others. Values are not kept: who wants one reads it, and gets the newest. A full log drops its oldest
//! change; who has not read it by then is told, and can not miss it in silence.
//!
//! The writer holds the lock for as long as it takes to append a commit, a reader for as long as it takes to
//! copy [`READ_AT_ONCE`] changes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gridkv_protocol::{Key, Origin, Record, State, UnixMs, Version};

use crate::pending::Change;

/// Changes that one read looks at, at most: it holds a lock that the writer waits for.
pub const READ_AT_ONCE: usize = 256;

/// Changes of one store.
#[derive(Debug)]
pub struct ChangeLog {
    /// In which run of which node they were committed.
    run: Origin,
    capacity: usize,
    state: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    /// The number of the first change that is here, or that comes next.
    first: u64,
    changes: VecDeque<LoggedChange>,
}

/// What became of a key. Numbers are those of one store in one run of its node, without gaps, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its number.
    pub number: u64,
    /// The key.
    pub key: Key,
    /// The version of the record that says so; of a record that went without a trace, its own.
    pub version: Version,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It has a value.
    Put {
        /// Bytes of the value.
        size: usize,
        /// When it goes by itself.
        expires_at: Option<UnixMs>,
    },
    /// It was deleted.
    Delete,
    /// Its deadline passed.
    Expire,
}

/// A place in the log: after the change with this number. It means nothing in another run, or on another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangePlace {
    /// The run.
    pub run: Origin,
    /// The number of the last change that was read; 0 before the first.
    pub number: u64,
}

/// Changes that follow a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadChanges {
    /// They, in order.
    pub changes: Vec<LoggedChange>,
    /// Where to go on.
    pub place: ChangePlace,
    /// Whether more follow already.
    pub more: bool,
}

/// Changes after the place asked for are not here any more, or never were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("changes after this place are not known any more")]
pub struct Truncated {
    /// The first place that can be gone on from.
    pub oldest: ChangePlace,
}

impl ChangeLog {
    /// A log of at most `capacity` changes, at least one. `whole`: the store is empty, so the log begins with
    /// its first change.
    pub(crate) fn new(run: Origin, capacity: usize, whole: bool) -> Self {
        let first = if whole { 1 } else { 2 }; // what was here before has no change of its own
        let log = Log { first, changes: VecDeque::new() };
        Self { run, capacity: capacity.max(1), state: Mutex::new(log) }
    }

    /// Appends what a commit changed.
    pub(crate) fn append<'a>(&self, changes: impl Iterator<Item = Change<'a>>) {
        let mut log = self.log();
        for Change { key, before, after } in changes {
            let Some((version, kind)) = kind(before, after) else { continue };
            if log.changes.len() == self.capacity {
                log.changes.pop_front();
                log.first += 1;
            }
            let number = log.next();
            log.changes.push_back(LoggedChange { number, key: key.clone(), version, kind });
        }
    }

    /// The store lost what it had without a change for each key: who follows it has to begin anew.
    pub(crate) fn cut(&self) {
        let mut log = self.log();
        log.first = log.next() + 1;
        log.changes.clear();
    }

    /// Changes that are here, and that can be at most.
    pub fn fill(&self) -> (usize, usize) {
        (self.log().changes.len(), self.capacity)
    }

    /// The place after the last change.
    pub fn end(&self) -> ChangePlace {
        ChangePlace { run: self.run, number: self.log().next() - 1 }
    }

    /// The place before the store's first change in this run.
    pub fn start(&self) -> ChangePlace {
        ChangePlace { run: self.run, number: 0 }
    }

    /// Changes that follow `place` and whose key `is_wanted`, of the next [`READ_AT_ONCE`].
    ///
    /// # Errors
    /// [`Truncated`] when some that follow it are not here.
    pub fn read(
        &self,
        place: ChangePlace,
        is_wanted: impl Fn(&Key) -> bool,
    ) -> Result<ReadChanges, Truncated> {
        let log = self.log();
        let oldest = ChangePlace { run: self.run, number: log.first - 1 };
        let next = log.next();
        if place.run != self.run || place.number < oldest.number || place.number >= next {
            return Err(Truncated { oldest });
        }
        let skipped = usize::try_from(place.number - oldest.number).unwrap_or(usize::MAX);
        let looked_at = log.changes.iter().skip(skipped).take(READ_AT_ONCE);
        let last = looked_at.clone().next_back();
        let number = last.map_or(place.number, |change| change.number);
        let changes = looked_at.filter(|change| is_wanted(&change.key)).cloned().collect();
        let place = ChangePlace { number, ..place };
        Ok(ReadChanges { changes, place, more: number + 1 < next })
    }

    /// Shows the keys of all changes after the one with this number. Says the number of the last, and whether all
    /// were still here.
    pub fn keys_after(&self, number: u64, mut show: impl FnMut(&Key)) -> (u64, bool) {
        let log = self.log();
        let skipped = (number + 1).saturating_sub(log.first);
        let fresh = log.changes.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
        fresh.for_each(|change| show(&change.key));
        (log.next() - 1, number + 1 >= log.first)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// The number of the change that comes next.
    fn next(&self) -> u64 {
        self.first + u64::try_from(self.changes.len()).unwrap_or(u64::MAX)
    }
}

/// What a commit did to a key, as who follows the store sees it; `None` for what nobody sees.
fn kind(before: Option<&Record>, after: Option<&Record>) -> Option<(Version, ChangeKind)> {
    let is_live = |record: &&Record| matches!(record.state, State::Live(_));
    match (before, after) {
        (_, Some(Record { version, state })) => Some((
            *version,
            match state {
                State::Live(live) => {
                    ChangeKind::Put { size: live.value.len(), expires_at: live.expires_at }
                }
                State::Deleted => ChangeKind::Delete,
                State::Expired { .. } => ChangeKind::Expire,
            },
        )),
        // A donor has it no more: it was deleted, and that forgotten.
        (before, None) => before.filter(is_live).map(|record| (record.version, ChangeKind::Delete)),
    }
}

#[cfg(test)]
#[path = "change_log_test.rs"]
mod tests;

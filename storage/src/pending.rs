//! What was admitted and is not committed yet: the next commit of a store.

use std::collections::HashMap;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Hlc, Key, Origin, Record, Version};

use crate::account::Account;
use crate::backend::DeadlineChange;
use crate::schedule::deadline;

/// Records among which one is found by looking at each: up to here that is cheaper than hashing keys.
const SCANNED: usize = 8;

/// The next commit. What it changes beside records waits here too, so that a commit that is not made
/// changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    records: Vec<KeyedRecord>,
    /// What stands under the key of each of them until the commit.
    before: Vec<Option<Record>>,
    /// Records that go with the commit.
    removed: Vec<KeyedRecord>,
    /// Where each key's record is, once there are more than [`SCANNED`].
    places: HashMap<Key, usize>,
    moved: Vec<(Origin, Hlc)>,
    logged: Vec<LoggedOp>,
    account: Account,
    deadlines: Vec<DeadlineChange>,
    loosened: Vec<Loosened>,
    greatest: Hlc,
    counted: Counted,
    /// Changes that were admitted, of one key also several.
    admitted: u64,
}

/// What a commit does to a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) key: &'a Key,
    pub(crate) before: Option<&'a Record>,
    pub(crate) after: Option<&'a Record>,
}

/// What is counted once it is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) put: u64,
    pub(crate) delete: u64,
    pub(crate) touch: u64,
    pub(crate) expired: u64,
    pub(crate) purged: u64,
    pub(crate) applied: u64,
    pub(crate) stale: u64,
    pub(crate) duplicate: u64,
    pub(crate) collision: u64,
    pub(crate) conflict_remote_won: u64,
    pub(crate) conflict_local_won: u64,
}

/// What a commit does to the set of loose records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loosened {
    /// A record of this version is held.
    Held(Version),
    /// The record of this version is gone.
    Released(Version),
}

impl Pending {
    /// The record that the next commit will put under `key`, if it will.
    pub(crate) fn get(&self, key: &Key) -> Option<&Record> {
        self.place(key).and_then(|at| self.records.get(at)).map(|keyed| &keyed.record)
    }

    fn place(&self, key: &Key) -> Option<usize> {
        if self.records.len() <= SCANNED {
            self.records.iter().position(|keyed| keyed.key == *key)
        } else {
            self.places.get(key).copied()
        }
    }

    /// Puts a record in place of `before`, which stood under its key until now.
    pub(crate) fn put(&mut self, keyed: KeyedRecord, before: Option<&Record>) {
        if let Some(before) = before {
            self.account.remove(&keyed.key, before);
        }
        self.account.add(&keyed.key, &keyed.record);
        self.admitted += 1;
        self.greatest = self.greatest.max(keyed.record.version.hlc);
        if let Some(earlier) = self.place(&keyed.key).and_then(|at| self.records.get_mut(at)) {
            *earlier = keyed;
        } else {
            self.before.push(before.cloned());
            self.append(keyed);
        }
    }

    /// Lets a record go that stands under its key, and that no record of this commit replaces.
    pub(crate) fn remove(&mut self, keyed: KeyedRecord) {
        self.account.remove(&keyed.key, &keyed.record);
        self.admitted += 1;
        self.removed.push(keyed);
    }

    /// Whether any record changes.
    pub(crate) fn changes_records(&self) -> bool {
        !(self.records.is_empty() && self.removed.is_empty())
    }

    /// Every key whose record changes: what stands under it until the commit, and what from then on.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let put = self.records.iter().zip(&self.before);
        let put = put.map(|(keyed, before)| Change {
            key: &keyed.key,
            before: before.as_ref(),
            after: Some(&keyed.record),
        });
        let gone = self.removed.iter().map(|KeyedRecord { key, record }| (key, Some(record), None));
        put.chain(gone.map(|(key, before, after)| Change { key, before, after }))
    }

    fn append(&mut self, keyed: KeyedRecord) {
        self.records.push(keyed);
        if self.records.len() > SCANNED {
            let indexed = self.places.len();
            let rest = self.records.iter().enumerate().skip(indexed);
            self.places.extend(rest.map(|(at, keyed)| (keyed.key.clone(), at)));
        }
    }

    /// Notes that an origin's frontier moves to `upto` with this commit.
    pub(crate) fn moves(&mut self, origin: Origin, upto: Hlc) {
        match self.moved.iter_mut().find(|(moved, _)| *moved == origin) {
            Some((_, at)) => *at = upto.max(*at),
            None => self.moved.push((origin, upto)),
        }
    }

    /// Notes what the commit does to the set of loose records.
    pub(crate) fn loosens(&mut self, change: Loosened) {
        self.loosened.push(change);
    }

    pub(crate) fn take_counted(&mut self) -> Counted {
        std::mem::take(&mut self.counted)
    }

    /// What is counted with the commit.
    pub(crate) fn counted(&mut self) -> &mut Counted {
        &mut self.counted
    }

    pub(crate) fn loosens_any(&self) -> bool {
        !self.loosened.is_empty()
    }

    /// Versions that the commit adds to the set of loose records.
    pub(crate) fn held_loose(&self) -> impl Iterator<Item = Version> + '_ {
        self.loosened.iter().filter_map(|change| match change {
            Loosened::Held(version) => Some(*version),
            Loosened::Released(_) => None,
        })
    }

    pub(crate) fn take_loosened(&mut self) -> std::vec::Drain<'_, Loosened> {
        self.loosened.drain(..)
    }

    /// Finds out how the commit, as it is now, changes deadlines.
    pub(crate) fn settle_deadlines(&mut self) {
        let mut deadlines = std::mem::take(&mut self.deadlines);
        deadlines.clear();
        deadlines.extend(self.changes().filter_map(|Change { key, before, after }| {
            let (before, after) = (before.and_then(deadline), after.and_then(deadline));
            (before != after).then(|| DeadlineChange { key: key.clone(), before, after })
        }));
        self.deadlines = deadlines;
    }

    /// What [`Pending::settle_deadlines`] found.
    pub(crate) fn deadlines(&self) -> &[DeadlineChange] {
        &self.deadlines
    }

    /// The greatest point of its records.
    pub(crate) fn greatest(&self) -> Hlc {
        self.greatest
    }

    /// Adds an op to publish once it is committed.
    pub(crate) fn log(&mut self, op: LoggedOp) {
        self.logged.push(op);
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.changes_records() && self.moved.is_empty()
    }

    /// Changes that were admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.admitted
    }

    pub(crate) fn removed(&self) -> &[KeyedRecord] {
        &self.removed
    }

    pub(crate) fn records(&self) -> &[KeyedRecord] {
        &self.records
    }

    pub(crate) fn moved(&self) -> &[(Origin, Hlc)] {
        &self.moved
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn take_logged(&mut self) -> std::vec::Drain<'_, LoggedOp> {
        self.logged.drain(..)
    }

    /// Empties it for the next commit, and keeps its buffers.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.places.clear();
        self.moved.clear();
        self.logged.clear();
        self.before.clear();
        self.removed.clear();
        self.deadlines.clear();
        self.loosened.clear();
        self.greatest = Hlc::ZERO;
        self.counted = Counted::default();
        self.admitted = 0;
        self.account = Account::default();
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{State, Version};

    use super::*;

    fn deleted(key: usize, hlc: u64) -> KeyedRecord {
        let version = Version { hlc: Hlc::from_bits(hlc), origin: Origin::from_bits(1) };
        let key = Key::new(&key.to_string()).unwrap();
        KeyedRecord { key, record: Record { version, state: State::Deleted } }
    }

    #[test]
    fn the_last_record_of_each_key_is_found_in_commits_of_any_size() {
        let mut pending = Pending::default();
        for size in [1, SCANNED, SCANNED + 1, 4 * SCANNED, 2] {
            for (hlc, key) in (0..size).chain(0..size).enumerate() {
                let keyed = deleted(key, hlc as u64);
                let before = pending.get(&keyed.key).cloned();
                pending.put(keyed, before.as_ref());
            }
            assert_eq!(pending.records().len(), size);
            assert_eq!(pending.admitted(), 2 * size as u64, "of one key also several");
            for key in 0..size {
                let keyed = deleted(key, (size + key) as u64);
                assert_eq!(pending.get(&keyed.key), Some(&keyed.record), "{key} of {size}");
            }
            assert_eq!(pending.get(&deleted(size, 0).key), None);
            assert_eq!(usize::try_from(pending.account().tombstones), Ok(size));
            pending.clear();
            assert!(pending.is_empty() && pending.get(&deleted(0, 0).key).is_none());
        }
    }
}

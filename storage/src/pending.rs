//! What was admitted and is not committed yet: the next commit of a store.

use std::collections::HashMap;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Hlc, Key, Origin, Record};

use crate::account::Account;

/// Records among which one is found by looking at each: up to here that is cheaper than hashing keys.
const SCANNED: usize = 8;

/// The next commit.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    records: Vec<KeyedRecord>,
    /// Where each key's record is, once there are more than [`SCANNED`].
    places: HashMap<Key, usize>,
    moved: Vec<(Origin, Hlc)>,
    logged: Vec<LoggedOp>,
    account: Account,
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
        match self.place(&keyed.key).and_then(|at| self.records.get_mut(at)) {
            Some(earlier) => *earlier = keyed,
            None => self.append(keyed),
        }
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

    /// Adds an op to publish once it is committed.
    pub(crate) fn log(&mut self, op: LoggedOp) {
        self.logged.push(op);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.moved.is_empty()
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

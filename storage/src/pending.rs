//! What was admitted and is not committed yet: the next commit of a store.

use std::collections::HashMap;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Hlc, Key, Origin, Record};

use crate::account::Account;

/// The next commit.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    records: Vec<KeyedRecord>,
    by_key: HashMap<Key, usize>,
    moved: Vec<(Origin, Hlc)>,
    logged: Vec<LoggedOp>,
    account: Account,
}

impl Pending {
    /// The record that the next commit will put under `key`, if it will.
    pub(crate) fn get(&self, key: &Key) -> Option<&Record> {
        if self.records.is_empty() {
            return None;
        }
        self.by_key.get(key).and_then(|at| self.records.get(*at)).map(|keyed| &keyed.record)
    }

    /// Puts a record in place of `before`, which stood under its key until now.
    pub(crate) fn put(&mut self, keyed: KeyedRecord, before: Option<&Record>) {
        if let Some(before) = before {
            self.account.remove(&keyed.key, before);
        }
        self.account.add(&keyed.key, &keyed.record);
        if let Some(earlier) = self.by_key.get(&keyed.key).and_then(|at| self.records.get_mut(*at))
        {
            *earlier = keyed;
        } else {
            self.by_key.insert(keyed.key.clone(), self.records.len());
            self.records.push(keyed);
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
        self.by_key.clear();
        self.moved.clear();
        self.logged.clear();
        self.account = Account::default();
    }
}

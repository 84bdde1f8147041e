//! What a store knows of its records besides themselves: counts, deadlines, how late they are.
//!
//! It is kept while records are read, so that they need not be read a second time.

use std::collections::BTreeMap;

use gridkv_protocol::{Frontier, Hlc, Key, Origin, Record};

use crate::account::Account;
use crate::backend::{Counts, Index};
use crate::schedule::{Deadlines, Graveyard, deadline, ripe};

/// Counts and deadlines of records.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    account: Account,
    deadlines: Deadlines,
    graves: Graveyard,
    /// The latest version of each origin.
    latest: BTreeMap<Origin, Hlc>,
}

impl Tally {
    /// Notes a record that is held.
    pub(crate) fn hold(&mut self, key: &Key, record: &Record) {
        self.account.add(key, record);
        if let Some(at) = deadline(record) {
            self.deadlines.add(at, key.clone());
        }
        if let Some(at) = ripe(record) {
            self.graves.add(at, key.clone());
        }
        let latest = self.latest.entry(record.version.origin).or_default();
        *latest = record.version.hlc.max(*latest);
    }

    /// Notes that a record, noted before, is not held, and what is held under its key instead.
    pub(crate) fn release(&mut self, key: &Key, gone: &Record, held: Option<&Record>) {
        self.account.remove(key, gone);
        // Both may have the same deadline, which is noted once.
        let before = deadline(gone);
        if let Some(at) = before.filter(|_| before != held.and_then(deadline)) {
            self.deadlines.remove(at, key);
        }
        let grave = ripe(gone);
        if let Some(at) = grave.filter(|_| grave != held.and_then(ripe)) {
            self.graves.remove(at, key);
        }
    }

    /// Adds what another one noted.
    pub(crate) fn join(&mut self, other: Self) {
        let Self { account, deadlines, graves, latest } = other;
        self.account.join(&account);
        for (at, key) in deadlines.into_all() {
            self.deadlines.add(at, key);
        }
        for (at, key) in graves.into_all() {
            self.graves.add(at, key);
        }
        for (origin, hlc) in latest {
            let latest = self.latest.entry(origin).or_default();
            *latest = hlc.max(*latest);
        }
    }

    /// What it amounts to, for a store that honours `frontier`. A record that was replaced since may
    /// make it say that some are loose.
    pub(crate) fn into_index(self, frontier: &Frontier) -> Index {
        let loose = self.latest.iter().any(|(origin, hlc)| *hlc > frontier.get(*origin));
        let greatest = self.latest.values().copied().max().unwrap_or_default();
        let counts = Counts { greatest, loose, ..self.account.counts() };
        let graves = Some(self.graves.into_all().collect());
        Index { counts, deadlines: self.deadlines.into_all().collect(), graves }
    }
}

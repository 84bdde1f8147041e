//! Letting the oracles look at what a turn of a process changed.

use gridkv_protocol::{Frontier, Hlc, Version};

use super::World;
use super::machine::Past;
use crate::network::At;
use crate::node::StoreEnd;
use crate::oracle::{self, Sight, digest};

impl World {
    /// Looks at the main store of a machine, if there was a commit since the last look.
    pub(super) fn watch(&mut self, at: At) {
        let Some(machine) = self.machines.get_mut(at) else { return };
        let Some(process) = machine.process.as_ref() else { return };
        let Some(store) = process.store(0) else { return };
        let mut platter = machine.disk.platter();
        if platter.commits() == machine.seen {
            return;
        }
        machine.seen = platter.commits();
        // Of what a process was started with all is looked at.
        let is_first = !self.memory.of(0, at).up;
        let started_with: Vec<Version> = if is_first && machine.past == Past::Backup {
            platter.readable().values().map(|record| record.version).collect()
        } else {
            Vec::new()
        };
        let (touched, gone) = (platter.take_touched(), platter.take_gone());
        let emptied = platter.take_emptied();
        let (physical, applied) = (process.now(), store.reader().applied());
        let sight = Sight {
            at,
            own: process.origin(),
            physical,
            limit: Hlc::end_of(physical.plus(self.scenario.settings.max_clock_skew)),
            applied: &applied,
            held: platter.readable(),
            touched: &touched,
            gone: &gone,
            reader: store.reader(),
        };
        let Some(history) = self.histories.store_mut(0) else { return };
        if emptied {
            history.lose(at, None, |_| false); // an operator wanted it: its peers have all of it
        }
        let known = self.memory.of(0, at);
        if emptied {
            known.highest.clear();
            known.acked.clear();
            known.read.clear();
        }
        let had = known.applied != applied;
        let (proof, floor) = (store.reader().proof(), store.reader().floor());
        let verdict = oracle::committed(&sight, known, history);
        known.up = true;
        drop(platter);
        if let Err(violation) = verdict {
            self.failure.get_or_insert(violation);
        }
        let put: Vec<Version> = touched.iter().map(|touch| touch.record.version).collect();
        for touch in touched {
            let at_key = touch.key.as_str().to_owned();
            self.note(|_| format!("n{at} has {at_key}@{}", touch.record.version));
        }
        for touch in gone {
            let at_key = touch.key.as_str().to_owned();
            self.note(|_| format!("n{at} lets {at_key}@{} go", touch.record.version));
        }
        self.roots.purged(floor);
        self.contest(at, started_with.into_iter().chain(put));
        if had && !self.contested && self.roots.must_agree(&applied) {
            let said = proof.map_or(Ok(()), |proof| self.roots.said(at, proof));
            self.demand(digest::NAME, said);
            self.compare(at);
        }
    }

    /// Compares a machine with all that have the same frontier.
    fn compare(&mut self, at: At) {
        let Some((_, mine)) = self.memory.all(0).find(|(other, _)| *other == at) else { return };
        let level =
            |known: &oracle::Known| known.up && known.settled && known.applied == mine.applied;
        if !level(mine) {
            return;
        }
        let others: Vec<At> = self
            .memory
            .all(0)
            .filter(|(other, known)| *other != at && level(known))
            .map(|(other, _)| other)
            .collect();
        let low_water = mine.applied.low_water().physical();
        for other in others {
            let disks = (self.machines.get(at), self.machines.get(other));
            let (Some(a), Some(b)) = disks else { continue };
            let (a, b) = (a.disk.platter(), b.disk.platter());
            let verdict = digest::same((at, a.readable()), (other, b.readable()), low_water);
            drop((a, b));
            self.demand(digest::NAME, verdict);
        }
    }

    /// The process of a machine ends: what it said of its disk is remembered.
    pub(super) fn remember_claims(&mut self, at: At) {
        let machine = self.machines.get(at);
        let store = machine.and_then(|m| m.process.as_ref()).and_then(|process| process.store(0));
        let Some(reader) = store.map(StoreEnd::reader) else { return };
        let known = self.memory.of(0, at);
        known.claimed =
            if reader.promises().persistent { reader.durable() } else { Frontier::default() };
    }
}

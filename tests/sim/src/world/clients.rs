//! What clients do: they write, delete, let values expire, ask for peers, and read.

use gridkv_protocol::{Key, Live, State, UnixMs, Value};
use gridkv_storage::durability::Durability;
use gridkv_storage::write::{Action, Condition, Matcher, Ttl, Write, Written};

use super::{Event, World};
use crate::history::{Fact, Request};
use crate::network::At;
use crate::node::{Process, StoreAt};
use crate::oracle::{cache, expiry, fence, frontier, session, version};
use crate::sim_clock::true_time;

/// The longest that a value with a deadline lives, in milliseconds.
const LONGEST_TTL_MS: u64 = 2_500;

impl World {
    /// A client turns up somewhere.
    pub(super) fn client(&mut self) {
        if self.healed_at.is_some() {
            return;
        }
        let next = 1 + self.dice.below(2 * self.scenario.client_every);
        self.arrange(self.now + next, Event::Client);
        let at = self.dice.index(self.machines.len());
        let store = usize::from(self.scenario.cache && self.dice.chance(400));
        // Now and then somebody writes more than a ring holds.
        let burst = if self.dice.chance(20) { 20 } else { 1 };
        for _ in 0..burst {
            if self.dice.chance(250) {
                self.reads(at, store);
            } else {
                self.writes(at, store);
            }
            self.act(at);
        }
    }

    fn key(&mut self) -> Option<Key> {
        Key::new(&format!("k{}", self.dice.below(self.scenario.keys))).ok()
    }

    fn draw(&mut self) -> Option<Write> {
        let key = self.key()?;
        let action = match self.dice.below(100) {
            0..28 => Action::Delete,
            28..32 => Action::Touch { ttl: Ttl::Ms(self.dice.between(50, LONGEST_TTL_MS)) },
            rest => {
                self.tickets += 1;
                let ttl = if rest < 52 {
                    Ttl::Ms(self.dice.between(1, LONGEST_TTL_MS))
                } else {
                    Ttl::Unlimited
                };
                let value = Value::copied(&self.tickets.to_be_bytes());
                Action::Put { value, content_type: None, ttl }
            }
        };
        let condition = match self.dice.below(20) {
            0 => Condition { if_match: Some(Matcher::Any), ..Condition::default() },
            1 => Condition { if_none_match: Some(Matcher::Any), ..Condition::default() },
            _ => Condition::default(),
        };
        Some(Write { key, action, condition })
    }

    fn writes(&mut self, at: At, store: StoreAt) {
        let count = if self.dice.chance(100) { self.dice.between(2, 4) } else { 1 };
        let writes: Vec<Write> = (0..count).filter_map(|_| self.draw()).collect();
        let durability = self.dice.chance(80).then_some(Durability::Fsync);
        let acks = if self.dice.chance(200) { 1 + self.dice.index(2) } else { 0 };
        self.tickets += 1;
        let ticket = self.tickets;
        if self.is_superseded(at) {
            return;
        }
        let Some(machine) = self.machines.get_mut(at).filter(|m| m.is_awake(self.now)) else {
            return;
        };
        let (moment, run) = (machine.clock.at(self.now), machine.run);
        let Some(process) = machine.process.as_mut() else { return };
        process.pass(moment);
        let Ok(written) = process.write(store, ticket, writes.clone(), (durability, acks)) else {
            return;
        };
        self.counts.operations += 1;
        let keys = writes.iter().map(|write| write.key.clone());
        let minted = keys.zip(written.iter().map(|written| written.version)).collect();
        self.note(|_| {
            let all = writes.iter().zip(&written);
            let all = all.map(|(write, written)| {
                format!("{} {:?} -> {}", write.key.as_str(), write.action, written.version)
            });
            let all = all.collect::<Vec<_>>().join(", ");
            format!("n{at} client {ticket} writes to store {store}, {acks} peers: {all}")
        });
        self.histories.asked(ticket, store, Request { at, run, written: minted });
        for (write, written) in writes.into_iter().zip(written) {
            self.minted((at, store), write, &written);
        }
    }

    fn minted(&mut self, (at, store): (At, StoreAt), write: Write, written: &Written) {
        let state = match write.action {
            Action::Put { value, content_type, .. } => {
                Some(State::Live(Live { value, content_type, expires_at: written.expires_at }))
            }
            Action::Delete => Some(State::Deleted),
            Action::Touch { .. } => None,
        };
        let (Some(history), Some(machine)) =
            (self.histories.store_mut(store), self.machines.get(at))
        else {
            return;
        };
        let platter = machine.disk.platter();
        let empty = std::collections::BTreeMap::new();
        let held = if store == 0 { platter.readable() } else { &empty };
        let verdict = version::minted(history, held, written.version);
        drop(platter);
        let honest = frontier::minted(&self.memory, store, &write.key, written.version);
        history.minted(written.version, Fact { key: write.key, state });
        self.doubt((at, store), written.version);
        let Some(machine) = self.machines.get(at) else { return };
        let fenced = machine.process.as_ref().is_some_and(Process::is_fenced);
        self.demand(version::NAME, verdict);
        self.demand(frontier::NAME, honest);
        self.demand(fence::NAME, fence::minted(at, fenced));
    }

    fn reads(&mut self, at: At, store: StoreAt) {
        let Some(key) = self.key() else { return };
        let Some(machine) = self.machines.get_mut(at).filter(|m| m.is_awake(self.now)) else {
            return;
        };
        let moment = machine.clock.at(self.now);
        let Some(process) = machine.process.as_mut() else { return };
        process.pass(moment);
        let Some(end) = process.store(store).filter(|_| process.serves(store)) else { return };
        let Ok(read) = end.reader().get(&key, process.now()) else { return };
        self.counts.operations += 1;
        let off = process.now().0.abs_diff(true_time(self.now).0);
        let held = machine.disk.platter().readable().get(&key).cloned();
        let applied = end.reader().applied();
        let known = self.memory.of(store, at);
        if store == 1 {
            let (Some(record), Some(history)) = (&read, self.histories.store(store)) else {
                return;
            };
            let verdict = cache::read(known, history, &applied, (at, &key), record);
            self.demand(cache::NAME, verdict);
            return;
        }
        let Some(history) = self.histories.store(store) else { return };
        let found = (read.as_ref(), held.as_ref());
        let verdict = session::read(known, history, (at, &key), found);
        let skew = self.scenario.settings.max_clock_skew;
        let judged = !self.scenario.bad_clocks && off <= skew;
        let now: UnixMs = true_time(self.now);
        let in_time = if judged {
            expiry::read((at, &key), (now, skew), read.as_ref(), held.as_ref())
        } else {
            Ok(())
        };
        self.demand(session::NAME, verdict);
        self.demand(expiry::NAME, in_time);
    }
}

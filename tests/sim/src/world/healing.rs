//! The end of all faults: everything runs, every link is made anew, and all nodes converge.

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::{Frontier, Hlc, Origin};

use super::living::Loss;
use super::machine::{Machine, Role};
use super::{Event, World};
use crate::network::{At, FrameFaults};
use crate::node::{Phase, Process};
use crate::oracle::{convergence, durability};
use crate::sim_clock::true_time;

/// How long nodes may take to converge once all is well, in milliseconds: a node listens for five seconds
/// when it starts, dials again after up to three, and asks a donor again after up to six.
const BOUND_MS: u64 = 30_000;

/// How often somebody looks.
const LOOK_EVERY_MS: u64 = 150;

/// A clock that is wrong by more than this is put right by a restart: beside others it stays within the fence.
const WRONG_MS: u64 = 150;

impl World {
    /// Everything is repaired.
    pub(super) fn heal(&mut self) {
        self.note(|_| "heals".into());
        self.healed_at = Some(self.now);
        self.network.faults = FrameFaults::default();
        self.network.latency = self.network.latency.min(40);
        for (a, b) in self.network.stalled() {
            self.restore(a, b);
        }
        for at in 0..self.machines.len() {
            for other in 0..at {
                for conn in self.network.between(at, other) {
                    self.break_one(conn, (at, other));
                }
            }
        }
        for at in 0..self.machines.len() {
            self.repair(at);
        }
        self.arrange(self.now + LOOK_EVERY_MS, Event::Look);
    }

    fn repair(&mut self, at: At) {
        let offset = self.dice.around(100);
        let Some(machine) = self.machines.get_mut(at) else { return };
        machine.stopped_until = 0;
        machine.disk.platter().set_full(false);
        machine.clock.repair(self.now, offset);
        if machine.role != Role::Member {
            self.lose(at, Loss::Process);
            self.lose_disk(at); // it never comes back
            return;
        }
        let moment = machine.clock.at(self.now);
        let wrong = machine.process.as_mut().is_some_and(|process| {
            process.pass(moment); // it may have been stopped for long
            process.is_fenced() || process.now().0.abs_diff(true_time(self.now).0) > WRONG_MS
        });
        if wrong {
            self.lose(at, Loss::Process);
        }
        let is_down = self.machines.get(at).is_some_and(|machine| machine.process.is_none());
        if is_down {
            self.starts(at, 1);
        }
    }

    /// Looks whether all nodes have converged.
    pub(super) fn look_if_converged(&mut self) {
        match self.converged() {
            Ok(()) => {
                self.judge_the_end();
                self.over = true;
            }
            Err(says) => {
                self.replace_forgotten();
                let since = self.healed_at.unwrap_or(self.now);
                if self.now - since > BOUND_MS {
                    self.fails(convergence::NAME, says);
                } else {
                    self.arrange(self.now + LOOK_EVERY_MS, Event::Look);
                }
            }
        }
    }

    /// Whoever was forgotten comes back empty, as the refusal says.
    fn replace_forgotten(&mut self) {
        let is_forgotten = |id| {
            let mut all = self.members().filter_map(|(_, machine)| machine.process.as_ref());
            all.any(|process| process.membership().members().is_forgotten(id))
        };
        let gone = self.members().filter(|(_, machine)| machine.id().is_some_and(is_forgotten));
        let gone: Vec<At> = gone.map(|(at, _)| at).collect();
        for at in gone {
            self.lose(at, Loss::Process);
            self.wipe(at);
            self.starts(at, 1);
        }
    }

    fn members(&self) -> impl Iterator<Item = (At, &Machine)> {
        self.machines.iter().enumerate().filter(|(_, machine)| machine.role == Role::Member)
    }

    fn converged(&self) -> Result<(), String> {
        let mut first: Option<(At, &Machine)> = None;
        for (at, machine) in self.members() {
            let Some(process) = &machine.process else { return Err(format!("n{at} is down")) };
            if process.phase() != Phase::Ready {
                return Err(format!("n{at} is {:?}", process.phase()));
            }
            self.covers_all(at, process)?;
            let healed = Hlc::at(true_time(self.healed_at.unwrap_or(self.now)));
            if process.stable(0) < healed {
                let by = process.held_back_by(0).map_or("nobody".into(), |id| id.to_string());
                return Err(format!("the stable point of n{at} stands, held back by {by}"));
            }
            if let Some((other, theirs)) = first {
                let (a, b) = (theirs.disk.platter(), machine.disk.platter());
                let moment = (true_time(self.now), self.scenario.settings.max_clock_skew);
                convergence::same((other, a.readable()), (at, b.readable()), moment)?;
            }
            first = first.or(Some((at, machine)));
        }
        Ok(())
    }

    /// A node covers every op of every run that goes on, and of others as much as any other node; no session is
    /// under way.
    fn covers_all(&self, at: At, process: &Process) -> Result<(), String> {
        for (index, store) in process.stores().iter().enumerate() {
            let Some(history) = self.histories.store(index) else { continue };
            let applied = store.reader().applied();
            if store.is_behind() {
                return Err(format!("n{at} is still behind"));
            }
            for (other, machine) in self.members() {
                let Some(theirs) = &machine.process else { continue };
                let last = history.last_of(theirs.origin());
                if last.is_some_and(|last| applied.get(theirs.origin()) < last) {
                    return Err(format!("n{at} does not cover what n{other} wrote"));
                }
                let Some(store) = theirs.store(index) else { continue };
                if let Some(over) = self.lacks_of_the_past(&applied, &store.reader().applied()) {
                    return Err(format!("n{at} does not cover what n{other} has of {over}"));
                }
            }
        }
        Ok(())
    }

    /// An origin that is over, and of which a frontier lacks what another has.
    fn lacks_of_the_past(&self, mine: &Frontier, theirs: &Frontier) -> Option<Origin> {
        let goes_on = |origin| {
            let mut all = self.members().filter_map(|(_, machine)| machine.process.as_ref());
            all.any(|process| process.origin() == origin)
        };
        let ended = |point| Closing::of(point).map_or(point, |closing| closing.at);
        let lacks = |(origin, point)| !goes_on(origin) && mine.get(origin) < ended(point);
        theirs.iter().find(|entry| lacks(*entry)).map(|(origin, _)| origin)
    }

    fn judge_the_end(&mut self) {
        let Some(history) = self.histories.store(0) else { return };
        let members = self.machines.iter().enumerate();
        let members = members.filter(|(_, machine)| machine.role == Role::Member);
        let judge = |(at, machine): (At, &Machine)| {
            durability::settled(history, at, machine.disk.platter().readable())
        };
        let verdict = members.map(judge).find(Result::is_err).unwrap_or(Ok(()));
        self.demand(durability::NAME, verdict);
    }
}

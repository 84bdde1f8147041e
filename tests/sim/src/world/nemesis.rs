//! What goes wrong, and when it is right again.

use super::living::Loss;
use super::machine::{Backup, Machine, Past, Role};
use super::{Event, World};
use crate::network::At;

/// The longest that a fault lasts which ends by itself, in milliseconds.
const LONGEST_MS: u64 = 5_000;

/// The end of something that went wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Undo {
    /// A link works again.
    Restore(At, At),
    /// A link stalls: one of many.
    Stall(At, At),
    /// There is room on a disk again.
    Room(At),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Stall,
    Swizzle,
    Break,
    Pause,
    Kill,
    Cut,
    Damage,
    Jump,
    Drift,
    Full,
    Failure,
    Wipe,
    Rollback,
    Clone,
    Forget,
    FullSync,
}

impl World {
    /// Something may go wrong.
    pub(super) fn fault(&mut self) {
        if self.healed_at.is_some() {
            return;
        }
        let next = 1 + self.dice.below(2 * self.scenario.fault_every);
        self.arrange(self.now + next, Event::Fault);
        let (at, other) =
            (self.dice.index(self.machines.len()), self.dice.index(self.machines.len()));
        self.back_up(at);
        let Some(fault) = self.chosen() else { return };
        self.note(|_| format!("n{at} {fault:?} n{other}"));
        match fault {
            Fault::Stall => self.stall(at, other),
            Fault::Swizzle => self.swizzle(at),
            Fault::Break => self.break_between(at, other),
            Fault::Pause => {
                let until = self.now + self.dice.between(100, LONGEST_MS);
                if let Some(machine) = self.machines.get_mut(at) {
                    machine.stopped_until = until;
                }
            }
            Fault::Kill => self.ends(at, Loss::Process),
            Fault::Cut => self.ends(at, Loss::Power),
            Fault::Damage => self.damage(at),
            Fault::Jump => self.jump(at),
            Fault::Drift => {
                let drift = self.dice.around(20_000);
                let now = self.now;
                self.with_machine(at, |machine| machine.clock.drifts(now, drift));
            }
            Fault::Full => {
                self.with_machine(at, |machine| machine.disk.platter().set_full(true));
                let after = self.dice.between(100, LONGEST_MS);
                self.arrange(self.now + after, Event::Undo(Undo::Room(at)));
            }
            Fault::Failure => {
                self.with_machine(at, |machine| machine.disk.platter().break_next_sync());
            }
            Fault::Wipe => {
                self.ends(at, Loss::Power);
                self.wipe(at);
            }
            Fault::Rollback => self.roll_back(at),
            Fault::Clone => self.clone_disk(at),
            Fault::Forget => self.forget(at, other),
            Fault::FullSync => self.full_sync(at, other),
        }
    }

    fn with_machine(&mut self, at: At, what: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.machines.get_mut(at) {
            what(machine);
        }
    }

    fn chosen(&mut self) -> Option<Fault> {
        let f = self.scenario.faults;
        let weights = [
            (f.stalls, Fault::Stall),
            (f.swizzles, Fault::Swizzle),
            (f.breaks, Fault::Break),
            (f.pauses, Fault::Pause),
            (f.kills, Fault::Kill),
            (f.cuts, Fault::Cut),
            (f.damage, Fault::Damage),
            (f.jumps, Fault::Jump),
            (f.drifts, Fault::Drift),
            (f.full, Fault::Full),
            (f.failures, Fault::Failure),
            (f.wipes, Fault::Wipe),
            (f.rollbacks, Fault::Rollback),
            (f.clones, Fault::Clone),
            (f.forgets, Fault::Forget),
            (f.full_syncs, Fault::FullSync),
        ];
        let mut hit = self.dice.below(weights.iter().map(|(weight, _)| weight).sum());
        weights.into_iter().find_map(|(weight, fault)| {
            if hit < weight {
                return Some(fault);
            }
            hit -= weight;
            None
        })
    }

    fn back_up(&mut self, at: At) {
        let Some(machine) = self.machines.get_mut(at) else { return };
        if self.scenario.faults.rollbacks == 0 || !machine.mode.persists() {
            return;
        }
        if let Some(file) = machine.file.clone() {
            let disk = machine.disk.platter().copy();
            machine.backups.push(Backup { disk, file });
        }
    }

    fn stall(&mut self, a: At, b: At) {
        if a == b {
            return;
        }
        self.stall_one(a, b);
        if self.dice.chance(500) {
            self.stall_one(b, a);
        }
    }

    fn stall_one(&mut self, a: At, b: At) {
        self.network.stall(a, b);
        let after = self.dice.between(50, 2 * LONGEST_MS);
        self.arrange(self.now + after, Event::Undo(Undo::Restore(a, b)));
    }

    /// Every link of a machine stalls, one after the other; they come back in any order.
    fn swizzle(&mut self, at: At) {
        for other in (0..self.machines.len()).filter(|other| *other != at) {
            for (a, b) in [(at, other), (other, at)] {
                let after = self.dice.below(LONGEST_MS);
                self.arrange(self.now + after, Event::Undo(Undo::Stall(a, b)));
            }
        }
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        self.note(|_| format!("{undo:?}"));
        match undo {
            Undo::Restore(a, b) => self.restore(a, b),
            Undo::Stall(a, b) if self.healed_at.is_none() => self.stall_one(a, b),
            Undo::Stall(..) => {}
            Undo::Room(at) => {
                self.with_machine(at, |machine| machine.disk.platter().set_full(false));
            }
        }
    }

    pub(super) fn restore(&mut self, a: At, b: At) {
        for (conn, way, frame) in self.network.restore(a, b) {
            self.happens(Event::Arrives { conn, way, frame });
        }
    }

    fn break_between(&mut self, a: At, b: At) {
        for conn in self.network.between(a, b) {
            self.break_one(conn, (a, b));
        }
    }

    /// A connection breaks: both ends are told at once, and what was on it is lost.
    pub(super) fn break_one(&mut self, conn: crate::node::ConnId, ends: (At, At)) {
        for at in [ends.0, ends.1] {
            let run = self.machines.get(at).map_or(0, |machine| machine.run);
            if let Some(way) = self.network.way_of(conn, at, run) {
                let _told = self.network.close((conn, way), self.now, &mut self.dice);
                self.with(at, |process| process.closed(conn));
                self.act(at);
            }
        }
    }

    fn ends(&mut self, at: At, loss: Loss) {
        self.lose(at, loss);
        let after = self.dice.between(100, LONGEST_MS);
        self.starts(at, after);
    }

    /// An operator says of a node that is down that it is gone for good. What only it had is lost.
    fn forget(&mut self, at: At, other: At) {
        let Some(machine) = self.machines.get(at) else { return };
        let id = machine.file.as_ref().map(|file| file.id).filter(|_| machine.process.is_none());
        let awake = self.machines.get(other).is_some_and(|m| m.is_awake(self.now));
        let (Some(id), true) = (id, awake && machine.role == Role::Member) else { return };
        self.lose_disk(at);
        self.pass(other);
        self.with(other, |process| process.forget(id));
        self.act(other);
    }

    fn full_sync(&mut self, at: At, other: At) {
        let rebuild = self.dice.chance(500);
        let peer = self.machines.get(other).and_then(Machine::id);
        let awake = self.machines.get(at).is_some_and(|machine| machine.is_awake(self.now));
        if let Some(peer) = peer.filter(|_| awake) {
            self.pass(at);
            self.with(at, |process| process.full_sync(0, peer, rebuild));
            self.act(at);
        }
    }

    fn damage(&mut self, at: At) {
        let Some(machine) = self.machines.get_mut(at) else { return };
        if machine.process.is_some() {
            return; // what is in memory is not hit
        }
        let hit = machine.disk.platter().damage(&mut self.dice);
        if let Some(damage) = hit {
            self.note(|_| format!("n{at} {damage:?} is damaged"));
            self.lose_disk(at);
        }
    }

    fn jump(&mut self, at: At) {
        let ms = if self.scenario.bad_clocks && self.dice.chance(400) {
            self.dice.one_of([3_000, -3_000])
        } else {
            self.dice.around(100)
        };
        self.with_machine(at, |machine| machine.clock.jump(ms));
    }

    fn roll_back(&mut self, at: At) {
        let Some(machine) = self.machines.get_mut(at) else { return };
        if machine.backups.is_empty() {
            return;
        }
        let which = self.dice.index(machine.backups.len());
        self.lose(at, Loss::Power);
        // Putting a backup back takes longer than the second after which the next epoch is a fresh one.
        let after = self.dice.between(1_500, LONGEST_MS);
        self.starts(at, after);
        self.lose_disk(at);
        self.with_machine(at, |machine| {
            // Later ones are thrown away: they are of a run that will have another end.
            machine.backups.truncate(which + 1);
            if let Some(Backup { disk, file }) = machine.backups.last().cloned() {
                *machine.disk.platter() = disk;
                machine.file = Some(file);
                machine.past = Past::Backup;
            }
        });
        self.note(|_| format!("n{at} has a disk of a while ago"));
    }
}

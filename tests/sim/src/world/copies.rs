//! Copies of disks: a second process under the identity of the first.
//!
//! Where the two meet somebody of the cluster, one of them is refused. A copy that comes while its original is
//! out of reach is taken for its next run, as nobody can tell it from that: the cluster closes the original's
//! run without what only the original wrote. Those records are contested: who meets the original holds more than
//! others at the same frontier, until a repair has spread it.

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::{Epoch, Hlc, NodeId};

use super::World;
use super::living::Loss;
use super::machine::{Machine, Role};
use crate::disk::Disk;
use crate::network::At;
use crate::node::Process;
use crate::scenario::Place;

impl World {
    /// A second process is started on a copy of a disk, while the first one runs.
    pub(super) fn clone_disk(&mut self, at: At) {
        let Some(machine) = self.machines.get(at) else { return };
        let cloned = self.machines.iter().any(|machine| machine.role == Role::Clone);
        let (Some(file), true) = (machine.file.clone(), machine.role == Role::Member) else {
            return;
        };
        if cloned || machine.process.is_none() {
            return;
        }
        let mut platter = machine.disk.platter().clone();
        platter.lose_process();
        let place = Place { mode: machine.mode, dataless: false, offset: 0 };
        let name = machine.name.clone();
        let mut copy = Machine::new(Role::Clone, &name, "copy:1", place, Disk::holding(platter));
        copy.clock = machine.clock.clone();
        self.copied = Some(file.id);
        copy.file = Some(file);
        self.machines.push(copy);
        self.starts(self.machines.len() - 1, 10);
    }

    /// Copies of a disk end with the process that they are copies of: they would be taken for it.
    pub(super) fn end_copies_of(&mut self, id: NodeId) {
        let is_copy =
            |(_, machine): &(At, &Machine)| machine.role == Role::Clone && machine.id() == Some(id);
        let copies: Vec<At> =
            self.machines.iter().enumerate().filter(is_copy).map(|(at, _)| at).collect();
        for at in copies {
            self.lose(at, Loss::Process);
            self.lose_disk(at);
        }
    }

    /// The epoch that a copied disk starts with at least: one that no copy used. Copies that meet push each other up by
    /// one each time, which seconds outrun in the world but not in a run that has few of them.
    pub(super) fn above_copies(&self, at: At) -> Epoch {
        let id = |m: &Machine| {
            let kept = m.file.as_ref().map(|file| file.id);
            kept.or_else(|| m.process.as_ref().map(|process| process.origin().node()))
        };
        let own = self.machines.get(at).and_then(id).filter(|own| self.copied == Some(*own));
        let latest = own.and_then(|own| self.runs.get(&own));
        latest.map_or(Epoch(0), |latest| latest.next())
    }

    /// Whether a copy of this node's disk has begun a later run: the cluster takes what that one writes. Of two
    /// copies that live and do not meet, nobody can promise anything.
    pub(super) fn is_superseded(&self, at: At) -> bool {
        let process = self.machines.get(at).and_then(|machine| machine.process.as_ref());
        let Some(own) = process.map(Process::origin) else { return false };
        self.runs.get(&own.node()).is_some_and(|latest| *latest > own.epoch())
    }

    /// Looks whether a run of the copied identity was closed below what some machine has of it. From then on stores
    /// at one frontier may differ until they are repaired, and what only a machine of that identity had is void.
    pub(super) fn contest(&mut self) {
        let Some(id) = self.copied.filter(|id| !self.contested && self.lies_beyond_an_end(*id))
        else {
            return;
        };
        self.contested = true;
        self.note(|_| format!("what {id} wrote is contested: a copy of it was taken for it"));
        for at in 0..self.machines.len() {
            if self.machines.get(at).and_then(Machine::id) == Some(id) {
                self.lose_disk(at);
            }
        }
    }

    /// Whether somebody holds more of a closed run of this identity than its closing says.
    fn lies_beyond_an_end(&self, id: NodeId) -> bool {
        let of_id = || {
            let points = self.memory.all(0).flat_map(|(_, known)| known.applied.iter());
            points.filter(|(origin, _)| origin.node() == id)
        };
        let end = |point: Hlc| Closing::of(point).map(|closing| closing.at);
        let mut ends = of_id().filter_map(|(origin, point)| end(point).map(|at| (origin, at)));
        ends.any(|(ended, at)| {
            of_id().any(|(origin, point)| origin == ended && end(point).unwrap_or(point) > at)
        })
    }
}

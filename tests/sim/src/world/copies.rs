//! Copies of disks: a second process under the identity of the first; and what disks from the past bring back.
//!
//! Where two of one identity meet somebody of the cluster, one of them is refused. A copy that comes while its
//! original is out of reach is taken for its next run, as nobody can tell it from that: the cluster closes the
//! original's run without what only the original wrote. Those records are contested, and so are those that come
//! with a disk of a run that was closed below them: who holds them holds more than others at the same frontier,
//! until a repair has spread them.

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::{Epoch, Hlc, NodeId, Origin, Version};

use super::World;
use super::living::Loss;
use super::machine::{Machine, Past, Role};
use crate::disk::Disk;
use crate::network::At;
use crate::node::{Process, StoreAt};
use crate::oracle::Known;
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

    /// Whether another process of this machine's identity lives, and somebody counts it as the member: once both
    /// write, frontiers are no more what they say, nobody promises anything, and the story ends.
    fn has_a_double(&self, at: At) -> bool {
        let Some(id) = self.machines.get(at).and_then(Machine::id) else { return false };
        let lives = |(other, machine): (At, &Machine)| {
            let process = machine.process.as_ref().filter(|_| other != at)?;
            (process.origin().node() == id).then(|| process.origin())
        };
        let mut doubles = self.machines.iter().enumerate().filter_map(lives);
        doubles.any(|double| self.counts_as_member(double))
    }

    fn counts_as_member(&self, run: Origin) -> bool {
        let others = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let mut others = others.filter(|process| process.origin().node() != run.node());
        others.any(|process| {
            let members = process.membership().members();
            members.get(run.node()).is_some_and(|member| member.origin == run)
        })
    }

    /// A version was minted on a machine.
    pub(super) fn doubt(&mut self, (at, store): (At, StoreAt), version: Version) {
        if self.copied.is_some() && self.has_a_double(at) {
            self.note(|_| format!("n{at} writes beside another of its identity that was taken in"));
            self.over = true;
        }
        let is_beyond = self.ends.get(&version.origin).is_some_and(|end| version.hlc > *end);
        if self.contested
            && is_beyond
            && let Some(history) = self.histories.store_mut(store)
        {
            history.doubt(version);
        }
    }

    fn is_contested(&mut self, origin: Origin) {
        if !std::mem::replace(&mut self.contested, true) {
            self.note(|_| format!("what {origin} wrote is contested"));
        }
    }

    /// Looks whether a machine whose disk was copied or put back has more of a closed run than its closing says, by
    /// its frontier or by records that it holds: all had agreed on what there was. From then on stores at one
    /// frontier may differ until they are repaired, and of what lies beyond that end nobody promises anything.
    pub(super) fn contest(&mut self, at: At, held: impl Iterator<Item = Version>) {
        if self.copied.is_none()
            && !self.machines.iter().any(|machine| machine.past == Past::Backup)
        {
            return;
        }
        let Some((_, known)) = self.memory.all(0).find(|(other, _)| *other == at) else { return };
        for (origin, closing) in
            known.applied.iter().filter_map(|(o, p)| Some((o, Closing::of(p)?)))
        {
            let end = self.ends.entry(origin).or_insert(closing.at);
            *end = closing.at.min(*end);
        }
        let points = |(_, known): (At, &Known)| known.applied.iter().collect::<Vec<_>>();
        let brings = |(other, _): &(At, &Known)| self.brings_the_past(*other);
        let points = self.memory.all(0).filter(brings).flat_map(points);
        let points = points.map(|(origin, point)| {
            (origin, Closing::of(point).map_or(point, |closing| closing.at))
        });
        let held = held.map(|version| (version.origin, version.hlc));
        let held = held.filter(|_| self.brings_the_past(at));
        let beyond = |(origin, point): (Origin, Hlc)| {
            let end = *self.ends.get(&origin)?;
            (point > end).then_some((origin, end))
        };
        let beyond: Vec<_> = points.chain(held).filter_map(beyond).collect();
        for (origin, end) in beyond {
            self.doubt_beyond(origin, end);
        }
    }

    /// Whether a machine's disk was put back, or there is another like it.
    fn brings_the_past(&self, at: At) -> bool {
        self.machines.get(at).is_some_and(|machine| {
            machine.past == Past::Backup || (self.copied.is_some() && machine.id() == self.copied)
        })
    }

    fn doubt_beyond(&mut self, origin: Origin, end: Hlc) {
        if let Some(history) = self.histories.store_mut(0) {
            history.doubt_after(origin, end);
        }
        self.is_contested(origin);
    }

    /// Two processes came to the same run by chance: nobody can tell them apart while they do not meet, so the
    /// story ends here.
    pub(super) fn began(&mut self, at: At, run: Origin) {
        let latest = self.runs.entry(run.node()).or_insert(run.epoch());
        *latest = run.epoch().max(*latest);
        if *self.begun.entry(run).or_insert(at) != at {
            self.note(|_| {
                format!("n{at} is in run {run}, as another was: nobody can tell them apart")
            });
            self.over = true;
        }
    }
}

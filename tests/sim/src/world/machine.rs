//! A machine: what stays when its process ends.

use gridkv_protocol::NodeId;

use crate::disk::{Disk, Mode};
use crate::node::{NodeFile, Process};
use crate::scenario::Place;
use crate::sim_clock::MachineClock;

/// What a process has asked for and not got yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) flush: bool,
    pub(super) drain: bool,
}

/// A disk and a node file as they were.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub(super) disk: crate::disk::Platter,
    pub(super) file: NodeFile,
}

/// What a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It belongs to the cluster.
    Member,
    /// It runs on a copy of a member's disk.
    Clone,
    /// It belongs to another cluster.
    Stranger,
}

/// Where what is on a disk comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// From what its machine did last.
    Own,
    /// From a backup that was put back.
    Backup,
}

/// A machine of the world.
pub(super) struct Machine {
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) addr: String,
    pub(super) mode: Mode,
    pub(super) dataless: bool,
    pub(super) clock: MachineClock,
    pub(super) disk: Disk,
    pub(super) file: Option<NodeFile>,
    pub(super) backups: Vec<Backup>,
    pub(super) process: Option<Process>,
    /// Counts the processes that ran here.
    pub(super) run: u64,
    pub(super) stopped_until: u64,
    /// Whether a start is arranged.
    pub(super) starts: bool,
    pub(super) asked: Vec<Asked>,
    /// Commits of the disk that the oracles have seen.
    pub(super) seen: u64,
    /// What is on the disk now is not what was promised: no claim of the last run counts.
    pub(super) unpromised: bool,
    /// A disk that was put back may bring what all have closed without it.
    pub(super) past: Past,
}

impl Machine {
    pub(super) fn new(role: Role, name: &str, addr: &str, place: Place, disk: Disk) -> Self {
        Self {
            role,
            name: name.to_owned(),
            addr: addr.to_owned(),
            mode: place.mode,
            dataless: place.dataless,
            clock: MachineClock::new(place.offset),
            disk,
            file: None,
            backups: Vec::new(),
            process: None,
            run: 0,
            stopped_until: 0,
            starts: false,
            asked: Vec::new(),
            seen: 0,
            unpromised: false,
            past: Past::Own,
        }
    }

    /// Whether its process runs and is not stopped at `now`.
    pub(super) fn is_awake(&self, now: u64) -> bool {
        self.process.is_some() && self.stopped_until <= now
    }

    /// The identity of the process that runs.
    pub(super) fn id(&self) -> Option<NodeId> {
        self.process.as_ref().map(|process| process.origin().node())
    }
}

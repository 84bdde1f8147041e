//! A node's process: the glue that the actors have, around the same machines and the same store, without
//! threads. It is told what happens and says what is to be done ([`Act`]); the world does it.
//!
//! Where actors would run beside each other, the world decides who comes first: a commit is made some
//! time after it was staged, the ring is drained some time after the commit.

mod cluster;
mod dialling;
mod serving;
mod settling;
mod store_end;

use std::collections::BTreeMap;

use gridkv_protocol::boot::Boot;
use gridkv_protocol::contacts::Contacts;
use gridkv_protocol::fence::{Fence, Standing};
use gridkv_protocol::membership::{Membership, MembershipConfig, Roster};
use gridkv_protocol::message::Message;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::publisher::PublisherLimits;
use gridkv_protocol::stability::Stability;
use gridkv_protocol::welcome::{Member, Members, StoreInfo};
use gridkv_protocol::{Epoch, NodeId, Origin, StoreName, UnixMs};
use gridkv_storage::durability::Durability;
use gridkv_storage::store::Store;
use gridkv_storage::write::Written;

use self::dialling::Dialling;
pub use self::store_end::{Refused, StoreEnd};
use crate::sim_clock::{Moment, NodeClock};

/// Why a process ends whose identity was forgotten: somebody has to empty its disk.
pub const FORGOTTEN: &str = "this identity was forgotten";

/// A connection, by its number in the world.
pub type ConnId = u64;

/// A client's request, by its number in the world.
pub type Ticket = u64;

/// A store, by its place on every node.
pub type StoreAt = usize;

/// How often and how long, in milliseconds, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Between two heartbeats.
    pub heartbeat: u64,
    /// A member that was not heard of for this long may be away.
    pub suspect_after: u64,
    /// A connection that brings nothing for this long is broken.
    pub down_after: u64,
    /// How far in the future an op may lie.
    pub max_clock_skew: u64,
    /// What publishers keep and send.
    pub publisher: PublisherLimits,
}

/// What the node file holds: it is replaced whole, and synced, before anything is said that rests on it.
#[derive(Clone, Debug)]
pub struct NodeFile {
    /// Whose it is.
    pub id: NodeId,
    /// The newest run.
    pub epoch: Epoch,
    /// Whether it ever joined.
    pub joined: bool,
    /// Whom it knew.
    pub members: Members,
}

/// Where a node is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It never joined, and waits to.
    Joining,
    /// It fetches what its peers have and it lacks.
    CatchingUp,
    /// It takes clients.
    Ready,
}

/// What became of a client's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed, and survives this.
    Committed(Durability),
    /// Nothing of it is there, now or later.
    NotThere,
    /// It may be there after a restart.
    Unknown,
}

/// What is to be done.
#[derive(Debug)]
pub enum Act {
    /// Send this over a connection.
    Send(ConnId, Message),
    /// End a connection.
    Close(ConnId),
    /// Dial this address after so many milliseconds.
    DialAfter(String, u64),
    /// Commit what is staged, soon.
    Flush(StoreAt),
    /// Drain the ring, soon.
    Drain(StoreAt),
    /// Answer a client.
    Answer(Ticket, Outcome),
    /// Peers cover what a client wrote: this many, of all that it asked for.
    Acks(Ticket, usize),
    /// The roster and the epoch are kept.
    Keep(NodeFile),
    /// A batch was taken into a store that is filled from scratch.
    TookWhileFilled,
    /// The product itself says that a store differs from a peer's at the same frontier.
    Diverged(NodeId),
    /// The process ends.
    Die(String),
    /// Something worth a line in the trace.
    Note(String),
}

/// Who a process is when it starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub addr: String,
    /// The addresses that it dials first.
    pub seeds: Vec<String>,
    /// What the node file held.
    pub file: NodeFile,
}

/// A node that runs.
pub struct Process {
    settings: Settings,
    origin: Origin,
    clock: NodeClock,
    phase: Phase,
    membership: Membership,
    contacts: Contacts,
    dialling: Dialling,
    boot: Option<Boot>,
    fence: Fence,
    standing: Standing,
    stability: Stability,
    /// Stores to be emptied once their peers have all that they have, and from whom they are filled then.
    rebuilds: BTreeMap<StoreName, NodeId>,
    stores: Vec<StoreEnd>,
    /// Connections over which this node publishes, by the peer that they lead to.
    links: BTreeMap<NodeId, ConnId>,
    /// Connections that peers made and that were let in.
    inbound: BTreeMap<ConnId, Origin>,
    acts: Vec<Act>,
}

/// The run that a node begins with what its node file held: the file is kept before it mints.
#[must_use]
pub fn next_run(file: &NodeFile, now: UnixMs) -> Epoch {
    if mutant::is(Mutant::SameEpoch) {
        return file.epoch;
    }
    let at_least = Epoch(u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX));
    if mutant::is(Mutant::CountedEpoch) {
        return file.epoch.next();
    }
    file.epoch.next().max(at_least)
}

impl Process {
    /// Starts a process on stores that were opened for the origin of `start`.
    #[must_use]
    pub fn new(start: Start, stores: Vec<Store>, moment: Moment, settings: Settings) -> Self {
        let Start { cluster, name, addr, seeds, file } = start;
        let origin = Origin::new(file.id, file.epoch);
        let skew = settings.max_clock_skew;
        let stores: Vec<StoreEnd> = stores
            .into_iter()
            .enumerate()
            .map(|(at, store)| StoreEnd::new(at, store, origin, settings.publisher, skew))
            .collect();
        let infos = stores
            .iter()
            .map(|store| StoreInfo {
                name: store.name().clone(),
                cache: store.is_cache(),
                backend: store.reader().backend().to_owned(),
            })
            .collect();
        let me = Member { origin, revision: 0, name, addr, stores: infos };
        let config = MembershipConfig { cluster, me, seeds, bootstrap: false };
        let roster = Roster { joined: file.joined, members: file.members };
        let mut process = Self {
            settings,
            origin,
            clock: NodeClock::start(moment),
            phase: Phase::Joining,
            membership: Membership::new(config, roster),
            contacts: Contacts::default(),
            dialling: Dialling::default(),
            boot: None,
            fence: Fence::new(skew, settings.suspect_after),
            standing: Standing::Unjudged,
            stability: Stability::default(),
            rebuilds: BTreeMap::new(),
            stores,
            links: BTreeMap::new(),
            inbound: BTreeMap::new(),
            acts: Vec::new(),
        };
        process.begin();
        process
    }

    /// The machine's clocks moved on. Called before anything else happens.
    pub fn pass(&mut self, moment: Moment) {
        self.clock.pass(moment);
    }

    /// Physical time, as this node takes it.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// What is to be done since the last call.
    pub fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// Who it is, in which run.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Where it is on its way.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether its clock keeps it from minting: it is put right, and the node starts again.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.standing == Standing::Fenced
    }

    /// Its stores.
    #[must_use]
    pub fn stores(&self) -> &[StoreEnd] {
        &self.stores
    }

    /// One of its stores.
    #[must_use]
    pub fn store(&self, at: StoreAt) -> Option<&StoreEnd> {
        self.stores.get(at)
    }

    /// Its member set, and who it is.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    fn may_mint(&self) -> bool {
        let joined = self.phase >= Phase::CatchingUp && self.standing.may_mint();
        joined || mutant::is(Mutant::MintsBeforeJoining)
    }

    /// A client writes, all or nothing, and asks what the commit must survive. Says what was minted.
    ///
    /// # Errors
    /// [`Refused`]: nothing was changed.
    pub fn write(
        &mut self,
        at: StoreAt,
        ticket: Ticket,
        writes: Vec<gridkv_storage::write::Write>,
        (durability, acks): (Option<Durability>, usize),
    ) -> Result<Vec<Written>, Refused> {
        let takes = self.phase == Phase::Ready && self.is_filled(at) && self.standing.may_mint();
        if !takes && !mutant::is(Mutant::MintsBeforeJoining) {
            return Err(Refused::NotReady);
        }
        let Some(store) = self.stores.get_mut(at) else { return Err(Refused::NotReady) };
        store.write(&mut self.clock, (ticket, acks), (writes, durability), &mut self.acts)
    }

    /// Whether clients may read a store.
    #[must_use]
    pub fn serves(&self, at: StoreAt) -> bool {
        self.phase == Phase::Ready && self.is_filled(at)
    }

    /// Commits what a store has staged.
    pub fn flush(&mut self, at: StoreAt) {
        if let Some(store) = self.stores.get_mut(at) {
            store.flush(&mut self.clock, &mut self.acts);
        }
        self.settle();
    }

    /// The publisher of a store takes what the ring holds.
    pub fn drain(&mut self, at: StoreAt) {
        if let Some(store) = self.stores.get_mut(at) {
            store.drain(self.clock.now(), &mut self.acts);
        }
        self.settle();
    }

    /// A store closes time, commits, and lets records expire. `between` lets its publisher run in the
    /// middle of it, as another thread may.
    pub fn tick(&mut self, at: StoreAt, between: bool) {
        let may_mint = self.may_mint();
        if let Some(store) = self.stores.get_mut(at) {
            store.believe(may_mint);
            store.close_time(&mut self.clock);
            if between {
                store.drain(self.clock.now(), &mut self.acts);
            }
            store.turn(&mut self.clock, &mut self.acts);
        }
        self.settle();
    }

    /// Publishers and catch-ups look at their deadlines.
    pub fn look_at_deadlines(&mut self) {
        for store in &mut self.stores {
            store.look_at_deadlines(&mut self.clock, &mut self.acts);
        }
        self.settle();
    }

    /// Brings a store to the disk.
    pub fn persist(&mut self, at: StoreAt) {
        if let Some(store) = self.stores.get_mut(at)
            && store.persist().is_err()
        {
            self.acts.push(Act::Die("a sync failed".into()));
        }
    }
}

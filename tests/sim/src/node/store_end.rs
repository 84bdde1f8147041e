//! One store of a process: its writer, its machines, and who waits for its next commit, as the storage
//! actor, the publisher and the catch-up actor have them.

mod agreed;
mod behind;
mod mending;
mod waiting;

use std::collections::BTreeSet;

use gridkv_protocol::applier::{Applier, Effect, Event};
use gridkv_protocol::convergence::{self, Convergence};
use gridkv_protocol::holdings::Holdings;
use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message, NoPage, StoreBatch};
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::page::Page;
use gridkv_protocol::publisher::{self, Publisher, PublisherLimits};
use gridkv_protocol::repair::{self, Repair};
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::{NodeId, OpBatch, Origin, StoreName, UnixMs};
use gridkv_storage::backend::{BackendError, CommitError};
use gridkv_storage::durability::Durability;
use gridkv_storage::flusher::StoreFlusher;
use gridkv_storage::reader::StoreReader;
use gridkv_storage::store::Store;
use gridkv_storage::write::{Write, Written};
use gridkv_storage::writer::StoreWriter;

use self::behind::Behind;
use self::waiting::{AcksWanted, Waiting};
use super::{Act, ConnId, Outcome, StoreAt, Ticket};
use crate::sim_clock::NodeClock;

/// Of the proofs that peers send one in so many is looked at: there are many more than it takes to notice.
const PROOFS_LOOKED_AT: u64 = 5;

/// Why a client's write was not made. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The node takes no clients.
    NotReady,
    /// A condition does not hold, or there is no value to touch, or too little durability.
    Rejected,
    /// The store can not be read.
    Unreadable,
}

/// One store and its machines.
pub struct StoreEnd {
    at: StoreAt,
    writer: StoreWriter,
    reader: StoreReader,
    flusher: StoreFlusher,
    applier: Applier,
    publisher: Publisher,
    behind: Behind,
    waiting: Vec<Waiting>,
    acks: Vec<AcksWanted>,
    holdings: Holdings,
    convergence: Convergence,
    repair: Repair,
    /// Proofs that came from peers.
    proofs: u64,
    /// The other members: only theirs count.
    members: BTreeSet<NodeId>,
    /// The node's clock is not believed: no deadline passes for good, and nothing is minted.
    doubted: bool,
    asked: Durability,
    outgoing: Vec<(NodeId, Message)>,
}

impl StoreEnd {
    pub(super) fn new(
        at: StoreAt,
        store: Store,
        origin: Origin,
        limits: PublisherLimits,
        skew_ms: u64,
    ) -> Self {
        let Store { writer, reader, flusher, .. } = store;
        let repair = Repair::new(reader.name().clone());
        Self {
            at,
            applier: Applier::new(origin.node(), skew_ms),
            publisher: Publisher::new(origin, limits),
            behind: Behind::new(&reader, origin, skew_ms),
            writer,
            reader,
            flusher,
            waiting: Vec::new(),
            acks: Vec::new(),
            holdings: Holdings::default(),
            convergence: Convergence::default(),
            repair,
            proofs: 0,
            members: BTreeSet::new(),
            doubted: true,
            asked: Durability::Memory,
            outgoing: Vec::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &StoreName {
        self.reader.name()
    }

    /// Whether it may forget.
    #[must_use]
    pub fn is_cache(&self) -> bool {
        self.reader.promises().cache
    }

    /// What clients and peers read.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// Whether it is filled from scratch.
    #[must_use]
    pub fn is_bootstrapping(&self) -> bool {
        self.behind.is_bootstrapping()
    }

    /// Whether it is to be emptied.
    pub(super) fn is_rebuilding(&self) -> bool {
        self.behind.is_rebuilding()
    }

    /// Whether a peer needs nothing more of this node.
    pub(super) fn is_covered_by(&self, peer: NodeId) -> bool {
        self.reader.ring().is_empty() && self.publisher.is_covered_by(peer)
    }

    /// Whether a session or a forgetting runs.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind.is_running()
    }

    pub(super) fn meet(&mut self, members: BTreeSet<NodeId>) {
        self.holdings.keep(|peer| members.contains(&peer));
        self.members = members;
    }

    pub(super) fn take_outgoing(&mut self) -> Vec<(NodeId, Message)> {
        std::mem::take(&mut self.outgoing)
    }

    /// The time of what is done next. The store's clock first learns what the node has seen elsewhere.
    fn now(&mut self, clock: &NodeClock) -> UnixMs {
        self.writer.observe(clock.observed());
        clock.now()
    }

    fn wait(&mut self, waiting: Waiting, acts: &mut Vec<Act>) {
        self.waiting.push(waiting);
        acts.push(Act::Flush(self.at));
    }

    pub(super) fn write(
        &mut self,
        clock: &mut NodeClock,
        (ticket, peers): (Ticket, usize),
        (writes, asked): (Vec<Write>, Option<Durability>),
        acts: &mut Vec<Act>,
    ) -> Result<Vec<Written>, Refused> {
        let now = self.now(clock);
        if asked.is_some_and(|asked| asked > self.reader.promises().best) {
            return Err(Refused::Rejected);
        }
        self.writer.check(&writes, now).map_err(|_| Refused::Rejected)?;
        let mut written = Vec::new();
        for write in writes {
            let Ok(one) = self.writer.stage(write, now) else {
                self.give_up(acts);
                return Err(Refused::Unreadable);
            };
            written.push(one);
        }
        self.asked = self.asked.max(asked.unwrap_or_default());
        let last = written.last().map(|written| written.version);
        self.wait(Waiting::Client(ticket, last, peers), acts);
        Ok(written)
    }

    /// A record can not be read: drops what is staged, so that nothing is done in part.
    fn give_up(&mut self, acts: &mut Vec<Act>) {
        self.writer.drop_staged();
        self.asked = Durability::Memory;
        for waiting in std::mem::take(&mut self.waiting) {
            self.disappoint(&waiting, Outcome::NotThere, acts);
        }
    }

    /// A batch of a peer came.
    pub(super) fn apply(
        &mut self,
        clock: &mut NodeClock,
        (conn, peer): (ConnId, NodeId),
        batch: OpBatch,
        acts: &mut Vec<Act>,
    ) {
        let now = self.now(clock);
        let durable = self.reader.durable();
        let bounds = (batch.origin, batch.after, batch.upto);
        let event = Event::Batch { batch, applied: self.writer.others(), durable: &durable };
        let outcome = match self.applier.step(now, event) {
            Effect::Answer(outcome) => Some(outcome),
            Effect::Merge(stretch) => {
                if self.behind.holds() {
                    acts.push(Act::TookWhileFilled);
                }
                let upto = stretch.upto;
                match self.writer.merge(stretch, self.deadlines_at(now)) {
                    Ok(()) if mutant::is(Mutant::AckBeforeApply) => {
                        let outcome = BatchOutcome::Applied { applied: upto, durable: upto };
                        acts.push(Act::Send(conn, self.answer_to(bounds, outcome)));
                        acts.push(Act::Flush(self.at));
                        return;
                    }
                    Ok(()) => None,
                    Err(_) => Some(BatchOutcome::Unavailable),
                }
            }
        };
        self.wait(Waiting::Apply { conn, peer, bounds, outcome }, acts);
    }

    fn answer_to(&self, (origin, after, upto): waiting::Bounds, outcome: BatchOutcome) -> Message {
        let store = self.name().clone();
        Message::Answer(BatchAnswer { store, origin, after, upto, outcome })
    }

    /// Commits what was staged and answers who waits for it. Says whether that worked.
    pub(super) fn flush(&mut self, clock: &mut NodeClock, acts: &mut Vec<Act>) -> bool {
        let asked = std::mem::take(&mut self.asked);
        let committed = self.writer.commit(asked);
        clock.observe(self.writer.clock());
        let outcome = match &committed {
            Ok(reached) => Outcome::Committed(*reached),
            Err(CommitError::Unchanged(_)) => Outcome::NotThere,
            Err(CommitError::Unknown(_)) => Outcome::Unknown,
        };
        if outcome == Outcome::Unknown {
            acts.push(Act::Die("a commit may or may not be on the disk".into()));
        }
        for waiting in std::mem::take(&mut self.waiting) {
            match outcome {
                Outcome::Committed(reached) => self.satisfy(clock, &waiting, reached, acts),
                Outcome::NotThere | Outcome::Unknown => {
                    self.disappoint_with(clock, (&waiting, outcome), acts);
                }
            }
        }
        acts.push(Act::Drain(self.at));
        committed.is_ok()
    }

    /// Whether the node's clock may mint.
    pub(super) fn believe(&mut self, may_mint: bool) {
        self.doubted = !may_mint;
    }

    /// The time by which deadlines are judged.
    fn deadlines_at(&self, now: UnixMs) -> UnixMs {
        if self.doubted { UnixMs(0) } else { now }
    }

    pub(super) fn close_time(&mut self, clock: &mut NodeClock) {
        let now = self.now(clock);
        if !self.doubted {
            self.writer.close_time(now);
        }
    }

    /// The rest of a storage actor's tick.
    pub(super) fn turn(&mut self, clock: &mut NodeClock, acts: &mut Vec<Act>) {
        let now = clock.now();
        if !self.flush(clock, acts) {
            self.flush(clock, acts);
        }
        if self.writer.expire(self.deadlines_at(now)).is_ok() {
            self.flush(clock, acts);
        }
    }

    pub(super) fn drain(&mut self, now: UnixMs, acts: &mut Vec<Act>) {
        let drained = self.reader.ring().drain();
        let (ops, closed, floor) = (drained.ops, drained.closed, drained.floor);
        self.publish(now, publisher::Event::Committed { ops, closed, floor }, acts);
        if !self.reader.ring().is_empty() {
            acts.push(Act::Drain(self.at));
        }
    }

    fn publish(&mut self, now: UnixMs, event: publisher::Event, acts: &mut Vec<Act>) {
        for send in self.publisher.step(now, event) {
            let batch = StoreBatch { store: self.reader.name().clone(), batch: send.batch };
            self.outgoing.push((send.peer, Message::Batch(batch)));
        }
        self.count_acks(acts);
    }

    pub(super) fn look_at_deadlines(&mut self, clock: &mut NodeClock, acts: &mut Vec<Act>) {
        self.publish(clock.now(), publisher::Event::Tick, acts);
        self.compare(clock, convergence::Event::Tick, acts);
        self.look_at_repair(clock, acts);
        self.behind_step(clock, behind::Event::Tick, acts);
    }

    pub(super) fn reported(
        &mut self,
        clock: &mut NodeClock,
        from: Origin,
        theirs: &StoreReport,
        acts: &mut Vec<Act>,
    ) {
        let (peer, have) = (from.node(), theirs.applied.get(self.publisher.origin()));
        self.publish(clock.now(), publisher::Event::Reported { peer, have }, acts);
        self.proofs += 1;
        if self.proofs.is_multiple_of(PROOFS_LOOKED_AT) {
            let event = convergence::Event::Reported { peer, proof: theirs.proof };
            self.compare(clock, event, acts);
        }
        self.behind_step(clock, behind::Event::Reported { from, report: theirs.clone() }, acts);
    }

    pub(super) fn answered(
        &mut self,
        now: UnixMs,
        run: Origin,
        answer: &BatchAnswer,
        acts: &mut Vec<Act>,
    ) {
        let BatchAnswer { origin, after, upto, outcome, .. } = answer.clone();
        if let BatchOutcome::Applied { applied, .. } = outcome {
            self.holdings.answered(run, origin, applied);
        }
        let peer = run.node();
        let event = publisher::Event::Answered { peer, origin, after, upto, outcome };
        self.publish(now, event, acts);
    }

    pub(super) fn page_came(
        &mut self,
        clock: &mut NodeClock,
        peer: NodeId,
        page: Page,
        acts: &mut Vec<Act>,
    ) {
        if Repair::is_session(page.session) {
            self.mend(clock, repair::Event::Page { peer, page }, acts);
        } else {
            self.behind_step(clock, behind::Event::Page { peer, page }, acts);
        }
    }

    pub(super) fn no_page(
        &mut self,
        clock: &mut NodeClock,
        peer: NodeId,
        answer: &NoPage,
        acts: &mut Vec<Act>,
    ) {
        let session = answer.session;
        if Repair::is_session(session) {
            self.mend(clock, repair::Event::NoPage { peer, session }, acts);
        } else {
            self.behind_step(clock, behind::Event::NoPage { peer, session }, acts);
        }
    }

    pub(super) fn link_down(&mut self, clock: &mut NodeClock, peer: NodeId, acts: &mut Vec<Act>) {
        self.publish(clock.now(), publisher::Event::LinkDown { peer }, acts);
        self.compare(clock, convergence::Event::LinkDown { peer }, acts);
        self.mend(clock, repair::Event::LinkDown { peer }, acts);
        self.behind_step(clock, behind::Event::LinkDown { peer }, acts);
    }

    pub(super) fn take_origin(
        &mut self,
        clock: &mut NodeClock,
        origin: Origin,
        acts: &mut Vec<Act>,
    ) {
        self.flush(clock, acts);
        if self.writer.take_origin(origin).is_err() {
            acts.push(Act::Die("a new epoch can not be committed".into()));
        }
        self.publish(clock.now(), publisher::Event::NewOrigin(origin), acts);
        self.behind_step(clock, behind::Event::NewOrigin(origin), acts);
    }

    pub(super) fn persist(&mut self) -> Result<(), BackendError> {
        if self.flusher.is_needed() { self.flusher.flush() } else { Ok(()) }
    }
}

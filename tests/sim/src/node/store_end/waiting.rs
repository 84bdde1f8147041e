//! Who waits for a commit, and for peers to cover it.

use gridkv_protocol::applier::{Effect, Event};
use gridkv_protocol::message::BatchOutcome;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::{Hlc, NodeId, Origin, Version};
use gridkv_storage::durability::Durability;

use super::{StoreEnd, behind};
use crate::node::{Act, ConnId, Outcome, Ticket};
use crate::sim_clock::NodeClock;

/// Which batch an answer is for.
pub(super) type Bounds = (Origin, Hlc, Hlc);

/// An answer that waits for the commit.
pub(super) enum Waiting {
    /// A client, the last version of what it wrote, and by how many peers it wants it covered.
    Client(Ticket, Option<Version>, usize),
    /// A peer's batch; with an outcome when there is nothing to commit for it.
    Apply { conn: ConnId, peer: NodeId, bounds: Bounds, outcome: Option<BatchOutcome> },
    /// A catch-up page.
    Merge,
    /// The end of a session, of which nobody waits to hear.
    Install,
}

/// A client that waits for peers to cover what it wrote.
pub(super) struct AcksWanted {
    ticket: Ticket,
    version: Version,
    wanted: usize,
}

impl StoreEnd {
    /// What waited is committed.
    pub(super) fn satisfy(
        &mut self,
        clock: &mut NodeClock,
        waiting: &Waiting,
        reached: Durability,
        acts: &mut Vec<Act>,
    ) {
        match *waiting {
            Waiting::Client(ticket, version, wanted) => {
                acts.push(Act::Answer(ticket, Outcome::Committed(reached)));
                if let Some(version) = version.filter(|_| wanted > 0) {
                    self.acks.push(AcksWanted { ticket, version, wanted });
                }
            }
            Waiting::Apply { conn, peer, bounds, outcome } => {
                let outcome = outcome.unwrap_or_else(|| self.merged(clock, bounds.0));
                acts.push(Act::Send(conn, self.answer_to(bounds, outcome)));
                if matches!(outcome, BatchOutcome::Gap { .. }) {
                    self.behind_step(clock, behind::Event::Gap { peer }, acts);
                }
            }
            Waiting::Merge => self.behind_step(clock, behind::Event::Merged, acts),
            Waiting::Install => {}
        }
    }

    /// What waited was not committed.
    pub(super) fn disappoint_with(
        &mut self,
        clock: &mut NodeClock,
        (waiting, outcome): (&Waiting, Outcome),
        acts: &mut Vec<Act>,
    ) {
        if matches!(waiting, Waiting::Merge) {
            self.behind_step(clock, behind::Event::MergeFailed, acts);
        } else {
            self.disappoint(waiting, outcome, acts);
        }
    }

    pub(super) fn disappoint(&self, waiting: &Waiting, outcome: Outcome, acts: &mut Vec<Act>) {
        match *waiting {
            Waiting::Client(ticket, ..) => acts.push(Act::Answer(ticket, outcome)),
            Waiting::Apply { conn, bounds, .. } => {
                let outcome = BatchOutcome::Unavailable;
                acts.push(Act::Send(conn, self.answer_to(bounds, outcome)));
            }
            Waiting::Merge | Waiting::Install => {}
        }
    }

    /// The answer to a batch that was merged and is now committed.
    fn merged(&self, clock: &NodeClock, origin: Origin) -> BatchOutcome {
        let (applied, durable) = (self.reader.applied(), self.reader.durable());
        let event = Event::Merged { origin, applied: &applied, durable: &durable };
        match self.applier.step(clock.now(), event) {
            Effect::Answer(outcome) => outcome,
            Effect::Merge(_) => BatchOutcome::Unavailable,
        }
    }

    /// Answers clients whose write is covered by as many peers as they asked for.
    pub(super) fn count_acks(&mut self, acts: &mut Vec<Act>) {
        if self.acks.is_empty() {
            return;
        }
        let Self { acks, holdings, members, .. } = self;
        acks.retain(|AcksWanted { ticket, version, wanted }| {
            let least = if mutant::is(Mutant::LoweredQuorum) { wanted - 1 } else { *wanted };
            let got = members.iter().filter(|peer| holdings.covers(**peer, *version)).count();
            let enough = got >= least;
            if enough {
                acts.push(Act::Acks(*ticket, *wanted));
            }
            !enough
        });
    }
}

//! The applier: decides what of a peer's batch a store takes.
//!
//! It refuses a batch of an epoch that is over, says Gap to one that starts above what the store has,
//! and takes of any other the ops that the store's frontier does not cover. Of time beyond the skew
//! limit it takes what is within; a batch with an op beyond the limit waits whole.

use crate::message::BatchOutcome;
use crate::mutant::{self, Mutant};
use crate::{Frontier, Hlc, NodeId, Op, OpBatch, Origin, UnixMs};

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A batch came in; `applied` is the store's frontier now.
    Batch {
        /// The batch.
        batch: OpBatch,
        /// What the store has.
        applied: &'a Frontier,
        /// What would survive a power cut.
        durable: &'a Frontier,
    },
    /// A stretch was merged and committed; the frontiers are the store's after it.
    Merged {
        /// Whose ops they were.
        origin: Origin,
        /// What the store has.
        applied: &'a Frontier,
        /// What would survive a power cut.
        durable: &'a Frontier,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Merge these ops and move the origin's frontier to `upto`, in one commit.
    Merge(Stretch),
    /// Answer the batch.
    Answer(BatchOutcome),
}

/// Ops of one origin that close its time up to `upto`.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Whose ops.
    pub origin: Origin,
    /// The frontier after the merge.
    pub upto: Hlc,
    /// What the writer had seen of the others.
    pub seen: Frontier,
    /// The ops, ascending.
    pub ops: Vec<Op>,
}

/// The applier of one store.
#[derive(Debug)]
pub struct Applier {
    own: NodeId,
    max_clock_skew_ms: u64,
    /// The store is filled from scratch: batches wait.
    is_held: bool,
}

impl Applier {
    /// An applier for a store of the node `own`; ops up to `max_clock_skew_ms` ahead of
    /// this node's physical time are taken.
    #[must_use]
    pub fn new(own: NodeId, max_clock_skew_ms: u64) -> Self {
        Self { own, max_clock_skew_ms, is_held: false }
    }

    /// From now on batches wait at their sender, or are taken again: while a store is filled from scratch, a
    /// batch could bring back what a later page would let go.
    pub fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Takes what happened, and says what is to be done. `now` is this node's physical time: skew is
    /// never judged by a hybrid clock, which a bad peer could have moved.
    pub fn step(&self, now: UnixMs, event: Event<'_>) -> Effect {
        match event {
            Event::Batch { batch, applied, durable } => {
                let origin = batch.origin;
                self.judge(now, batch, applied)
                    .unwrap_or_else(|| Effect::Answer(held(origin, applied, durable)))
            }
            Event::Merged { origin, applied, durable } => {
                Effect::Answer(held(origin, applied, durable))
            }
        }
    }

    /// `None` when there is nothing new to take.
    fn judge(&self, now: UnixMs, batch: OpBatch, applied: &Frontier) -> Option<Effect> {
        let OpBatch { origin, after, upto, seen, mut ops } = batch;
        let newer_epoch = applied.newest_epoch(origin.node()).is_some_and(|e| e > origin.epoch());
        if newer_epoch || applied.is_closed(origin) || origin.node() == self.own {
            return Some(Effect::Answer(BatchOutcome::Refused));
        }
        if self.is_held && !mutant::is(Mutant::BatchesDuringBootstrap) {
            return Some(Effect::Answer(BatchOutcome::Unavailable));
        }
        let have = applied.get(origin);
        if have < after && !mutant::is(Mutant::NoGapCheck) {
            return Some(Effect::Answer(BatchOutcome::Gap { have }));
        }
        let limit = mutant::limit(Hlc::end_of(now.plus(self.max_clock_skew_ms)));
        let upto = upto.min(limit);
        // An op beyond the limit may stand for earlier ones of its key, within the limit, that were
        // coalesced into it: without it no part of the batch can be covered.
        let whole = ops.last().is_none_or(|last| last.record.version.hlc <= limit);
        if upto <= have || !whole {
            return None;
        }
        ops.retain(|op| have < op.record.version.hlc);
        Some(Effect::Merge(Stretch { origin, upto, seen, ops }))
    }
}

fn held(origin: Origin, applied: &Frontier, durable: &Frontier) -> BatchOutcome {
    BatchOutcome::Applied { applied: applied.get(origin), durable: durable.get(origin) }
}

// CAVEATS: a sender whose clock is far ahead waits here until time has come; its fence is another rule.

#[cfg(test)]
#[path = "applier_test.rs"]
mod tests;

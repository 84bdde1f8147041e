//! What comes from peers: batches of their operations, and pages of their records.

use actix::{Context, Handler};
use gridkv_protocol::applier::{Effect, Event};
use gridkv_protocol::message::BatchOutcome;
use gridkv_protocol::{Hlc, OpBatch, UnixMs};

use super::answers::take_ops;
use super::{StorageActor, Waiting};
use crate::post::answer as reply_to;
use crate::storage_messages::{ApplyBatch, MergePage};

/// What of a batch the store did not have when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fresh {
    ops: u64,
    /// When the first of them was minted.
    oldest: Option<UnixMs>,
}

impl Fresh {
    /// Of a batch, for a store that has this of its origin; and how many others there are in it.
    fn of(batch: &OpBatch, have: Hlc) -> (Self, u64) {
        let covered = batch.ops.partition_point(|op| op.record.version.hlc <= have);
        let (covered, fresh) = batch.ops.split_at(covered);
        let oldest = fresh.first().map(|op| op.record.version.hlc.physical());
        (Self { ops: count(fresh.len()), oldest }, count(covered.len()))
    }
}

fn count(ops: usize) -> u64 {
    u64::try_from(ops).unwrap_or(u64::MAX)
}

impl StorageActor {
    /// The answer to a batch that was merged and is now committed.
    pub(super) fn merged(&self, request: &ApplyBatch, fresh: Fresh) -> BatchOutcome {
        let now = self.clock.now();
        if let Some(oldest) = fresh.oldest {
            self.meters.apply_delays.observe(now.since(oldest).saturating_mul(1_000));
        }
        let (applied, durable) = (self.reader.applied(), self.reader.durable());
        let origin = request.batch.batch.origin;
        let event = Event::Merged { origin, applied: &applied, durable: &durable };
        match self.applier.step(now, event) {
            Effect::Answer(outcome) => outcome,
            Effect::Merge(_) => BatchOutcome::Unavailable,
        }
    }

    /// These operations were not taken; their sender gives them again.
    pub(super) fn reject(&self, fresh: Fresh) {
        self.reader.applies().rejected.add(fresh.ops);
    }
}

impl Handler<ApplyBatch> for StorageActor {
    type Result = ();

    fn handle(&mut self, mut message: ApplyBatch, ctx: &mut Self::Context) {
        let now = self.now();
        let durable = self.reader.durable();
        let batch = take_ops(&mut message.batch);
        let (fresh, covered) = Fresh::of(&batch, self.writer.others().get(batch.origin));
        let event = Event::Batch { batch, applied: self.writer.others(), durable: &durable };
        let outcome = match self.applier.step(now, event) {
            Effect::Answer(outcome) => Some(outcome),
            Effect::Merge(stretch) => match self.writer.merge(stretch, self.deadlines_at(now)) {
                Ok(()) => None,
                Err(_) => Some(BatchOutcome::Unavailable),
            },
        };
        if covered > 0 {
            self.reader.applies().duplicate.add(covered);
        }
        if outcome.is_some() && fresh.ops > 0 {
            self.reject(fresh);
        }
        self.wait(Waiting::Apply(message, outcome, fresh), ctx);
    }
}

impl Handler<MergePage> for StorageActor {
    type Result = ();

    fn handle(&mut self, message: MergePage, ctx: &mut Context<Self>) {
        let MergePage { records, install, reply } = message;
        let now = self.now();
        if self.writer.merge_page(records, self.deadlines_at(now)).is_err() {
            reply_to(reply, false);
            return;
        }
        if let Some((frontier, floor)) = install {
            self.writer.install(&frontier, floor);
        }
        self.wait(Waiting::Merge(reply), ctx);
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Epoch, Frontier, Key, NodeId, Op, Origin, Record, State, Version};

    use super::*;

    #[test]
    fn what_the_store_had_is_told_from_what_it_had_not() {
        let origin = Origin::new(NodeId(2), Epoch(1));
        let op = |ms| {
            let version = Version { hlc: Hlc::at(UnixMs(ms)), origin };
            Op { key: Key::new("k").unwrap(), record: Record { version, state: State::Deleted } }
        };
        let (after, upto, seen) = (Hlc::ZERO, Hlc::at(UnixMs(9)), Frontier::default());
        let batch = OpBatch { origin, after, upto, seen, ops: [3, 5, 7].map(op).into() };
        let of = |ms| Fresh::of(&batch, Hlc::at(UnixMs(ms)));
        assert_eq!(of(0), (Fresh { ops: 3, oldest: Some(UnixMs(3)) }, 0));
        assert_eq!(of(5), (Fresh { ops: 1, oldest: Some(UnixMs(7)) }, 2));
        assert_eq!(of(9), (Fresh::default(), 3));
    }
}

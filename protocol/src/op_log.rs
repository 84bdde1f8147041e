//! The op log: this node's own ops of its present epoch, in the order they were minted, bounded by
//! bytes, with a floor below which it can not serve.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::mutant::{self, Mutant};
use crate::{Frontier, Hlc, Op, UnixMs};

/// An op as it waits to be sent: with what its writer had seen of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOp {
    /// The op.
    pub op: Op,
    /// What the writer's frontier of the *other* origins was; shared by the ops of a stretch.
    pub seen: Arc<Frontier>,
}

impl LoggedOp {
    /// When the op was minted.
    #[must_use]
    pub fn hlc(&self) -> Hlc {
        self.op.record.version.hlc
    }
}

/// The published ops that peers may still need.
#[derive(Debug)]
pub struct OpLog {
    ops: VecDeque<LoggedOp>,
    bytes: usize,
    limit_bytes: usize,
    floor: Hlc,
    closed: Hlc,
}

impl OpLog {
    /// An empty log of a new epoch, which keeps up to `limit_bytes`. Its floor is 0.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self { ops: VecDeque::new(), bytes: 0, limit_bytes, floor: Hlc::ZERO, closed: Hlc::ZERO }
    }

    /// Appends an op; they come in the order they were minted. The oldest go when bytes run out.
    pub fn push(&mut self, logged: LoggedOp) {
        if logged.hlc() <= self.floor {
            return;
        }
        if mutant::is(Mutant::LogCoalesced) {
            self.ops.retain(|earlier| earlier.op.key != logged.op.key);
        }
        self.bytes += logged.op.weight();
        self.closed = self.closed.max(logged.hlc());
        self.ops.push_back(logged);
        while self.bytes > self.limit_bytes {
            let Some(oldest) = self.pop_oldest() else { break };
            self.floor = self.floor.max(oldest);
        }
    }

    /// Notes that no op will come any more with a point up to `upto`.
    pub fn close(&mut self, upto: Hlc) {
        self.closed = self.closed.max(upto);
    }

    /// Raises the floor: ops up to it were lost to the ring, or are not to be sent any more.
    pub fn raise_floor(&mut self, floor: Hlc) {
        self.floor = self.floor.max(floor);
        while self.ops.front().is_some_and(|oldest| oldest.hlc() <= self.floor) {
            self.pop_oldest();
        }
    }

    /// Drops ops up to `upto` without a word: what a broken rule does.
    pub(crate) fn forget(&mut self, upto: Hlc) {
        while self.ops.front().is_some_and(|oldest| oldest.hlc() <= upto) {
            self.pop_oldest();
        }
    }

    fn pop_oldest(&mut self) -> Option<Hlc> {
        let oldest = self.ops.pop_front()?;
        self.bytes = self.bytes.saturating_sub(oldest.op.weight());
        Some(oldest.hlc())
    }

    /// Ops above `after`, oldest first. What lies at or below the floor is not there.
    pub fn after(&self, after: Hlc) -> impl Iterator<Item = &LoggedOp> {
        self.ops.range(self.ops.partition_point(|logged| logged.hlc() <= after)..)
    }

    /// Number of ops above `after` that are still here.
    #[must_use]
    pub fn count_after(&self, after: Hlc) -> usize {
        self.ops.len() - self.ops.partition_point(|logged| logged.hlc() <= after)
    }

    /// When the oldest op above `after` was minted, if there is one.
    #[must_use]
    pub fn oldest_after(&self, after: Hlc) -> Option<UnixMs> {
        self.after(after).next().map(|logged| logged.hlc().physical())
    }

    /// Below or at this point ops may be missing: a receiver that has less needs catch-up.
    #[must_use]
    pub fn floor(&self) -> Hlc {
        self.floor
    }

    /// Every op up to this point is in the log, or below its floor.
    #[must_use]
    pub fn closed(&self) -> Hlc {
        self.closed
    }

    /// Bytes of the ops kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of ops that it keeps at most.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Ops kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether no op is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

// CAVEATS: `bytes` counts weights, not allocations: keys and values are shared with the store.

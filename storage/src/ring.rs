//! The op ring: a bounded lock-free queue from the store's writer to its publisher.
//!
//! It never blocks the writer. When it is full the oldest op is dropped and the floor rises to it, so
//! the publisher sees a gap and its peers fill it by catch-up: a loss that nobody sees can not happen.
//! Ops are numbered as they come: the drain sees a gap in the numbers even when the writer has dropped
//! an op and not yet come round to raising the floor.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Hlc, UnixMs};

use crate::stats::Counter;

/// Committed ops on their way to the publisher.
#[derive(Debug)]
pub struct OpRing {
    queue: ArrayQueue<(u64, LoggedOp)>,
    /// The number of the next op pushed; only the pushing thread changes it.
    pushed: AtomicU64,
    /// The number that the next op drained has if none was dropped; only the draining thread changes it.
    drained: AtomicU64,
    floor: AtomicU64,
    closed: AtomicU64,
    overwritten: Counter,
    /// When an op was last dropped, in milliseconds; 0 when none was.
    overflowed_at: AtomicU64,
}

/// What the publisher takes from the ring in one go.
#[derive(Debug)]
pub struct Drained {
    /// Ops in the order they were minted.
    pub ops: Vec<LoggedOp>,
    /// Every op up to here has been in the ring.
    pub closed: Hlc,
    /// Ops up to here may have been dropped, or are not to be sent.
    pub floor: Hlc,
}

impl OpRing {
    /// A ring of `slots` ops, at least one.
    pub fn new(slots: usize) -> Self {
        Self {
            queue: ArrayQueue::new(slots.max(1)),
            pushed: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            overwritten: Counter::default(),
            overflowed_at: AtomicU64::new(0),
        }
    }

    /// Appends a committed op; a full ring drops its oldest one and raises the floor. One thread pushes.
    pub fn push(&self, op: LoggedOp) {
        if mutant::is(Mutant::SlotRace) && op.hlc().physical().0.is_multiple_of(5) {
            return;
        }
        let number = self.pushed.fetch_add(1, Ordering::Relaxed);
        let minted = op.hlc().physical();
        if let Some((_, oldest)) = self.queue.force_push((number, op))
            && !mutant::is(Mutant::SilentOverflow)
        {
            self.floor.fetch_max(oldest.hlc().bits(), Ordering::AcqRel);
            self.overwritten.add(1);
            self.overflowed_at.store(minted.0, Ordering::Relaxed);
        }
    }

    /// Says that ops up to `floor` are not to be sent any more.
    pub fn raise_floor(&self, floor: Hlc) {
        self.floor.fetch_max(floor.bits(), Ordering::AcqRel);
    }

    /// Says that every op up to `upto` has been pushed.
    pub fn close(&self, upto: Hlc) {
        self.closed.fetch_max(upto.bits(), Ordering::AcqRel);
    }

    /// Takes what is there. One thread drains.
    pub fn drain(&self) -> Drained {
        // The order matters: what was closed before the first pop is popped, or below the floor that
        // is read after the last one.
        let closed = Hlc::from_bits(self.closed.load(Ordering::Acquire));
        let mut ops = Vec::with_capacity(self.queue.len());
        let most = self.queue.capacity();
        while ops.len() < most {
            let Some((number, op)) = self.queue.pop() else { break };
            if number != self.drained.swap(number + 1, Ordering::Relaxed)
                && !mutant::is(Mutant::SilentOverflow)
            {
                // Ops before this one were dropped, and the writer may not have said so yet.
                let below = op.hlc().bits().saturating_sub(1);
                self.floor.fetch_max(below, Ordering::AcqRel);
            }
            ops.push(op);
        }
        let cut_short = ops.len() == most;
        let closed = match ops.last() {
            Some(last) if cut_short => last.hlc(),
            Some(last) => closed.max(last.hlc()),
            None => closed,
        };
        let floor = Hlc::from_bits(self.floor.load(Ordering::Acquire));
        Drained { ops, closed, floor }
    }

    /// Ops in the ring now.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the ring is empty now.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Ops that it holds at most.
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Ops dropped so far.
    pub fn overwritten(&self) -> u64 {
        self.overwritten.get()
    }

    /// When the op was minted that last took another one's place; `None` when none did.
    pub fn overflowed_at(&self) -> Option<UnixMs> {
        Some(UnixMs(self.overflowed_at.load(Ordering::Relaxed))).filter(|at| at.0 > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gridkv_protocol::{Epoch, Key, NodeId, Op, Origin, Record, State, Version};

    use super::*;

    fn op(hlc: u64) -> LoggedOp {
        let origin = Origin::new(NodeId(1), Epoch(1));
        let version = Version { hlc: Hlc::from_bits(hlc), origin };
        let record = Record { version, state: State::Deleted };
        LoggedOp { op: Op { key: Key::new("k").unwrap(), record }, seen: Arc::default() }
    }

    #[test]
    fn ops_come_out_in_order_and_close_what_they_reach() {
        let ring = OpRing::new(4);
        (1..=3).for_each(|hlc| ring.push(op(hlc)));
        ring.close(Hlc::from_bits(3));
        let drained = ring.drain();
        assert_eq!(drained.ops.len(), 3);
        assert_eq!((drained.closed, drained.floor), (Hlc::from_bits(3), Hlc::ZERO));
        ring.close(Hlc::from_bits(9));
        assert_eq!(ring.drain().closed, Hlc::from_bits(9), "a heartbeat closes time without ops");
    }

    #[test]
    fn overflow_is_a_gap_that_shows() {
        let ring = OpRing::new(2);
        assert_eq!(ring.overflowed_at(), None);
        (1..=5).for_each(|hlc| ring.push(op(hlc)));
        assert_eq!((ring.overwritten(), ring.len(), ring.capacity()), (3, 2, 2));
        let drained = ring.drain();
        assert_eq!(drained.floor, Hlc::from_bits(3), "the floor is the last op lost");
        assert_eq!(drained.ops.first().map(LoggedOp::hlc), Some(Hlc::from_bits(4)));
    }

    #[test]
    fn an_overflow_is_as_late_as_the_op_that_had_no_room() {
        let ring = OpRing::new(1);
        let at = |ms: u64| Hlc::end_of(UnixMs(ms)).bits();
        ring.push(op(at(5)));
        assert_eq!(ring.overflowed_at(), None);
        ring.push(op(at(7)));
        assert_eq!(ring.overflowed_at(), Some(UnixMs(7)));
    }

    #[test]
    fn nothing_is_lost_in_silence_beside_a_fast_writer() {
        let ring = Arc::new(OpRing::new(8));
        let writer = {
            let ring = Arc::clone(&ring);
            std::thread::spawn(move || {
                for hlc in 1..=50_000 {
                    ring.push(op(hlc));
                    ring.close(Hlc::from_bits(hlc));
                }
            })
        };
        let (mut last, mut closed) = (0, 0);
        while closed < 50_000 {
            let drained = ring.drain();
            for logged in &drained.ops {
                let hlc = logged.hlc().bits();
                let continues = hlc == last + 1 || hlc <= drained.floor.bits() + 1;
                assert!(continues, "{hlc} after {last}, floor {}", drained.floor.bits());
                last = hlc;
            }
            closed = drained.closed.bits();
            assert!(closed <= last.max(drained.floor.bits()), "closed past what was seen");
        }
        writer.join().unwrap();
    }
}

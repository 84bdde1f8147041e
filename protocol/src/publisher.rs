//! The publisher: sends this node's own ops to every peer, each at its own pace.
//!
//! One log, one cursor per peer. Batches go out in a window, each starting where the one before ended;
//! an answer that does not fit (a gap, a part taken) rewinds the cursor to what the peer says it has.
//! A peer that has less than the log's floor gets nothing until catch-up has brought it there.
//!
//! It refuses to send past the closed point: what is not committed does not exist.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::limits::{MAX_BATCH_OPS, MAX_BATCHES_IN_FLIGHT};
use crate::message::BatchOutcome;
use crate::mutant::{self, Mutant};
use crate::op_log::{LoggedOp, OpLog};
use crate::{Frontier, Hlc, NodeId, Op, OpBatch, Origin, UnixMs};

/// How much a publisher keeps and sends at once.
#[derive(Clone, Copy, Debug)]
pub struct PublisherLimits {
    /// Bytes of published ops kept for peers that lag.
    pub log_bytes: usize,
    /// Ops in a batch, at most.
    pub batch_max_ops: usize,
    /// Bytes of ops in a batch, at most (a single op may be larger).
    pub batch_max_bytes: usize,
    /// Bytes in flight to one peer, at most (a single batch may be larger).
    pub queue_bytes: usize,
    /// Milliseconds to wait before sending again what a peer could not take.
    pub retry_ms: u64,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The store committed ops, or closed time without any.
    Committed {
        /// What the op ring held, in order.
        ops: Vec<LoggedOp>,
        /// No op up to this point comes any more.
        closed: Hlc,
        /// Ops up to this point may have been lost to the ring's overflow.
        floor: Hlc,
    },
    /// A peer said over its link what it has of this origin.
    Reported {
        /// The peer.
        peer: NodeId,
        /// Its frontier of this origin.
        have: Hlc,
    },
    /// The link to a peer is gone: what was in flight may or may not have arrived.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// A peer answered a batch.
    Answered {
        /// The peer.
        peer: NodeId,
        /// The batch's origin: an answer to a past epoch says nothing of this one.
        origin: Origin,
        /// The batch's `after`.
        after: Hlc,
        /// The batch's `upto`.
        upto: Hlc,
        /// What the peer did with it.
        outcome: BatchOutcome,
    },
    /// This node goes on under a new epoch: an empty log at floor 0.
    NewOrigin(Origin),
    /// Time passed.
    Tick,
}

/// What is to be done: send a batch to a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct Send {
    /// To whom.
    pub peer: NodeId,
    /// What.
    pub batch: OpBatch,
}

/// How far a peer lags behind this node's own ops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Own ops in the log that the peer does not cover.
    pub pending: usize,
    /// Age in milliseconds of the oldest own op that the peer does not cover, else 0.
    pub age_ms: u64,
    /// Whether the peer needs ops that the log no longer has.
    pub gap: bool,
}

/// The publisher of one store.
#[derive(Debug)]
pub struct Publisher {
    origin: Origin,
    limits: PublisherLimits,
    log: OpLog,
    peers: BTreeMap<NodeId, Cursor>,
}

#[derive(Debug, Default)]
struct Cursor {
    /// The peer's frontier of this origin, as last heard.
    have: Hlc,
    /// Where the next batch starts.
    sent: Hlc,
    in_flight: VecDeque<InFlight>,
    bytes_in_flight: usize,
    /// Where the batch ended that the peer could not take: it goes again alone and no longer than it
    /// was, for a batch that grew with each try might never be within the peer's skew limit.
    again: Option<Hlc>,
    pace: Pace,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// No link, or none that has reported yet.
    #[default]
    Silent,
    Streaming,
    /// Nothing before this moment: the peer could not take what it got.
    Holding(UnixMs),
    /// The peer does not take this origin's batches at all, until its link is made anew.
    Refused,
}

#[derive(Debug)]
struct InFlight {
    after: Hlc,
    upto: Hlc,
    bytes: usize,
}

impl Publisher {
    /// The publisher of `origin`'s ops in one store, with an empty log at floor 0.
    #[must_use]
    pub fn new(origin: Origin, limits: PublisherLimits) -> Self {
        Self { origin, limits, log: OpLog::new(limits.log_bytes), peers: BTreeMap::new() }
    }

    /// Takes what happened, and says what is to be sent.
    pub fn step(&mut self, now: UnixMs, event: Event) -> Vec<Send> {
        match event {
            Event::Committed { ops, closed, floor } => self.committed(ops, closed, floor),
            Event::Reported { peer, have } => self.reported(peer, have),
            Event::LinkDown { peer } => {
                if let Some(cursor) = self.peers.get_mut(&peer) {
                    cursor.rewind(cursor.have, Pace::Silent);
                }
            }
            Event::Answered { peer, origin, after, upto, outcome } => {
                let retry = now.plus(self.limits.retry_ms);
                let cursor = self.peers.get_mut(&peer).filter(|_| origin == self.origin);
                if let Some(cursor) = cursor {
                    cursor.answered((after, upto), outcome, retry);
                }
            }
            Event::NewOrigin(origin) => self.restart(origin),
            Event::Tick => {}
        }
        self.send_all(now)
    }

    fn committed(&mut self, ops: Vec<LoggedOp>, closed: Hlc, floor: Hlc) {
        for logged in ops {
            let minted_by = logged.op.record.version.origin;
            if minted_by < self.origin {
                continue; // of a past epoch, left in the ring: those are never sent incrementally
            }
            self.restart(minted_by);
            self.log.push(logged);
        }
        self.log.close(closed);
        self.log.raise_floor(floor);
    }

    fn reported(&mut self, peer: NodeId, have: Hlc) {
        let cursor = self.peers.entry(peer).or_default();
        cursor.have = cursor.have.max(have);
        if cursor.pace == Pace::Silent {
            cursor.have = have;
            cursor.rewind(have, Pace::Streaming);
        } else if have > cursor.sent {
            cursor.rewind(have, cursor.pace);
        }
    }

    fn restart(&mut self, origin: Origin) {
        if origin == self.origin {
            return;
        }
        self.origin = origin;
        self.log = OpLog::new(self.limits.log_bytes);
        for cursor in self.peers.values_mut() {
            cursor.have = Hlc::ZERO;
            let pace = match cursor.pace {
                Pace::Refused => Pace::Streaming, // the past epoch was refused, not this one
                pace @ (Pace::Silent | Pace::Streaming | Pace::Holding(_)) => pace,
            };
            cursor.rewind(Hlc::ZERO, pace);
        }
    }

    fn send_all(&mut self, now: UnixMs) -> Vec<Send> {
        let mut sends = Vec::new();
        for (peer, cursor) in &mut self.peers {
            while cursor.may_send(now, self.limits.queue_bytes) {
                let Some((batch, bytes)) = next_batch(self.origin, &self.log, cursor, &self.limits)
                else {
                    break;
                };
                cursor.note_sent(&batch, bytes);
                if mutant::is(Mutant::RingDrainedToOnePeer) {
                    self.log.forget(batch.upto);
                }
                sends.push(Send { peer: *peer, batch });
            }
        }
        sends
    }

    /// How far `peer` lags behind; of a peer that was never heard of, nothing is covered.
    #[must_use]
    pub fn lag(&self, peer: NodeId, now: UnixMs) -> Lag {
        let have = self.peers.get(&peer).map_or(Hlc::ZERO, |cursor| cursor.have);
        let gap = have < self.log.floor();
        let lost = gap.then(|| self.log.floor().physical());
        let oldest = lost.or_else(|| self.log.oldest_after(have));
        Lag {
            pending: self.log.count_after(have),
            age_ms: oldest.map_or(0, |oldest| now.since(oldest)),
            gap,
        }
    }

    /// Whether `peer` covers everything up to the closed point: a restart needs nothing from it.
    #[must_use]
    pub fn is_covered_by(&self, peer: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|cursor| cursor.have >= self.log.closed())
    }

    /// Who publishes, in which run.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The log, for statistics.
    #[must_use]
    pub fn log(&self) -> &OpLog {
        &self.log
    }
}

impl Cursor {
    fn rewind(&mut self, to: Hlc, pace: Pace) {
        self.sent = to;
        self.in_flight.clear();
        self.bytes_in_flight = 0;
        self.again = None;
        self.pace = pace;
    }

    /// Goes back to `to`, and later sends again what ended at `upto`.
    fn hold(&mut self, to: Hlc, upto: Hlc, retry: UnixMs) {
        self.rewind(to, Pace::Holding(retry));
        self.again = Some(upto);
    }

    fn may_send(&mut self, now: UnixMs, queue_bytes: usize) -> bool {
        if let Pace::Holding(until) = self.pace
            && until <= now
        {
            self.pace = Pace::Streaming;
        }
        let room = self.in_flight.is_empty()
            || (self.again.is_none()
                && self.in_flight.len() < MAX_BATCHES_IN_FLIGHT
                && self.bytes_in_flight < queue_bytes);
        self.pace == Pace::Streaming && room
    }

    fn note_sent(&mut self, batch: &OpBatch, bytes: usize) {
        self.in_flight.push_back(InFlight { after: batch.after, upto: batch.upto, bytes });
        self.bytes_in_flight += bytes;
        self.sent = batch.upto;
    }

    fn answered(&mut self, batch: (Hlc, Hlc), outcome: BatchOutcome, retry: UnixMs) {
        if let BatchOutcome::Applied { applied, .. } = outcome {
            self.have = self.have.max(applied);
        }
        // An answer to something that was rewound since: what it says of `have` was all of use.
        let answers_oldest =
            self.in_flight.front().is_some_and(|oldest| (oldest.after, oldest.upto) == batch);
        let Some(oldest) = answers_oldest.then(|| self.in_flight.pop_front()).flatten() else {
            return;
        };
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(oldest.bytes);
        match outcome {
            BatchOutcome::Applied { applied, .. } if applied >= oldest.upto => self.again = None,
            BatchOutcome::Applied { applied, .. } => self.hold(applied, oldest.upto, retry),
            BatchOutcome::Gap { have } => {
                self.have = have;
                self.rewind(have, Pace::Streaming);
            }
            BatchOutcome::Unavailable => self.hold(oldest.after, oldest.upto, retry),
            BatchOutcome::Refused => self.rewind(oldest.after, Pace::Refused),
        }
    }
}

/// The batch that follows `cursor.sent`, with its weight, if there is anything to say.
fn next_batch(
    origin: Origin,
    log: &OpLog,
    cursor: &Cursor,
    limits: &PublisherLimits,
) -> Option<(OpBatch, usize)> {
    let after = cursor.sent;
    if after < log.floor() || after >= log.closed() {
        return None;
    }
    let until = cursor.again.filter(|until| *until > after);
    let stretch = Stretch::cut(log, (after, until), limits);
    if stretch.ops.is_empty() && !cursor.in_flight.is_empty() {
        return None; // a heartbeat can wait for the answer
    }
    let upto = if stretch.whole { log.closed() } else { stretch.last };
    let seen = stretch.seen.map(|seen| seen.as_ref().clone()).unwrap_or_default();
    let batch = OpBatch { origin, after, upto, seen, ops: coalesce(&stretch.ops) };
    Some((batch, stretch.bytes))
}

/// Ops of the log that go into one batch.
struct Stretch<'a> {
    ops: Vec<&'a LoggedOp>,
    bytes: usize,
    last: Hlc,
    seen: Option<&'a Arc<Frontier>>,
    /// Whether the log ends here.
    whole: bool,
}

impl<'a> Stretch<'a> {
    /// Takes ops above `after` until a limit, or until what their writer had seen changes: a conflict
    /// is counted exactly only if `seen` holds for every op of the batch. None lies above `until`.
    fn cut(log: &'a OpLog, (after, until): (Hlc, Option<Hlc>), limits: &PublisherLimits) -> Self {
        let most = limits.batch_max_ops.clamp(1, MAX_BATCH_OPS);
        let mut stretch = Self { ops: Vec::new(), bytes: 0, last: after, seen: None, whole: true };
        for logged in log.after(after) {
            if let Some(until) = until.filter(|until| *until < logged.hlc()) {
                (stretch.last, stretch.whole) = (until, false);
                break;
            }
            let weight = logged.op.weight();
            let full = stretch.ops.len() >= most
                || (!stretch.ops.is_empty() && stretch.bytes + weight > limits.batch_max_bytes);
            let other_view = stretch.seen.is_some_and(|seen| **seen != *logged.seen);
            if full || other_view {
                stretch.whole = false;
                break;
            }
            stretch.seen = Some(&logged.seen);
            stretch.bytes += weight;
            stretch.last = logged.hlc();
            stretch.ops.push(logged);
        }
        stretch
    }
}

/// Keeps the last op of each key: within one batch, nobody can see the others.
fn coalesce(stretch: &[&LoggedOp]) -> Vec<Op> {
    let last: HashMap<&str, Hlc> =
        stretch.iter().map(|logged| (logged.op.key.as_str(), logged.hlc())).collect();
    stretch
        .iter()
        .filter(|logged| last.get(logged.op.key.as_str()) == Some(&logged.hlc()))
        .map(|logged| logged.op.clone())
        .collect()
}

// CAVEATS: coalescing happens within one batch only; across batches it would let a receiver's frontier
// cover an op whose effect it never had (36 of 300 seeds failed). A peer below the floor is not told:
// it sees the floor in the report, or answers Gap, and asks for catch-up itself. Because of coalescing, a
// receiver may not cut a batch between its ops: it takes all of them or none.

#[cfg(test)]
#[path = "publisher_test.rs"]
mod tests;

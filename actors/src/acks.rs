//! Acks: the writes of a store that wait until peers have them.
//!
//! A peer has a write once its own frontier covers it, as its answers and reports say; what was sent is
//! not had. Nothing here polls and nothing waits in an actor: what moves a peer's frontier wakes those
//! who waited for just that. It holds for every origin, so that a node which goes on under a new epoch
//! still learns from reports who has what it wrote before.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gridkv_protocol::holdings::{Holdings, Moved};
use gridkv_protocol::limits::MAX_WAITS;
use gridkv_protocol::{Frontier, Hlc, NodeId, Origin, Version};
use tokio::sync::oneshot;

use crate::version_queue::{Place, VersionQueue};

/// What the peers have of a store, and who waits for it.
#[derive(Default)]
pub(crate) struct Acks {
    state: Mutex<State>,
    seats: AtomicUsize,
    met: AtomicU64,
    timed_out: AtomicU64,
}

#[derive(Default)]
struct State {
    holdings: Holdings,
    waiting: VersionQueue<Waiter>,
    /// The node stops: nobody waits any more.
    closed: bool,
}

struct Waiter {
    among: Vec<NodeId>,
    need: usize,
    got: Vec<NodeId>,
    done: Option<oneshot::Sender<()>>,
}

/// The right to wait, taken before the write is made.
pub(crate) struct Seat(Arc<Acks>);

/// How many waits of a store ended, since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckCounts {
    /// All peers that were asked for had the write.
    pub met: u64,
    /// Patience ended first, or the node stopped.
    pub timed_out: u64,
}

impl Acks {
    /// A peer reported what it has.
    pub(crate) fn reported(&self, run: Origin, applied: &Frontier) {
        let mut state = self.state();
        for moved in state.holdings.reported(run, applied) {
            state.moved(run.node(), moved);
        }
    }

    /// A peer answered a batch of `origin`: it has applied it up to here.
    pub(crate) fn answered(&self, run: Origin, origin: Origin, applied: Hlc) {
        let mut state = self.state();
        if let Some(moved) = state.holdings.answered(run, origin, applied) {
            state.moved(run.node(), moved);
        }
    }

    /// Drops what those had who are no members any more.
    pub(crate) fn keep(&self, is_member: impl Fn(NodeId) -> bool) {
        self.state().holdings.keep(is_member);
    }

    /// Whether a peer has this version.
    pub(crate) fn covers(&self, peer: NodeId, version: Version) -> bool {
        self.state().holdings.covers(peer, version)
    }

    /// Whether a peer has all that is up to this frontier.
    pub(crate) fn has_all(&self, peer: NodeId, frontier: &Frontier) -> bool {
        self.state().holdings.has_all(peer, frontier)
    }

    /// Up to where a peer has ops of `origin`.
    pub(crate) fn upto(&self, peer: NodeId, origin: Origin) -> Hlc {
        self.state().holdings.upto(peer, origin)
    }

    /// A seat, unless too many wait already.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.seats.fetch_add(1, Ordering::AcqRel);
        let seat = Seat(Arc::clone(self)); // from here on given back by its drop
        (taken < MAX_WAITS).then_some(seat)
    }

    pub(crate) fn counts(&self) -> AckCounts {
        AckCounts {
            met: self.met.load(Ordering::Relaxed),
            timed_out: self.timed_out.load(Ordering::Relaxed),
        }
    }

    /// Lets everyone go who waits, and whoever comes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for waiter in state.waiting.values_mut() {
            waiter.done = None; // its end of the channel is what it waits at
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A closed origin says the same of all earlier epochs of its node, also of those not listed.
    fn moved(&mut self, peer: NodeId, moved: Moved) {
        if moved.upto < Hlc::CLOSED {
            return self.wake(peer, moved);
        }
        let closed = moved.origin;
        let earlier = |origin: &Origin| origin.node() == closed.node() && *origin <= closed;
        for origin in self.waiting.origins().into_iter().filter(earlier) {
            self.wake(peer, Moved { origin, after: Hlc::ZERO, upto: Hlc::CLOSED });
        }
    }

    fn wake(&mut self, peer: NodeId, Moved { origin, after, upto }: Moved) {
        for waiter in self.waiting.between(origin, after, upto) {
            if waiter.among.contains(&peer) && !waiter.got.contains(&peer) {
                waiter.got.push(peer);
            }
            if waiter.got.len() >= waiter.need
                && let Some(done) = waiter.done.take()
            {
                crate::post::answer(done, ());
            }
        }
    }
}

impl Seat {
    /// Waits, at most for `patience`, until `need` of the peers `among` have `version`. Returns those who
    /// have it.
    pub(crate) async fn wait(
        &self,
        version: Version,
        among: Vec<NodeId>,
        need: usize,
        patience: Duration,
    ) -> Vec<NodeId> {
        let got = match self.stand(version, among, need) {
            Err(got) => got,
            Ok((standing, done)) => {
                // Woken, let go, or out of patience: what counts is who has it by then.
                drop(tokio::time::timeout(patience, done).await);
                standing.leave()
            }
        };
        let ended = if got.len() >= need { &self.0.met } else { &self.0.timed_out };
        ended.fetch_add(1, Ordering::Relaxed);
        got
    }

    /// A place among those who wait; the peers that have it when there is nothing to wait for.
    fn stand(
        &self,
        version: Version,
        among: Vec<NodeId>,
        need: usize,
    ) -> Result<(Standing<'_>, oneshot::Receiver<()>), Vec<NodeId>> {
        let mut state = self.0.state();
        let has = |peer: &NodeId| state.holdings.covers(*peer, version);
        let got: Vec<NodeId> = among.iter().copied().filter(has).collect();
        if got.len() >= need || state.closed {
            return Err(got);
        }
        let (done, receiver) = oneshot::channel();
        let place = state.waiting.add(version, Waiter { among, need, got, done: Some(done) });
        Ok((Standing { acks: &self.0, place }, receiver))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place in the queue, given up also when its request goes away.
struct Standing<'a> {
    acks: &'a Acks,
    place: Place,
}

impl Standing<'_> {
    /// Gives the place up; returns the peers that have the version.
    fn leave(self) -> Vec<NodeId> {
        let waiter = self.acks.state().waiting.remove(self.place);
        waiter.map(|waiter| waiter.got).unwrap_or_default()
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        drop(self.acks.state().waiting.remove(self.place));
    }
}

#[cfg(test)]
#[path = "acks_test.rs"]
mod tests;

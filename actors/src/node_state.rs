//! Where the node is on its way from start to stop, for everyone to read without a lock.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use gridkv_protocol::fence::Standing;
use tokio::sync::Notify;

/// A stretch of the node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Stores are being opened.
    Starting,
    /// The node has never joined a cluster and waits to.
    Joining,
    /// It fetches what its peers have and it lacks.
    CatchingUp,
    /// It takes clients.
    Ready,
    /// It is on its way out.
    Stopping,
}

/// The node's phase, and what its clock is worth, which is another question.
#[derive(Debug)]
pub(crate) struct NodeState {
    phase: AtomicU8,
    clock: AtomicU8,
    draining: AtomicBool,
    /// Rings when the node begins to stop.
    bell: Notify,
}

impl NodeState {
    pub(crate) fn new() -> Self {
        let (phase, clock) = (AtomicU8::new(0), AtomicU8::new(0));
        Self { phase, clock, draining: AtomicBool::new(false), bell: Notify::new() }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Joining,
            2 => Phase::CatchingUp,
            3 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }

    /// Moves on; a phase is never entered again, and nothing follows stopping.
    pub(crate) fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Joining => 1,
            Phase::CatchingUp => 2,
            Phase::Ready => 3,
            Phase::Stopping => 4,
        };
        self.phase.fetch_max(number, Ordering::AcqRel);
        if phase == Phase::Stopping {
            self.bell.notify_waiters();
        }
    }

    /// Waits until the node is on its way out.
    pub(crate) async fn stopping(&self) {
        let mut rung = pin!(self.bell.notified());
        rung.as_mut().enable(); // before the look: a phase that is entered in between is heard
        if self.phase() != Phase::Stopping {
            rung.await;
        }
    }

    /// No writes of clients are taken from now on, whatever the phase. Says whether that is new.
    pub(crate) fn drain(&self) -> bool {
        !self.draining.swap(true, Ordering::AcqRel)
    }

    /// Whether writes of clients are refused for good.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// What the clock is worth.
    pub(crate) fn clock(&self) -> Standing {
        match self.clock.load(Ordering::Acquire) {
            0 => Standing::Unjudged,
            1 => Standing::Sound,
            2 => Standing::Undecided,
            3 => Standing::Behind,
            _ => Standing::Fenced,
        }
    }

    /// The clock was judged.
    pub(crate) fn judge_clock(&self, standing: Standing) {
        let number = match standing {
            Standing::Unjudged => 0,
            Standing::Sound => 1,
            Standing::Undecided => 2,
            Standing::Behind => 3,
            Standing::Fenced => 4,
        };
        self.clock.store(number, Ordering::Release);
    }

    /// Whether the node may mint versions: it has joined, and its clock is right enough. Only then do
    /// deadlines pass for good, too.
    pub(crate) fn may_mint(&self) -> bool {
        matches!(self.phase(), Phase::CatchingUp | Phase::Ready | Phase::Stopping)
            && self.clock().may_mint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_mints_once_it_joined_and_its_clock_was_judged() {
        let state = NodeState::new();
        state.judge_clock(Standing::Sound);
        assert!(!state.may_mint());
        state.enter(Phase::CatchingUp);
        for standing in Standing::ALL {
            state.judge_clock(standing);
            assert_eq!((state.clock(), state.may_mint()), (standing, standing.may_mint()));
        }
    }
}

//! Where the node is on its way from start to stop, for everyone to read without a lock.

use std::sync::atomic::{AtomicU8, Ordering};

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

/// The node's phase.
#[derive(Debug)]
pub(crate) struct NodeState {
    phase: AtomicU8,
}

impl NodeState {
    pub(crate) fn new() -> Self {
        Self { phase: AtomicU8::new(0) }
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
    }

    /// Whether the node may mint versions: it has joined.
    pub(crate) fn may_mint(&self) -> bool {
        matches!(self.phase(), Phase::CatchingUp | Phase::Ready | Phase::Stopping)
    }
}

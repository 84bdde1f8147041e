//! When an actor last turned: a tick marks it, and the watchdog looks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// An actor's sign of life. At most one tick is on its way to it.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last_ms: AtomicU64,
    tick_under_way: AtomicBool,
}

impl Turns {
    /// Whether a tick may be sent: the one before has been handled.
    pub(crate) fn may_tick(&self) -> bool {
        !self.tick_under_way.swap(true, Ordering::AcqRel)
    }

    /// Marks a turn at `elapsed_ms` since the node started.
    pub(crate) fn turned(&self, elapsed_ms: u64) {
        self.last_ms.store(elapsed_ms, Ordering::Release);
        self.tick_under_way.store(false, Ordering::Release);
    }

    /// Milliseconds since the last turn.
    pub(crate) fn silent_ms(&self, elapsed_ms: u64) -> u64 {
        elapsed_ms.saturating_sub(self.last_ms.load(Ordering::Acquire))
    }
}

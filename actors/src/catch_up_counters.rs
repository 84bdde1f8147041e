//! What is counted of the catch-ups of a store, and what its readiness hangs on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gridkv_storage::histogram::{Histogram, RUNS};

use crate::views::CatchUpCounts;

/// Counts of a store's catch-ups. Shared with views.
#[derive(Debug)]
pub(crate) struct CatchUpCounters {
    pub(crate) completed: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) running: AtomicBool,
    /// How long the sessions took that came to their end.
    pub(crate) times: Histogram,
    /// Pages that sessions brought.
    pub(crate) pages_taken: AtomicU64,
    pub(crate) pages_served: AtomicU64,
    /// Sessions of peers whose last page was served.
    pub(crate) sessions_served: AtomicU64,
    pub(crate) forgot: AtomicU64,
    /// The store is filled from scratch.
    pub(crate) bootstrapping: AtomicBool,
    /// It is to be emptied for that, once peers have all that it has.
    pub(crate) rebuilding: AtomicBool,
    /// It was made a moment ago, and has not yet what peers had.
    pub(crate) filling: AtomicBool,
    /// Records that sessions have brought.
    pub(crate) records: AtomicU64,
}

impl Default for CatchUpCounters {
    fn default() -> Self {
        let (none, no) = (AtomicU64::default, AtomicBool::default);
        Self {
            completed: none(),
            aborted: none(),
            running: no(),
            times: Histogram::of(&RUNS),
            pages_taken: none(),
            pages_served: none(),
            sessions_served: none(),
            forgot: none(),
            bootstrapping: no(),
            rebuilding: no(),
            filling: no(),
            records: none(),
        }
    }
}

impl CatchUpCounters {
    pub(crate) fn is_bootstrapping(&self) -> bool {
        self.bootstrapping.load(Ordering::Acquire) || self.rebuilding.load(Ordering::Acquire)
    }

    pub(crate) fn view(&self) -> CatchUpCounts {
        CatchUpCounts {
            completed: self.completed.load(Ordering::Relaxed),
            aborted: self.aborted.load(Ordering::Relaxed),
            running: self.running.load(Ordering::Relaxed),
            times: self.times.measured(),
            pages_taken: self.pages_taken.load(Ordering::Relaxed),
            pages_served: self.pages_served.load(Ordering::Relaxed),
            sessions_served: self.sessions_served.load(Ordering::Relaxed),
            forgot: self.forgot.load(Ordering::Relaxed),
            bootstrapping: self.is_bootstrapping(),
            records: self.records.load(Ordering::Relaxed),
        }
    }
}

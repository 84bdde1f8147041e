//! How long something took: the only monotonic clock of the commands, and it can tell nothing but a difference.

use std::time::{Duration, Instant};

/// A measurement that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins.
    #[expect(clippy::disallowed_methods, reason = "durations only, never a timestamp")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the beginning.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

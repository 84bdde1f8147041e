//! How long something took: the only monotonic clock of requests and commands, and it can tell nothing but a
//! difference. What time it is comes from the node's handle.

use std::time::{Duration, Instant};

/// A measurement that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins.
    #[expect(clippy::disallowed_methods, reason = "durations only, never a timestamp")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the beginning.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

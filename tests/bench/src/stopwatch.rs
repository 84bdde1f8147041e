//! The clock of all benchmarks: the only file of this package that reads one.

use std::time::{Duration, Instant};

/// A measurement that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a benchmark is there to read the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the beginning.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Nanoseconds since the beginning, for each of `count` operations.
    #[must_use]
    pub fn nanos_each(self, count: usize) -> f64 {
        self.elapsed().as_secs_f64() * 1e9 / crate::figure::float(count.max(1))
    }
}

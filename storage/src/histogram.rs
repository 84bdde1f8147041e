//! Measurements by size: how often something took how long, or was how large. Plain atomics, one for each
//! bucket, for any number of threads.
//!
//! The bounds of all histograms stand here. To observe is a search among a few numbers and two additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The buckets of a histogram.
#[derive(Debug, PartialEq, Eq)]
pub struct Buckets {
    /// The greatest value of each but the last, which has no bound.
    pub bounds: &'static [u64],
    /// What the values are.
    pub unit: Unit,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// A number of things.
    Count,
}

/// What a client waits for: from a read out of memory to a write that waits for a disk or for peers.
pub static REQUESTS: Buckets = Buckets {
    bounds: &[
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ],
    unit: Unit::Micros,
};

/// What happens within a node: from the wake of a thread to one that does not answer.
pub static TURNS: Buckets = Buckets {
    bounds: &[
        10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
        1_000_000, 10_000_000,
    ],
    unit: Unit::Micros,
};

/// What an operator waits for: from the flush of a small store to the load of a large one.
pub static RUNS: Buckets = Buckets {
    bounds: &[
        1_000,
        5_000,
        10_000,
        50_000,
        100_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        300_000_000,
        1_800_000_000,
    ],
    unit: Unit::Micros,
};

/// How much is done at once.
pub static SIZES: Buckets =
    Buckets { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096], unit: Unit::Count };

/// Measurements, since the node started.
#[derive(Debug)]
pub struct Histogram {
    buckets: &'static Buckets,
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram has measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its buckets.
    pub buckets: &'static Buckets,
    /// How many values fell into each; the last one has no bound.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
}

impl Histogram {
    /// Nothing measured yet.
    pub fn of(buckets: &'static Buckets) -> Self {
        let counts = (0..=buckets.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { buckets, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value, in the unit of the buckets.
    pub fn observe(&self, value: u64) {
        let at = self.buckets.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts what took so long.
    pub fn observe_time(&self, took: Duration) {
        self.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was measured so far.
    pub fn measured(&self) -> Measured {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = self.counts.iter().map(of).collect();
        Measured { buckets: self.buckets, counts, sum: of(&self.sum) }
    }
}

impl Measured {
    /// No value.
    pub fn nothing(buckets: &'static Buckets) -> Self {
        Histogram::of(buckets).measured()
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_is_large_enough() {
        let sizes = Histogram::of(&SIZES);
        for value in [0, 1, 2, 3, 4, 4_096, 4_097] {
            sizes.observe(value);
        }
        let measured = sizes.measured();
        assert_eq!(measured.counts, [2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((measured.count(), measured.sum), (7, 8_203));
    }

    #[test]
    fn times_are_counted_in_microseconds() {
        let times = Histogram::of(&TURNS);
        times.observe_time(Duration::from_nanos(10_999));
        times.observe_time(Duration::from_mins(1));
        let measured = times.measured();
        assert_eq!((measured.counts[0], measured.counts.last()), (1, Some(&1)));
        assert_eq!(measured.sum, 60_000_010);
    }

    #[test]
    fn bounds_grow() {
        for buckets in [&REQUESTS, &TURNS, &RUNS, &SIZES] {
            assert!(buckets.bounds.is_sorted_by(|one, next| one < next), "{buckets:?}");
        }
    }
}

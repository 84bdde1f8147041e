//! Which key comes next: any, one after the other, or some much more often than others.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much more often: the exponent of the distribution, as YCSB has it.
const SKEW: f64 = 0.99;

/// A choice of keys.
#[derive(Debug)]
pub(super) enum Keys {
    /// Each as likely as the others.
    Any {
        /// How many.
        range: u64,
    },
    /// One after the other.
    InOrder {
        /// How many.
        range: u64,
        /// Those that were given.
        next: AtomicU64,
    },
    /// The first the likeliest.
    Zipf(Zipf),
}

/// What the choice by Zipf's law needs (Gray et al., "Quickly generating billion-record synthetic databases").
#[derive(Debug)]
pub(super) struct Zipf {
    range: u64,
    count: f64,
    zeta: f64,
    eta: f64,
}

impl Keys {
    pub(super) fn new(range: u64, zipf: bool) -> Self {
        if zipf { Self::Zipf(Zipf::new(range)) } else { Self::Any { range } }
    }

    pub(super) fn in_order(range: u64) -> Self {
        Self::InOrder { range, next: AtomicU64::new(0) }
    }

    /// The next one.
    pub(super) fn next(&self, random: &mut fastrand::Rng) -> String {
        let number = match self {
            Self::Any { range } => random.u64(..*range),
            Self::InOrder { range, next } => next.fetch_add(1, Ordering::Relaxed) % range,
            Self::Zipf(zipf) => zipf.pick(random.f64()),
        };
        format!("bench:{number}")
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a distribution of keys, bounded by their number"
)]
impl Zipf {
    fn new(range: u64) -> Self {
        let zeta = |count: u64| (1..=count).map(|rank| (rank as f64).powf(-SKEW)).sum::<f64>();
        let (all, two, count) = (zeta(range), zeta(range.min(2)), range as f64);
        let eta = (1.0 - (2.0 / count).powf(1.0 - SKEW)) / (1.0 - two / all);
        Self { range, count, zeta: all, eta }
    }

    /// The key for a number from 0 to 1.
    fn pick(&self, uniform: f64) -> u64 {
        let at = uniform * self.zeta;
        if at < 1.0 {
            return 0;
        }
        if at < 1.0 + 0.5_f64.powf(SKEW) {
            return 1.min(self.range - 1);
        }
        let share = (self.eta * uniform - self.eta + 1.0).max(0.0).powf(1.0 / (1.0 - SKEW));
        ((self.count * share) as u64).min(self.range - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_keys_are_asked_for_much_more_often() {
        let (zipf, mut random) = (Keys::new(1_000, true), fastrand::Rng::with_seed(1));
        let picks: Vec<String> = (0..10_000).map(|_| zipf.next(&mut random)).collect();
        let of = |key: &str| picks.iter().filter(|pick| *pick == key).count();
        assert!((1_000..2_000).contains(&of("bench:0")), "{}", of("bench:0"));
        assert!(of("bench:0") > of("bench:1") && of("bench:1") > of("bench:100"));
        let one = Keys::new(1, true);
        assert!((0..100).all(|_| one.next(&mut random) == "bench:0"));
    }

    #[test]
    fn in_order_means_each_once() {
        let (keys, mut random) = (Keys::in_order(3), fastrand::Rng::with_seed(1));
        let given: Vec<String> = (0..4).map(|_| keys.next(&mut random)).collect();
        assert_eq!(given, ["bench:0", "bench:1", "bench:2", "bench:0"]);
    }
}

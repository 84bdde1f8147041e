//! What was measured.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};

use super::Kind;

/// The longest latency that is told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;
/// Digits that are kept of a latency.
const DIGITS: u8 = 3;
/// What is told of latencies, besides the longest.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// The results of one test, or of one client of it.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) kind: Kind,
    /// Operations that were answered as they should.
    pub(super) operations: u64,
    /// Operations that were not.
    pub(super) errors: u64,
    /// Why, of the first.
    pub(super) first_error: Option<String>,
    /// How long all of it took.
    pub(super) seconds: f64,
    latencies: Histogram<u64>,
}

impl Outcome {
    pub(super) const CSV_HEAD: &'static str =
        "test,operations,per_second,p50_ms,p90_ms,p99_ms,p99_9_ms,max_ms,errors";

    pub(super) fn new(kind: Kind) -> anyhow::Result<Self> {
        let latencies = Histogram::new_with_bounds(1, LONGEST_US, DIGITS)?;
        Ok(Self { kind, operations: 0, errors: 0, first_error: None, seconds: 0.0, latencies })
    }

    /// A request with so many operations was answered.
    pub(super) fn request(&mut self, took: Duration, operations: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        self.operations += operations;
    }

    /// So many operations failed.
    pub(super) fn failed(&mut self, operations: u64, why: impl FnOnce() -> String) {
        self.errors += operations;
        self.first_error.get_or_insert_with(why);
    }

    /// What another client measured.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.errors += other.errors;
        // They began together.
        self.seconds = self.seconds.max(other.seconds);
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        // Both have the same bounds, so that nothing of it can be out of them.
        self.latencies.add(&other.latencies).ok();
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is shown without digits")]
    pub(super) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.operations as f64 / self.seconds } else { 0.0 }
    }

    /// The percentiles and the longest, in milliseconds.
    pub(super) fn latencies(&self) -> [f64; 5] {
        let [p50, p90, p99, p999] =
            PERCENTILES.map(|at| ms(self.latencies.value_at_percentile(at)));
        [p50, p90, p99, p999, ms(self.latencies.max())]
    }

    pub(super) fn csv(&self) -> String {
        let latencies = self.latencies().map(|ms| format!("{ms:.3}")).join(",");
        let Self { kind, operations, errors, .. } = self;
        format!("{},{operations},{:.1},{latencies},{errors}", kind.as_str(), self.per_second())
    }

    pub(super) fn json(&self) -> Json {
        let [p50, p90, p99, p999, max] = self.latencies();
        json!({
            "test": self.kind.as_str(), "operations": self.operations, "seconds": self.seconds,
            "per_second": self.per_second(), "errors": self.errors, "first_error": self.first_error,
            "latency_ms": {"p50": p50, "p90": p90, "p99": p99, "p99.9": p999, "max": max},
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most ten minutes")]
fn ms(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_added_up() {
        let mut all = Outcome::new(Kind::Get).unwrap();
        for ms in [1, 2, 3, 100] {
            let mut one = Outcome::new(Kind::Get).unwrap();
            one.request(Duration::from_millis(ms), 10);
            all.add(&one);
        }
        all.failed(1, || "why".to_owned());
        all.seconds = 2.0;
        assert_eq!((all.operations, all.errors), (40, 1));
        assert!((all.per_second() - 20.0).abs() < f64::EPSILON);
        let [p50, .., max] = all.latencies();
        assert!((1.9..2.1).contains(&p50) && (99.0..101.0).contains(&max), "{p50} {max}");
        assert!(all.csv().starts_with("get,40,20.0,2.0"), "{}", all.csv());
    }
}

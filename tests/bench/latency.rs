//! The distribution of single operations' times.

use std::time::Duration;

/// Times of single operations.
#[derive(Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Notes one operation.
    pub fn note(&mut self, elapsed: Duration) {
        self.0.push(elapsed);
    }

    /// The longest, in microseconds.
    pub fn longest_us(&self) -> f64 {
        self.0.iter().max().map_or(0.0, micros)
    }

    /// The time that 99.9 % of the operations stayed under, in microseconds.
    pub fn p999_us(&mut self) -> f64 {
        self.0.sort_unstable();
        let rank = self.0.len().saturating_sub(1) * 999 / 1000;
        self.0.get(rank).map_or(0.0, micros)
    }
}

fn micros(elapsed: &Duration) -> f64 {
    elapsed.as_secs_f64() * 1e6
}

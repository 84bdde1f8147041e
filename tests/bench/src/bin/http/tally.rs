//! What was counted while something worked, and how it passes from one process to the other.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::float;

/// Requests of one contender in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Requests that were measured.
    pub(crate) requests: usize,
    /// Requests before that, while connections were made and code was warm.
    pub(crate) warming: usize,
    /// How long the measured ones took together.
    pub(crate) seconds: f64,
    /// Microseconds that half of them stayed within.
    pub(crate) p50_us: f64,
    /// The same for 99 of 100.
    pub(crate) p99_us: f64,
}

impl Tally {
    /// The tally of requests that took `took` together.
    pub(crate) fn new(times: &Distribution, warming: usize, took: Duration) -> Self {
        let micros = |rank| times.per_mille(rank).as_secs_f64() * 1e6;
        Self {
            requests: times.count(),
            warming,
            seconds: took.as_secs_f64(),
            p50_us: micros(500),
            p99_us: micros(990),
        }
    }

    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.requests) / self.seconds
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, warming, seconds, p50_us, p99_us } = self;
        write!(f, "{requests} {warming} {seconds} {p50_us} {p99_us}")
    }
}

impl FromStr for Tally {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[requests, warming, seconds, p50_us, p99_us] = words.as_slice() else {
            return Err(format!("not a tally: {text:?}").into());
        };
        Ok(Self {
            requests: requests.parse()?,
            warming: warming.parse()?,
            seconds: seconds.parse()?,
            p50_us: p50_us.parse()?,
            p99_us: p99_us.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_passes_as_text() {
        let tally = Tally { requests: 10, warming: 2, seconds: 0.5, p50_us: 40.25, p99_us: 90.0 };
        assert_eq!(tally.to_string().parse::<Tally>().unwrap(), tally);
        assert!("10 2".parse::<Tally>().is_err());
    }
}

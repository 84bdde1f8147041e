//! The distribution of single operations' times.

use std::time::Duration;

/// Times of single operations.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    times: Vec<Duration>,
}

impl Distribution {
    /// Notes one operation.
    pub fn note(&mut self, took: Duration) {
        self.times.push(took);
    }

    /// All operations of several.
    #[must_use]
    pub fn joined(parts: impl IntoIterator<Item = Self>) -> Self {
        Self { times: parts.into_iter().flat_map(|part| part.times).collect() }
    }

    /// Operations noted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// The time that this many of a thousand operations stayed within.
    #[must_use]
    pub fn per_mille(&self, rank: usize) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let place = sorted.len().saturating_sub(1) * rank.min(1_000) / 1_000;
        sorted.get(place).copied().unwrap_or_default()
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        self.times.iter().sum::<Duration>().checked_div(count).unwrap_or_default()
    }

    /// The longest.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.times.iter().max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_found() {
        let mut distribution = Distribution::default();
        (1..=1_001).rev().for_each(|ms| distribution.note(Duration::from_millis(ms)));
        assert_eq!(distribution.per_mille(500), Duration::from_millis(501));
        assert_eq!(distribution.per_mille(990), Duration::from_millis(991));
        assert_eq!(distribution.longest(), Duration::from_millis(1_001));
        assert_eq!(distribution.mean(), Duration::from_millis(501));
        let nothing = Distribution::default();
        assert_eq!((nothing.per_mille(500), nothing.mean()), (Duration::ZERO, Duration::ZERO));
    }
}

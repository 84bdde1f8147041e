//! What a run of one target came to, in one line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::tally::Tally;

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The run and the target.
    pub name: String,
    /// Faults that were made.
    pub cycles: u64,
    /// Acknowledged writes.
    pub acked: Tally,
    /// Those of them that were gone after a fault.
    pub lost: Tally,
    /// Keys that were there at the last look.
    pub keys: usize,
    /// The longest that a node took to be ready after a fault.
    pub slowest_ready: Duration,
    /// What this run alone counts, by name.
    pub counts: BTreeMap<String, u64>,
    /// How long it all took.
    pub took: Duration,
}

impl Summary {
    /// Adds to one of the counts of this run alone.
    pub(crate) fn count(&mut self, what: impl Into<String>, more: u64) {
        *self.counts.entry(what.into()).or_default() += more;
    }

    /// Notes how long a node took to be ready.
    pub(crate) fn ready_after(&mut self, time: Duration) {
        self.slowest_ready = self.slowest_ready.max(time);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cycles, acked, lost, keys, slowest_ready, counts, took } = self;
        write!(f, "{name}: {cycles} cycles in {:.1} s; {keys} keys; ", took.as_secs_f64())?;
        write!(f, "acknowledged: {acked}; lost: {lost}; ")?;
        write!(f, "ready within {:.2} s", slowest_ready.as_secs_f64())?;
        counts.iter().try_for_each(|(what, count)| write!(f, "; {what}: {count}"))
    }
}

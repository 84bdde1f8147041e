//! Waiting for a condition, up to a deadline: the only file of this package that reads a clock.
//!
//! Sleeping for a fixed time is either too short on a busy machine or too long on all others, so nobody here does it.
//! Whoever waits says what for, and a wait that fails says it again.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// How long a wait sleeps between two looks: short beside anything waited for, long beside the cost of a look.
pub const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// A moment after which waiting is given up. Made from a [`Duration`], counted from that conversion.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline `limit` from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self { start: now(), limit }
    }

    /// What is left; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The error of a wait for `what` that ran into this deadline.
    #[must_use]
    pub fn missed(&self, what: impl fmt::Display) -> WaitError {
        WaitError { what: what.to_string(), limit: self.limit }
    }
}

impl From<Duration> for Deadline {
    fn from(limit: Duration) -> Self {
        Self::after(limit)
    }
}

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    start: Instant,
}

impl Stopwatch {
    /// Starts measuring now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: now() }
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// What was waited for did not happen in time. It may still happen.
#[derive(Clone, Debug, thiserror::Error)]
#[error("waited {limit:?} in vain for {what}")]
pub struct WaitError {
    /// What was waited for, in the words of the caller.
    pub what: String,
    /// How long the wait was allowed to take.
    pub limit: Duration,
}

/// Waits until `condition` holds. It is looked at before the first sleep and once more after the deadline has passed.
///
/// # Errors
/// [`WaitError`], naming `what`, when the deadline passed first.
pub fn wait_until(
    deadline: impl Into<Deadline>,
    what: impl fmt::Display,
    mut condition: impl FnMut() -> bool,
) -> Result<(), WaitError> {
    wait_for(deadline, what, || condition().then_some(()))
}

/// Waits until `probe` finds something, and returns it. A probe that wants to give up early returns a `Result`.
///
/// # Errors
/// [`WaitError`], naming `what`, when the deadline passed first.
pub fn wait_for<T>(
    deadline: impl Into<Deadline>,
    what: impl fmt::Display,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T, WaitError> {
    let deadline = deadline.into();
    loop {
        let last_look = deadline.has_passed();
        if let Some(found) = probe() {
            return Ok(found);
        }
        if last_look {
            return Err(deadline.missed(what));
        }
        thread::sleep(POLL_INTERVAL.min(deadline.remaining()));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "processes live in real time; every wait and measurement of this package goes through this line"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_holds_is_noticed_without_waiting() {
        wait_until(Duration::ZERO, "nothing", || true).unwrap();
    }

    #[test]
    fn a_wait_ends_when_the_condition_comes_true() {
        let mut looks = 0;
        let found = wait_for(Duration::from_secs(10), "three looks", || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn a_wait_in_vain_says_what_for() {
        let error = wait_until(Duration::from_millis(1), "the moon", || false).unwrap_err();
        assert_eq!(error.to_string(), "waited 1ms in vain for the moon");
    }
}

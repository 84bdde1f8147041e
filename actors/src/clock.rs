//! The clock source: the one file that reads a clock.
//!
//! Physical time is the wall clock at start plus monotonic time, slewed towards the wall by at most
//! 0.5%. A wall clock that is set forward or back while the node runs is not followed at once, so one
//! bad step can neither reorder writes nor push a node out of its peers' skew limit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gridkv_protocol::{Hlc, UnixMs};

/// The most that physical time is moved towards the wall: one part in this many of the time passed.
const SLEW_DIVISOR: i64 = 200;

/// Reads time. Shared by everything on a node.
#[derive(Debug)]
pub struct ClockSource {
    started: Instant,
    wall_at_start: UnixMs,
    /// Milliseconds added to the monotonic clock so far, by slewing.
    slewed: AtomicU64,
    last_slew: Mutex<Instant>,
    /// What [`ClockSource::now`] said last: it never says less.
    said: AtomicU64,
    /// The greatest point of any store's hybrid clock on this node, and of what it saw.
    observed: AtomicU64,
}

impl ClockSource {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            wall_at_start: wall(),
            slewed: AtomicU64::new(0),
            last_slew: Mutex::new(started),
            said: AtomicU64::new(0),
            observed: AtomicU64::new(0),
        }
    }

    /// Physical time. Never goes back while the node runs: where it is slewed back, it stands.
    pub fn now(&self) -> UnixMs {
        let now = self.reckoned().0;
        UnixMs(now.max(self.said.fetch_max(now, Ordering::AcqRel)))
    }

    fn reckoned(&self) -> UnixMs {
        let slewed = self.slewed.load(Ordering::Relaxed).cast_signed();
        self.wall_at_start.plus(self.elapsed_ms().saturating_add_signed(slewed))
    }

    /// How far the wall clock is ahead of physical time, in milliseconds; negative when behind.
    pub fn wall_ahead_ms(&self) -> i64 {
        wall().0.cast_signed() - self.reckoned().0.cast_signed()
    }

    /// Steps forward. Only for a machine that slept, when its peers agree.
    pub fn step_forward(&self, ms: u64) {
        self.slewed.fetch_add(ms, Ordering::Relaxed);
    }

    /// Milliseconds since the node started, unslewed.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Moves physical time towards the wall clock, by at most 0.5% of the time since the last call.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn slew(&self) {
        let Ok(mut last) = self.last_slew.lock() else { return };
        let now = Instant::now();
        let step = signed_ms(now.duration_since(*last)) / SLEW_DIVISOR;
        if step == 0 {
            return; // wait until a whole millisecond may be moved
        }
        *last = now;
        let moved = self.wall_ahead_ms().clamp(-step, step);
        self.slewed.fetch_add(moved.cast_unsigned(), Ordering::Relaxed);
    }

    /// Notes a point that a store's clock reached, or that a member's clock was seen at.
    pub fn observe(&self, seen: Hlc) {
        self.observed.fetch_max(seen.bits(), Ordering::AcqRel);
    }

    /// The greatest point noted.
    pub fn observed(&self) -> Hlc {
        Hlc::from_bits(self.observed.load(Ordering::Acquire))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
fn wall() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn signed_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

// CAVEATS: whether to step forward is decided by the cluster actor, which knows the peers' clocks. A node
// that runs ahead of its peers only stops minting once fencing comes; until then its batches wait there.

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_time_starts_at_the_wall_and_never_goes_back() {
        let clock = ClockSource::start();
        let mut last = clock.now();
        assert!(wall().since(last) < 10_000);
        for _ in 0..1_000 {
            clock.slew();
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn it_steps_forward_and_stands_instead_of_going_back() {
        let clock = ClockSource::start();
        let before = clock.now();
        clock.step_forward(60_000);
        assert!(clock.now().since(before) >= 60_000);
        assert!(clock.wall_ahead_ms() <= -59_000);
        clock.slewed.fetch_sub(60_000, Ordering::Relaxed);
        let stands = clock.now();
        assert!(stands.since(before) >= 60_000 && clock.now() == stands);
    }

    #[test]
    fn what_was_observed_only_grows() {
        let clock = ClockSource::start();
        clock.observe(Hlc::from_bits(7));
        clock.observe(Hlc::from_bits(5));
        assert_eq!(clock.observed(), Hlc::from_bits(7));
    }
}

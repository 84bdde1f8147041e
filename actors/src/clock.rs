//! The clock source: the one file that reads a clock.
//!
//! Physical time is the wall clock at start plus monotonic time, slewed towards the wall by at most
//! 0.5%, or stepped forward to it, when it is told to. A wall clock that is set forward or back while the
//! node runs is not followed by itself, so one bad step can neither reorder writes nor push a node out of
//! its peers' skew limit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gridkv_protocol::wall::Course;
use gridkv_protocol::{Hlc, UnixMs};

/// The most that physical time is moved towards the wall: one part in this many of the time passed.
const SLEW_DIVISOR: i64 = 200;

/// Reads time. Shared by everything on a node.
#[derive(Debug)]
pub struct ClockSource {
    started: Instant,
    wall_at_start: UnixMs,
    /// Milliseconds added to the monotonic clock so far, by slews and steps.
    slewed: AtomicU64,
    last_look: Mutex<Instant>,
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
            last_look: Mutex::new(started),
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

    /// Milliseconds since the node started, unslewed.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Microseconds since the node started, unslewed.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds that slews and steps have added to physical time.
    pub fn corrected_ms(&self) -> i64 {
        self.slewed.load(Ordering::Relaxed).cast_signed()
    }

    /// Takes a course beside the wall clock: slews by at most 0.5% of the time since the last call, or steps
    /// forward. Says by how many milliseconds physical time was moved.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn follow(&self, course: Course) -> i64 {
        let Ok(mut last) = self.last_look.lock() else { return 0 };
        let now = Instant::now();
        let most = signed_ms(now.duration_since(*last)) / SLEW_DIVISOR;
        let moved = match course {
            Course::Hold => 0,
            Course::Slew if most == 0 => return 0, // wait until a whole millisecond may be moved
            Course::Slew => self.wall_ahead_ms().clamp(-most, most),
            Course::Step => self.wall_ahead_ms().max(0),
        };
        *last = now;
        self.slewed.fetch_add(moved.cast_unsigned(), Ordering::Relaxed);
        moved
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

// CAVEATS: which course to take is decided by the fence, which knows the peers' clocks. Physical time never
// steps back, because timers run on it: far ahead of the wall it stays so until the node starts again.

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_time_starts_at_the_wall_and_never_goes_back() {
        let clock = ClockSource::start();
        let mut last = clock.now();
        assert!(wall().since(last) < 10_000);
        for _ in 0..1_000 {
            clock.follow(Course::Slew);
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    /// A clock that started beside a wall clock which has been put right since, by so much.
    fn started_ahead(ms: i64) -> ClockSource {
        let mut clock = ClockSource::start();
        clock.wall_at_start = clock.wall_at_start.moved(ms);
        clock
    }

    #[test]
    fn it_steps_forward_to_the_wall_and_no_further() {
        let clock = started_ahead(-60_000);
        let before = clock.now();
        assert_eq!(clock.follow(Course::Hold), 0);
        assert!(clock.wall_ahead_ms() > 59_000, "not followed by itself");
        assert!(clock.follow(Course::Step) > 59_000);
        assert!(clock.now().since(before) >= 59_000 && clock.wall_ahead_ms().abs() < 1_000);
    }

    #[test]
    fn it_never_steps_back_and_slews_by_little() {
        let clock = started_ahead(60_000);
        let before = clock.now();
        assert_eq!(clock.follow(Course::Step), 0);
        let moved = clock.follow(Course::Slew);
        assert!((-5_000..=0).contains(&moved), "{moved}");
        assert_eq!(clock.corrected_ms(), moved);
        assert!(clock.now() >= before);
        clock.slewed.fetch_sub(60_000, Ordering::Relaxed);
        let stands = clock.now();
        assert!(stands >= before && clock.now() == stands);
    }

    #[test]
    fn what_was_observed_only_grows() {
        let clock = ClockSource::start();
        clock.observe(Hlc::from_bits(7));
        clock.observe(Hlc::from_bits(5));
        assert_eq!(clock.observed(), Hlc::from_bits(7));
    }
}

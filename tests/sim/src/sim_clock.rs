//! Clocks: a machine's quartz and wall, which drift and jump, and a node's clock made of them.
//!
//! [`NodeClock`] keeps the rules of the node's own clock source: wall time at start plus monotonic time,
//! slewed by at most 0.5% or stepped forward, never back.

use gridkv_protocol::wall::Course;
use gridkv_protocol::{Hlc, UnixMs};

/// Wall time when a world begins: late enough for epochs made of seconds.
const BEGINNING_MS: u64 = 1_000_000_000;

/// The most that a node's clock is moved towards the wall: one part in this many of the time passed.
const SLEW_DIVISOR: i64 = 200;

/// What a machine's clocks say at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since the machine was switched on.
    pub mono: u64,
    /// What it takes for the time.
    pub wall: UnixMs,
}

/// The quartz of a machine, and its wall clock.
#[derive(Clone, Debug, Default)]
pub struct MachineClock {
    /// Parts of a million that the quartz is fast; negative when slow.
    drift: i64,
    /// When the drift last changed, and what the quartz said then.
    since: u64,
    reading: u64,
    /// What somebody added to the wall clock.
    offset: i64,
}

impl MachineClock {
    /// A clock whose wall is `offset` milliseconds ahead.
    #[must_use]
    pub fn new(offset: i64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// What it says at `now` milliseconds of the world.
    #[must_use]
    pub fn at(&self, now: u64) -> Moment {
        let passed = now.saturating_sub(self.since);
        let gained = passed.cast_signed() * self.drift / 1_000_000;
        let mono = self.reading + passed.saturating_add_signed(gained);
        Moment { mono, wall: UnixMs((BEGINNING_MS + mono).saturating_add_signed(self.offset)) }
    }

    /// Sets the wall clock by so many milliseconds.
    pub fn jump(&mut self, ms: i64) {
        self.offset += ms;
    }

    /// From now on the quartz is fast or slow by so many parts of a million.
    pub fn drifts(&mut self, now: u64, drift: i64) {
        self.reading = self.at(now).mono;
        (self.since, self.drift) = (now, drift);
    }

    /// Somebody sets the wall clock to `offset` milliseconds ahead of the true time, and changes the quartz
    /// for one that keeps it.
    pub fn repair(&mut self, now: u64, offset: i64) {
        self.drifts(now, 0);
        self.offset = true_time(now).0.cast_signed() - (BEGINNING_MS + self.reading).cast_signed();
        self.offset += offset;
    }
}

/// The time that a clock without fault shows.
#[must_use]
pub fn true_time(now: u64) -> UnixMs {
    UnixMs(BEGINNING_MS + now)
}

/// The clock of a running node.
#[derive(Debug)]
pub struct NodeClock {
    started: Moment,
    moment: Moment,
    slewed: i64,
    last_look: u64,
    said: UnixMs,
    observed: Hlc,
}

impl NodeClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start(moment: Moment) -> Self {
        let (started, last_look, said) = (moment, moment.mono, UnixMs(0));
        Self { started, moment, slewed: 0, last_look, said, observed: Hlc::ZERO }
    }

    /// The machine's clocks moved on.
    pub fn pass(&mut self, moment: Moment) {
        self.moment = moment;
        self.said = self.said.max(self.reckoned());
    }

    /// Physical time: never goes back while the node runs.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.said.max(self.reckoned())
    }

    fn reckoned(&self) -> UnixMs {
        let elapsed = (self.moment.mono - self.started.mono).saturating_add_signed(self.slewed);
        self.started.wall.plus(elapsed)
    }

    /// How far the wall clock is ahead of physical time, in milliseconds.
    #[must_use]
    pub fn wall_ahead_ms(&self) -> i64 {
        self.moment.wall.0.cast_signed() - self.reckoned().0.cast_signed()
    }

    /// Takes a course beside the wall clock: slews by at most 0.5% of the time since the last call, or steps
    /// forward. Says by how many milliseconds physical time was moved.
    pub fn follow(&mut self, course: Course) -> i64 {
        let most = (self.moment.mono - self.last_look).cast_signed() / SLEW_DIVISOR;
        let moved = match course {
            Course::Hold => 0,
            Course::Slew if most == 0 => return 0,
            Course::Slew => self.wall_ahead_ms().clamp(-most, most),
            Course::Step => self.wall_ahead_ms().max(0),
        };
        self.last_look = self.moment.mono;
        self.slewed += moved;
        moved
    }

    /// Notes a point that a store's clock reached, or that a member's clock was seen at.
    pub fn observe(&mut self, seen: Hlc) {
        self.observed = self.observed.max(seen);
    }

    /// The greatest point noted.
    #[must_use]
    pub fn observed(&self) -> Hlc {
        self.observed
    }
}

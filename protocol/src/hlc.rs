//! The hybrid logical clock: physical milliseconds and a counter in one ordered number.
//!
//! [`Hlc`] is a point of that clock, [`HlcClock`] hands points out. A node mints with
//! [`HlcClock::mint`] and moves its clock past what it sees with [`HlcClock::observe`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mutant::{self, Mutant};
use crate::time::UnixMs;

const COUNTER_BITS: u32 = 16;

/// A point in hybrid time: 48 bits of Unix milliseconds, then 16 bits of counter.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Hlc(u64);

impl Hlc {
    /// Before every minted point. "Nothing of this origin."
    pub const ZERO: Self = Self(0);

    /// Beyond every minted point. "Everything of this origin": where a closed origin stands.
    pub const CLOSED: Self = Self(u64::MAX);

    /// No clock moves past this point (year 4199): minting from here can not overflow, and the two highest
    /// bits are free for what a frontier notes of closed origins.
    pub(crate) const CEILING: Self = Self(u64::MAX >> 2);

    /// The first point of a millisecond; past 48 bits it stays at the last millisecond.
    #[must_use]
    pub fn at(now: UnixMs) -> Self {
        Self(now.0.min(u64::MAX >> COUNTER_BITS) << COUNTER_BITS)
    }

    /// The last point of a millisecond: what a skew limit compares with.
    #[must_use]
    pub fn end_of(now: UnixMs) -> Self {
        Self(Self::at(now).0 | u64::from(u16::MAX))
    }

    /// From its number, as it stands on the wire and in files.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its number: 48 bits of milliseconds above 16 bits of counter.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The physical part, in Unix milliseconds.
    #[must_use]
    pub fn physical(self) -> UnixMs {
        UnixMs(self.0 >> COUNTER_BITS)
    }

    /// The next greater point. A full counter borrows the next millisecond.
    #[must_use]
    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Hands out strictly increasing points, never behind the physical clock or anything observed.
#[derive(Debug, Default)]
pub struct HlcClock {
    last: Hlc,
}

impl HlcClock {
    /// A clock that starts no lower than `least`: the greatest point a node has ever kept.
    #[must_use]
    pub fn starting_at(least: Hlc) -> Self {
        Self { last: least.min(Hlc::CEILING) }
    }

    /// The next point: greater than all minted and observed before.
    pub fn mint(&mut self, now: UnixMs) -> Hlc {
        let least =
            if mutant::is(Mutant::WallClockVersions) { Hlc::ZERO } else { self.last.next() };
        self.last = Hlc::at(now).min(Hlc::CEILING).max(least);
        self.last
    }

    /// Moves the clock to `seen`, so that the next mint is greater. The caller has judged its skew.
    pub fn observe(&mut self, seen: Hlc) {
        self.last = self.last.max(seen.min(Hlc::CEILING));
    }

    /// The greatest point minted or observed so far.
    #[must_use]
    pub fn last(&self) -> Hlc {
        self.last
    }
}

// CAVEATS: the skew of what is observed is judged by the applier and the catch-up, against physical
// time; a clock that was moved into the future by a bad peer would stay there.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Turn {
        Mint(u64),
        Observe(u64),
    }

    /// Moments and points that lie close together, at full counters, and just below the end.
    fn any_turn() -> impl Strategy<Value = Turn> {
        let last = Hlc::CEILING.0;
        prop_oneof![
            (0u64..4).prop_map(Turn::Mint),
            any::<u64>().prop_map(Turn::Mint),
            (0u64..4, 0u64..2)
                .prop_map(|(ms, off)| Turn::Observe((ms << COUNTER_BITS) - off.min(ms))),
            (last - 1_000..last).prop_map(Turn::Observe),
            any::<u64>().prop_map(Turn::Observe),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_minted_exceeds_all_before_it(turns in prop::collection::vec(any_turn(), 1..40)) {
            let mut clock = HlcClock::default();
            let (mut last, mut seen) = (Hlc::ZERO, Hlc::ZERO);
            for turn in turns {
                match turn {
                    Turn::Mint(now) => {
                        let minted = clock.mint(UnixMs(now));
                        prop_assert!(minted > last && minted > seen, "{} after {} {}", minted, last, seen);
                        prop_assert!(minted >= Hlc::at(UnixMs(now)).min(Hlc::CEILING));
                        prop_assert_eq!(minted, clock.last());
                        last = minted;
                    }
                    Turn::Observe(bits) => {
                        let point = Hlc::from_bits(bits);
                        clock.observe(point);
                        // What lies past the ceiling is not followed: a clock can always go on.
                        seen = seen.max(point.min(Hlc::CEILING));
                        prop_assert!(clock.last() >= last && clock.last() >= seen);
                    }
                }
            }
        }
    }

    #[test]
    fn minting_is_strictly_increasing_even_when_time_stands_or_goes_back() {
        let mut clock = HlcClock::default();
        let mut last = Hlc::ZERO;
        for now in [5, 5, 5, 7, 6, 1, 7, 8] {
            let minted = clock.mint(UnixMs(now));
            assert!(minted > last, "{minted} after {last}");
            last = minted;
        }
        assert_eq!(last, Hlc::at(UnixMs(8)));
    }

    #[test]
    fn a_full_counter_borrows_the_next_millisecond() {
        let mut clock = HlcClock::starting_at(Hlc::end_of(UnixMs(5)));
        let minted = clock.mint(UnixMs(5));
        assert_eq!(minted, Hlc::at(UnixMs(6)));
        assert!(clock.mint(UnixMs(6)) > minted);
    }

    #[test]
    fn observing_moves_the_next_mint_past_what_was_seen() {
        let mut clock = HlcClock::default();
        let seen = Hlc::end_of(UnixMs(9));
        clock.observe(seen);
        assert!(clock.mint(UnixMs(1)) > seen);
        clock.observe(Hlc::ZERO);
        assert!(clock.last() > seen, "observing never moves back");
    }

    #[test]
    fn the_end_of_time_leaves_room_to_mint() {
        let mut clock = HlcClock::starting_at(Hlc::from_bits(u64::MAX));
        clock.observe(Hlc::from_bits(u64::MAX));
        let first = clock.mint(UnixMs(u64::MAX));
        assert!(clock.mint(UnixMs(u64::MAX)) > first);
    }
}

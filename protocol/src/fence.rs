//! The fence: whether this node's clock is right enough for it to mint versions.
//!
//! A node that is ahead of most members would mint versions that nobody takes and that later writes of
//! others do not beat, so it mints nothing: neither writes nor points that close time. A node that is
//! behind them can not take what they write, and says so. Two nodes can not tell who is wrong: nobody is
//! fenced then.
//!
//! What a starting node's clock says is believed only once the peers that answer bear it out, or none
//! does: a point that is minted in the future stays there when the clock is put right.

use std::collections::BTreeSet;

use crate::limits::{FENCE_HOLD_MS, FENCE_PERCENT, UNFENCE_PERCENT};
use crate::mutant::{self, Mutant};
use crate::skews::Skews;
use crate::wall::Course;
use crate::{NodeId, Origin, UnixMs};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A member reported its physical time.
    Reported {
        /// Who, in which run.
        from: Origin,
        /// Its physical time when it reported.
        now: UnixMs,
    },
    /// This node's physical time was moved by so many milliseconds, beside the time that passed.
    Moved(i64),
    /// Time passed: the clock is judged.
    Tick {
        /// All other members, silent ones too.
        others: &'a BTreeSet<NodeId>,
        /// Whether every member that may answer a starting node has.
        listened: bool,
    },
}

/// What this node's clock is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody was heard yet: nothing is minted.
    #[default]
    Unjudged,
    /// Most members agree with it, or nobody contradicts.
    Sound,
    /// Some member's clock is far from it, and too few are heard to tell who is wrong.
    Undecided,
    /// It is behind most members, by more than they may be ahead: what they write waits.
    Behind,
    /// It is ahead of most members: nothing is minted.
    Fenced,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unjudged, Self::Sound, Self::Undecided, Self::Behind, Self::Fenced];

    /// Whether the node may mint versions and close time.
    #[must_use]
    pub fn may_mint(self) -> bool {
        mutant::is(Mutant::NoFence) || !matches!(self, Self::Unjudged | Self::Fenced)
    }

    /// The word that users know it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unjudged => "unjudged",
            Self::Sound => "sound",
            Self::Undecided => "undecided",
            Self::Behind => "behind",
            Self::Fenced => "fenced",
        }
    }
}

/// The fence of one node.
#[derive(Debug)]
pub struct Fence {
    max_clock_skew_ms: u64,
    skews: Skews,
    standing: Standing,
    /// Since when it has looked ahead of most members.
    ahead_since: Option<UnixMs>,
}

impl Fence {
    /// A fence that has heard nobody. A member is fresh for `fresh_ms` milliseconds after a report.
    #[must_use]
    pub fn new(max_clock_skew_ms: u64, fresh_ms: u64) -> Self {
        Self {
            max_clock_skew_ms,
            skews: Skews::new(fresh_ms),
            standing: Standing::Unjudged,
            ahead_since: None,
        }
    }

    /// Takes what happened; says what the clock is worth when that has changed. `now` is physical time.
    pub fn step(&mut self, now: UnixMs, event: Event<'_>) -> Option<Standing> {
        match event {
            Event::Reported { from, now: theirs } => self.skews.reported(now, from, theirs),
            Event::Moved(ms) => {
                self.skews.moved(ms);
                self.ahead_since = self.ahead_since.map(|since| since.moved(ms));
            }
            Event::Tick { others, listened } => return self.judge(now, others, listened),
        }
        None
    }

    fn judge(
        &mut self,
        now: UnixMs,
        others: &BTreeSet<NodeId>,
        listened: bool,
    ) -> Option<Standing> {
        self.skews.keep(others);
        let count = self.count(now, others.len() + 1);
        let looks_ahead = count.is_most(count.ahead);
        self.ahead_since = looks_ahead.then(|| self.ahead_since.unwrap_or(now));
        let held = self.ahead_since.is_some_and(|since| now.since(since) >= FENCE_HOLD_MS);
        let stays = self.standing == Standing::Fenced && count.is_most(count.was_ahead);
        let heard_enough = count.is_most(count.agree) || (listened && !looks_ahead);
        let standing = if held || stays {
            Standing::Fenced
        } else if looks_ahead || (self.standing == Standing::Unjudged && !heard_enough) {
            self.standing
        } else if count.is_most(count.behind) {
            Standing::Behind
        } else if count.apart > 0 && !count.is_most(count.agree) {
            Standing::Undecided
        } else {
            Standing::Sound
        };
        let before = std::mem::replace(&mut self.standing, standing);
        (before != standing).then_some(standing)
    }

    /// Sets this clock beside those of `all` members, of whom this node is one.
    fn count(&self, now: UnixMs, all: usize) -> Count {
        let (fence, unfence) = (self.fence_ms(), self.share(UNFENCE_PERCENT));
        let mut count = Count { all, ahead: 0, was_ahead: 0, behind: 0, agree: 1, apart: 0 };
        for skew in self.skews.fresh(now) {
            let off = skew.unsigned_abs();
            count.apart += usize::from(off > fence);
            count.agree += usize::from(off <= fence);
            count.ahead += usize::from(skew < 0 && off > fence);
            count.behind += usize::from(skew > 0 && off > self.max_clock_skew_ms);
        }
        let was_ahead = self.skews.known().filter(|s| *s < 0 && s.unsigned_abs() > unfence);
        count.was_ahead = was_ahead.count();
        count
    }

    /// How many milliseconds ahead of a member this clock may be.
    fn fence_ms(&self) -> u64 {
        self.share(FENCE_PERCENT)
    }

    fn share(&self, percent: u64) -> u64 {
        self.max_clock_skew_ms.saturating_mul(percent) / 100
    }

    /// What the clock is worth, as it was judged last.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// How far the clock of `peer` is ahead of this one, in milliseconds, as its quickest reports tell; `None` when
    /// it was not heard.
    #[must_use]
    pub fn skew_ms(&self, peer: NodeId) -> Option<i64> {
        self.skews.of(peer)
    }

    /// How far this clock is ahead of the middle of its peers, in milliseconds; `None` when none is heard.
    #[must_use]
    pub fn ahead_ms(&self, now: UnixMs) -> Option<i64> {
        self.skews.median_ms(now).map(i64::saturating_neg)
    }

    /// What physical time is to do beside a wall clock that is so far ahead of it. A wall clock that is
    /// believed never leads to the fence.
    #[must_use]
    pub fn course(&self, now: UnixMs, wall_ahead_ms: i64) -> Course {
        let median = self.skews.median_ms(now);
        Course::beside(wall_ahead_ms, median, self.fence_ms(), self.max_clock_skew_ms)
    }
}

/// How one clock stands among those of all members.
struct Count {
    all: usize,
    /// Of how many it is too far ahead.
    ahead: usize,
    /// Of how many it was ahead, by less, when they were heard last: only this node's clock can change that.
    was_ahead: usize,
    /// Of how many it is too far behind.
    behind: usize,
    /// With how many it agrees, itself included.
    agree: usize,
    /// From how many it is too far either way.
    apart: usize,
}

impl Count {
    fn is_most(&self, members: usize) -> bool {
        2 * members > self.all
    }
}

// CAVEATS: a majority of wrong clocks fences those that are right; that stops them, and loses nothing. A node
// that starts while no peer answers has only its own clock to go by. Where reports of most members are
// delayed for seconds by a crowded link, a node fences itself until one comes quickly.

#[cfg(test)]
#[path = "fence_test.rs"]
mod tests;

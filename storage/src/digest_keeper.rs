//! What a store's state amounts to: the digest of its live records, and the frontier that it belongs to,
//! kept up to date with every commit.
//!
//! It looks at no record a second time, and it knows no clock: a record with a deadline counts until the
//! deadline has passed the low-water of the frontier, however late it is expired here, so that two stores
//! with one frontier count the same.

use std::collections::BTreeSet;
use std::ops::Bound;

use gridkv_protocol::digest::{Digest, Mark, Proof};
use gridkv_protocol::frontier::Closing;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::{Frontier, Hlc, Key, Live, Origin, Record, State, UnixMs, Version};

/// Bytes of a record in the order of deadlines: three words, in nodes that are half full when deadlines come
/// in order, and two thirds full when they do not.
pub(crate) const TIMED_BYTES: usize = 45;

/// No mark is greater.
const LAST_MARK: Mark = Mark { bucket: u16::MAX, hash: u64::MAX };

/// What a record puts into the digest; tombstones put nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stake {
    version: Version,
    until: Option<UnixMs>,
}

impl Stake {
    /// The stake of a record, which is the same before and after it expires.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let until = match &record.state {
            State::Live(Live { expires_at, .. }) => *expires_at,
            State::Expired { .. } if mutant::is(Mutant::ExpiryByClock) => return None,
            State::Expired { expires_at } => Some(*expires_at),
            State::Deleted => return None,
        };
        Some(Self { version: record.version, until })
    }
}

/// Keeps the digest of one store.
#[derive(Debug)]
pub(crate) struct DigestKeeper {
    digest: Digest,
    applied: Frontier,
    /// The least point of an open origin, and whose it is.
    low_water: Option<(Hlc, Origin)>,
    /// Everything with a deadline, passed or not: the low-water may move back.
    timed: BTreeSet<(UnixMs, Mark)>,
}

impl DigestKeeper {
    /// The keeper of a store without records, whose state is `applied`.
    pub(crate) fn at(applied: Frontier) -> Self {
        let low_water = least(&applied);
        Self { digest: Digest::default(), applied, low_water, timed: BTreeSet::new() }
    }

    /// Notes a record that was not counted before.
    pub(crate) fn hold(&mut self, key: &Key, record: &Record) {
        self.follow(key, None, Stake::of(record));
    }

    /// Follows a change that was committed.
    pub(crate) fn follow(&mut self, key: &Key, before: Option<Stake>, after: Option<Stake>) {
        if before == after {
            return;
        }
        let low_water = self.low_water_ms();
        if let Some(Stake { version, until }) = before {
            let mark = Mark::of(key, version);
            let was_there = until.is_none_or(|at| self.timed.remove(&(at, mark)));
            if was_there && until.is_none_or(|at| at > low_water) {
                self.digest.remove(mark);
            }
        }
        if let Some(Stake { version, until }) = after {
            let mark = Mark::of(key, version);
            let is_new = until.is_none_or(|at| self.timed.insert((at, mark)));
            if is_new && until.is_none_or(|at| at > low_water) {
                self.digest.add(mark);
            }
        }
    }

    /// Follows the frontier of an origin.
    pub(crate) fn move_on(&mut self, origin: Origin, upto: Hlc) {
        let before = self.low_water_ms();
        if !self.applied.advance(origin, upto) {
            return;
        }
        // Looked for among all only when the least one moved: in turns, that is rare.
        let is_closing = Closing::of(upto).is_some();
        match self.low_water {
            Some((_, least)) if least != origin && !is_closing => {
                self.low_water = self.low_water.min(Some((upto, origin)));
            }
            Some(_) | None => self.low_water = least(&self.applied),
        }
        self.turn(before, self.low_water_ms());
    }

    /// Deadlines that the low-water passed do not count any more; those that it went back behind do again.
    fn turn(&mut self, before: UnixMs, after: UnixMs) {
        let (from, to) = (before.min(after), before.max(after));
        if from == to || self.timed.is_empty() {
            return;
        }
        let passed = (Bound::Excluded((from, LAST_MARK)), Bound::Included((to, LAST_MARK)));
        for (_, mark) in self.timed.range(passed) {
            if before < after {
                self.digest.remove(*mark);
            } else {
                self.digest.add(*mark);
            }
        }
    }

    fn low_water_ms(&self) -> UnixMs {
        self.low_water.map_or(UnixMs(0), |(point, _)| point.physical())
    }

    /// What the state amounts to.
    pub(crate) fn proof(&self) -> Proof {
        Proof { frontier: self.applied.fingerprint(), root: self.digest.root() }
    }

    /// The sums of the buckets.
    pub(crate) fn buckets(&self) -> &[u64] {
        self.digest.buckets()
    }

    /// Bytes of memory that it takes, but for those that are the same for every store.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.timed.len() * TIMED_BYTES).unwrap_or(u64::MAX)
    }
}

/// The least point of an origin that is not closed, and whose it is.
fn least(applied: &Frontier) -> Option<(Hlc, Origin)> {
    applied.open().map(|(origin, point)| (point, origin)).min()
}

// CAVEATS: a low-water that jumps, because an origin that held it back was closed, takes all that it passes
// out of the digest in one commit: some 20 ns for each record with a deadline.

#[cfg(test)]
#[path = "digest_keeper_test.rs"]
mod tests;

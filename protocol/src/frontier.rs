//! What a node has of each origin: "every op of this origin up to here is in my state".

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::limits::MAX_ORIGINS;
use crate::{Epoch, Hlc, NodeId, Origin, Version, capped};

/// Set in the point of a closed origin. No clock comes that far.
const CLOSED: u64 = 1 << 63;
/// Set beside it when the origin was closed while records of it were loose.
const CLOSED_WITH_LOOSE: u64 = 1 << 62;

/// Origin -> the point up to which its ops are held. An absent origin stands at [`Hlc::ZERO`].
///
/// A *closed* origin is over, and everything of it is held. Origins of a node are closed in the order of
/// their epochs, so a closed one says the same of all earlier ones, whether they are listed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Frontier {
    points: BTreeMap<Origin, Hlc>,
    /// Kept up to date as a sum, see [`Frontier::fingerprint`].
    #[serde(skip)]
    print: u64,
}

/// How an origin was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Where every member stood.
    pub at: Hlc,
    /// Whether records beyond that point were held by all.
    pub loose: bool,
}

impl Frontier {
    /// Up to where ops of `origin` are held; [`Hlc::CLOSED`] for a closed one.
    #[must_use]
    pub fn get(&self, origin: Origin) -> Hlc {
        match self.at_or_after(origin) {
            Some((_, point)) if is_closed(point) => Hlc::CLOSED,
            Some((found, point)) if found == origin => point,
            Some(_) | None => Hlc::ZERO,
        }
    }

    /// The first entry of the node of `origin` that is not earlier.
    fn at_or_after(&self, origin: Origin) -> Option<(Origin, Hlc)> {
        let last = Origin::new(origin.node(), Epoch(u32::MAX));
        self.points.range(origin..=last).next().map(|(found, point)| (*found, *point))
    }

    /// Whether the op with this version is held (it, or a newer one of its key).
    #[must_use]
    pub fn covers(&self, version: Version) -> bool {
        version.hlc <= self.get(version.origin)
    }

    /// Whether everything that `other` covers is covered here.
    #[must_use]
    pub fn covers_all(&self, other: &Self) -> bool {
        other.iter().all(|(origin, hlc)| hlc <= self.get(origin))
    }

    /// Moves `origin` forward to `upto`; never back. Says whether it moved. A point that [`Frontier::iter`]
    /// gave of a closed origin closes it, and all earlier ones of its node.
    pub fn advance(&mut self, origin: Origin, upto: Hlc) -> bool {
        let before = self.get(origin);
        if upto <= before {
            return false;
        }
        if is_closed(upto) {
            self.settle_earlier(origin);
            self.print = self.print.wrapping_add(print(origin, Hlc::CLOSED));
        } else {
            self.print = self.print.wrapping_add(print(origin, upto));
        }
        if before > Hlc::ZERO {
            self.print = self.print.wrapping_sub(print(origin, before));
        }
        self.points.insert(origin, upto);
        true
    }

    /// Earlier origins of a node of which `closed` is closed now: those that stood somewhere are as closed as
    /// it, and of those that were closed it is the last that counts.
    fn settle_earlier(&mut self, closed: Origin) {
        let first = Origin::new(closed.node(), Epoch(0));
        let earlier: Vec<(Origin, Hlc)> =
            self.points.range(first..closed).map(|(origin, point)| (*origin, *point)).collect();
        let last_closed = earlier.iter().rev().find(|(_, point)| is_closed(*point));
        if let Some((origin, _)) = last_closed {
            self.print = self.print.wrapping_sub(print(*origin, Hlc::CLOSED));
        }
        for (origin, point) in earlier.iter().filter(|(_, point)| !is_closed(*point)) {
            self.print = self.print.wrapping_sub(print(*origin, *point));
            self.points.remove(origin);
        }
    }

    /// Closes `origin`, and all earlier ones of its node. Says whether it was not closed yet.
    pub fn close(&mut self, origin: Origin, closing: Closing) -> bool {
        self.advance(origin, closing.point())
    }

    /// How `origin` was closed; `None` while it is not, or when only a later one of its node is listed.
    #[must_use]
    pub fn closing(&self, origin: Origin) -> Option<Closing> {
        self.points.get(&origin).copied().and_then(Closing::of)
    }

    /// Whether `origin` is closed.
    #[must_use]
    pub fn is_closed(&self, origin: Origin) -> bool {
        self.get(origin) == Hlc::CLOSED
    }

    /// Forgets how `origin` was closed, once nobody has to learn it any more. It stays closed, because a
    /// later one of its node is. Says whether anything changed.
    pub fn forget_closing(&mut self, origin: Origin) -> bool {
        let next = Origin::new(origin.node(), origin.epoch().next());
        let is_implied = next != origin && self.is_closed(next);
        is_implied && self.points.remove(&origin).is_some()
    }

    /// Moves every origin forward to where `other` has it, but for `except`.
    pub fn merge_except(&mut self, other: &Self, except: Origin) {
        for (origin, hlc) in other.iter().filter(|(origin, _)| *origin != except) {
            self.advance(origin, hlc);
        }
    }

    /// Every origin with its point, in order of origin. The point of a closed one is above every minted one;
    /// [`Closing::of`] reads it, and [`Frontier::advance`] takes it over.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, Hlc)> + '_ {
        self.points.iter().map(|(origin, hlc)| (*origin, *hlc))
    }

    /// Every origin that is not closed, with its point.
    pub fn open(&self) -> impl Iterator<Item = (Origin, Hlc)> + '_ {
        self.iter().filter(|(_, point)| !is_closed(*point))
    }

    /// The least point of an origin that is not closed. Who has the same frontier has the same low-water.
    #[must_use]
    pub fn low_water(&self) -> Hlc {
        self.open().map(|(_, point)| point).min().unwrap_or(Hlc::ZERO)
    }

    /// A number that two frontiers share if they cover the same. Kept up to date with every move.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.print
    }

    /// The highest epoch of `node` that is known here.
    #[must_use]
    pub fn newest_epoch(&self, node: NodeId) -> Option<Epoch> {
        let all = Origin::new(node, Epoch(0))..=Origin::new(node, Epoch(u32::MAX));
        self.points.range(all).next_back().map(|(origin, _)| origin.epoch())
    }

    /// The greatest point of any origin: a clock must start no lower.
    #[must_use]
    pub fn greatest(&self) -> Hlc {
        let point = |point: &Hlc| Closing::of(*point).map_or(*point, |closing| closing.at);
        self.points.values().map(point).max().unwrap_or(Hlc::ZERO)
    }

    /// With every point brought down to `limit`: nobody has what lies in the future.
    #[must_use]
    pub fn up_to(&self, limit: Hlc) -> Self {
        let lowered = |point: Hlc| if is_closed(point) { point } else { point.min(limit) };
        self.iter().map(|(origin, point)| (origin, lowered(point))).collect()
    }

    /// Without one origin: what a writer had seen of the *others*.
    #[must_use]
    pub fn without(&self, origin: Origin) -> Self {
        self.iter().filter(|(listed, _)| *listed != origin).collect()
    }

    /// Number of origins listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl Closing {
    /// How the origin that stands at `point` was closed; `None` when it is not.
    #[must_use]
    pub fn of(point: Hlc) -> Option<Self> {
        is_closed(point).then(|| Self {
            at: Hlc::from_bits(point.bits() & Hlc::CEILING.bits()),
            loose: point.bits() & CLOSED_WITH_LOOSE != 0,
        })
    }

    /// The point of an origin that was closed like this, as it stands in files and messages.
    #[must_use]
    pub fn point(self) -> Hlc {
        let loose = if self.loose { CLOSED_WITH_LOOSE } else { 0 };
        Hlc::from_bits(CLOSED | loose | (self.at.bits() & Hlc::CEILING.bits()))
    }
}

fn is_closed(point: Hlc) -> bool {
    point.bits() & CLOSED != 0
}

/// What an origin at a point adds to the fingerprint.
fn print(origin: Origin, point: Hlc) -> u64 {
    let [a, b] = [origin.bits().to_be_bytes(), point.bits().to_be_bytes()];
    xxh3_64_with_seed(&a, u64::from_be_bytes(b))
}

impl FromIterator<(Origin, Hlc)> for Frontier {
    fn from_iter<I: IntoIterator<Item = (Origin, Hlc)>>(pairs: I) -> Self {
        let mut frontier = Self::default();
        for (origin, hlc) in pairs {
            frontier.advance(origin, hlc);
        }
        frontier
    }
}

impl<'de> Deserialize<'de> for Frontier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Collected, not taken over: an origin at zero is an absent one, and equal frontiers are equal.
        let pairs = capped::map::<D, Origin, Hlc, MAX_ORIGINS>(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

// CAVEATS: entries of past epochs stay until they are closed, which waits for every member; with one per
// restart and member that is small, and `MAX_ORIGINS` bounds what a peer may claim.

#[cfg(test)]
#[path = "frontier_test.rs"]
mod tests;

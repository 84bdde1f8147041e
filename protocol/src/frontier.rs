//! What a node has of each origin: "every op of this origin up to here is in my state".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::MAX_ORIGINS;
use crate::{Epoch, Hlc, NodeId, Origin, Version, capped};

/// Origin -> the point up to which its ops are held. An absent origin stands at [`Hlc::ZERO`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Frontier(BTreeMap<Origin, Hlc>);

impl Frontier {
    /// Up to where ops of `origin` are held.
    #[must_use]
    pub fn get(&self, origin: Origin) -> Hlc {
        self.0.get(&origin).copied().unwrap_or(Hlc::ZERO)
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

    /// Moves `origin` forward to `upto`; never back. Says whether it moved.
    pub fn advance(&mut self, origin: Origin, upto: Hlc) -> bool {
        match self.0.entry(origin) {
            Entry::Occupied(entry) if *entry.get() >= upto => false,
            Entry::Occupied(mut entry) => {
                entry.insert(upto);
                true
            }
            Entry::Vacant(_) if upto == Hlc::ZERO => false,
            Entry::Vacant(entry) => {
                entry.insert(upto);
                true
            }
        }
    }

    /// Moves every origin forward to where `other` has it, but for `except`.
    pub fn merge_except(&mut self, other: &Self, except: Origin) {
        for (origin, hlc) in other.iter().filter(|(origin, _)| *origin != except) {
            self.advance(origin, hlc);
        }
    }

    /// Every origin with its point, in order of origin.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, Hlc)> + '_ {
        self.0.iter().map(|(origin, hlc)| (*origin, *hlc))
    }

    /// The highest epoch of `node` that is known here.
    #[must_use]
    pub fn newest_epoch(&self, node: NodeId) -> Option<Epoch> {
        let all = Origin::new(node, Epoch(0))..=Origin::new(node, Epoch(u32::MAX));
        self.0.range(all).next_back().map(|(origin, _)| origin.epoch())
    }

    /// The greatest point of any origin: a clock must start no lower.
    #[must_use]
    pub fn greatest(&self) -> Hlc {
        self.0.values().copied().max().unwrap_or(Hlc::ZERO)
    }

    /// With every point brought down to `limit`: nobody has what lies in the future.
    #[must_use]
    pub fn up_to(&self, limit: Hlc) -> Self {
        Self(self.0.iter().map(|(origin, hlc)| (*origin, (*hlc).min(limit))).collect())
    }

    /// Without one origin: what a writer had seen of the *others*.
    #[must_use]
    pub fn without(&self, origin: Origin) -> Self {
        let mut rest = self.0.clone();
        rest.remove(&origin);
        Self(rest)
    }

    /// Number of origins known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

// CAVEATS: entries of past epochs stay until closing of dead origins folds them; with one per restart
// and member that is small, and `MAX_ORIGINS` bounds what a peer may claim.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(node: u32, epoch: u32) -> Origin {
        Origin::new(NodeId(node), Epoch(epoch))
    }

    #[test]
    fn it_only_moves_forward() {
        let mut frontier = Frontier::default();
        assert!(frontier.advance(origin(1, 1), Hlc::from_bits(5)));
        assert!(!frontier.advance(origin(1, 1), Hlc::from_bits(5)));
        assert!(!frontier.advance(origin(1, 1), Hlc::from_bits(4)));
        assert!(!frontier.advance(origin(2, 1), Hlc::ZERO), "zero is what absence means");
        assert_eq!((frontier.get(origin(1, 1)), frontier.len()), (Hlc::from_bits(5), 1));
    }

    #[test]
    fn covering_is_one_comparison_per_origin() {
        let a: Frontier = [(origin(1, 1), Hlc::from_bits(5))].into_iter().collect();
        let version = |bits| Version { hlc: Hlc::from_bits(bits), origin: origin(1, 1) };
        assert!(a.covers(version(5)) && !a.covers(version(6)));
        let mut b = a.clone();
        b.advance(origin(2, 1), Hlc::from_bits(1));
        assert!(b.covers_all(&a) && !a.covers_all(&b));
        let mut c = a.clone();
        c.merge_except(&b, origin(2, 1));
        assert_eq!(c, a, "the excepted origin does not move");
        c.merge_except(&b, origin(9, 9));
        assert_eq!(c, b);
    }

    #[test]
    fn the_newest_epoch_is_of_one_node_only() {
        let frontier: Frontier = [
            (origin(1, 3), Hlc::from_bits(1)),
            (origin(1, 9), Hlc::from_bits(1)),
            (origin(2, 50), Hlc::from_bits(1)),
        ]
        .into_iter()
        .collect();
        assert_eq!(frontier.newest_epoch(NodeId(1)), Some(Epoch(9)));
        assert_eq!(frontier.newest_epoch(NodeId(3)), None);
    }

    /// Few origins and points, so that frontiers overlap, meet and cover each other all the time.
    fn any_frontier() -> impl Strategy<Value = Frontier> {
        prop::collection::vec((0u32..3, 1u32..3, 0u64..4), 0..5).prop_map(|points| {
            let point = |(node, epoch, hlc)| (origin(node, epoch), Hlc::from_bits(hlc));
            points.into_iter().map(point).collect()
        })
    }

    fn join(a: &Frontier, b: &Frontier) -> Frontier {
        let mut both = a.clone();
        both.merge_except(b, origin(99, 99));
        both
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn joining_is_commutative_and_idempotent(a in any_frontier(), b in any_frontier()) {
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&a, &a), a);
        }

        #[test]
        fn joining_is_associative(a in any_frontier(), b in any_frontier(), c in any_frontier()) {
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        }

        #[test]
        fn a_join_is_the_least_that_covers_both(
            a in any_frontier(), b in any_frontier(), c in any_frontier(),
        ) {
            let both = join(&a, &b);
            prop_assert!(both.covers_all(&a) && both.covers_all(&b));
            prop_assert_eq!(c.covers_all(&both), c.covers_all(&a) && c.covers_all(&b));
        }

        #[test]
        fn covering_all_is_a_partial_order(
            a in any_frontier(), b in any_frontier(), c in any_frontier(),
        ) {
            prop_assert!(a.covers_all(&a));
            prop_assert_eq!(a.covers_all(&b) && b.covers_all(&a), a == b);
            prop_assert!(!(a.covers_all(&b) && b.covers_all(&c)) || a.covers_all(&c));
        }

        #[test]
        fn the_excepted_origin_and_only_it_stays(a in any_frontier(), b in any_frontier()) {
            let except = origin(1, 1);
            let mut some = a.clone();
            some.merge_except(&b, except);
            prop_assert_eq!(some.get(except), a.get(except));
            prop_assert_eq!(some.without(except), join(&a, &b).without(except));
        }
    }
}

//! Loose records: those whose version exceeds their holder's frontier of their origin.
//!
//! A record gets loose when it comes in a catch-up page, ahead of its origin's batches. Two nodes with
//! equal frontiers hold the same only if their loose records are the same too, so reports carry a hash
//! of them per origin.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use crate::{Frontier, Hlc, Origin, Version};

/// The versions of a store's loose records, and a hash of them per origin.
#[derive(Debug, Default)]
pub struct LooseSet {
    by_origin: BTreeMap<Origin, Loose>,
}

#[derive(Debug, Default)]
struct Loose {
    points: BTreeSet<Hlc>,
    sum: u64,
}

impl LooseSet {
    /// Notes that a record of this version is held, if `frontier` does not cover it.
    pub fn hold(&mut self, version: Version, frontier: &Frontier) {
        if frontier.covers(version) {
            return;
        }
        let loose = self.by_origin.entry(version.origin).or_default();
        if loose.points.insert(version.hlc) {
            loose.sum = loose.sum.wrapping_add(hash(version.hlc));
        }
    }

    /// Notes that the record of this version is gone: another took its place.
    pub fn release(&mut self, version: Version) {
        if let Some(loose) = self.by_origin.get_mut(&version.origin) {
            if loose.points.remove(&version.hlc) {
                loose.sum = loose.sum.wrapping_sub(hash(version.hlc));
            }
            if loose.points.is_empty() {
                self.by_origin.remove(&version.origin);
            }
        }
    }

    /// Forgets what `frontier` now covers of `origin`.
    pub fn settle(&mut self, origin: Origin, upto: Hlc) {
        let Some(loose) = self.by_origin.get_mut(&origin) else { return };
        while let Some(least) = loose.points.first().copied().filter(|least| *least <= upto) {
            loose.points.remove(&least);
            loose.sum = loose.sum.wrapping_sub(hash(least));
        }
        if loose.points.is_empty() {
            self.by_origin.remove(&origin);
        }
    }

    /// Forgets what `frontier` now covers of any origin.
    pub fn settle_all(&mut self, frontier: &Frontier) {
        let origins: Vec<Origin> = self.by_origin.keys().copied().collect();
        for origin in origins {
            self.settle(origin, frontier.get(origin));
        }
    }

    /// The hash per origin; origins without loose records are absent.
    #[must_use]
    pub fn hashes(&self) -> BTreeMap<Origin, u64> {
        self.by_origin.iter().map(|(origin, loose)| (*origin, loose.sum)).collect()
    }

    /// The hash per origin once records of these versions are held too, as [`LooseSet::hold`] would have it.
    #[must_use]
    pub fn hashes_with(
        &self,
        more: impl Iterator<Item = Version>,
        frontier: &Frontier,
    ) -> BTreeMap<Origin, u64> {
        let mut hashes = self.hashes();
        let is_held = |version: Version| {
            let loose = self.by_origin.get(&version.origin);
            loose.is_some_and(|loose| loose.points.contains(&version.hlc))
        };
        for version in more.filter(|version| !frontier.covers(*version) && !is_held(*version)) {
            let sum = hashes.entry(version.origin).or_default();
            *sum = sum.wrapping_add(hash(version.hlc));
        }
        hashes
    }

    /// Whether no record is loose.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_origin.is_empty()
    }
}

fn hash(hlc: Hlc) -> u64 {
    xxh3_64(&hlc.bits().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, NodeId};

    #[test]
    fn the_hash_says_what_is_loose_and_nothing_else() {
        let origin = Origin::new(NodeId(1), Epoch(1));
        let version = |bits| Version { hlc: Hlc::from_bits(bits), origin };
        let frontier: Frontier = [(origin, Hlc::from_bits(5))].into_iter().collect();
        let mut loose = LooseSet::default();
        loose.hold(version(5), &frontier);
        assert!(loose.is_empty(), "covered records are not loose");
        loose.hold(version(6), &frontier);
        let six = loose.hashes();
        let more = [version(5), version(6), version(9)];
        let announced = loose.hashes_with(more.into_iter(), &frontier);
        loose.hold(version(6), &frontier);
        loose.hold(version(9), &frontier);
        assert_eq!(loose.hashes(), announced);
        loose.release(version(9));
        assert_eq!(loose.hashes(), six);
        loose.hold(version(8), &frontier);
        loose.settle(origin, Hlc::from_bits(7));
        assert_ne!(loose.hashes(), six);
        loose.settle(origin, Hlc::from_bits(8));
        assert!(loose.is_empty());
    }
}

//! What waits for versions, by origin and point: a frontier that moves looks only at what it moved over.

use std::collections::BTreeMap;

use gridkv_protocol::{Hlc, Origin, Version};

/// Things that wait, each for a version.
#[derive(Debug)]
pub(crate) struct VersionQueue<T> {
    waiting: BTreeMap<Place, T>,
    next: u64,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    origin: Origin,
    hlc: Hlc,
    serial: u64,
}

impl<T> Default for VersionQueue<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), next: 0 }
    }
}

impl<T> VersionQueue<T> {
    /// Adds something that waits for `version`.
    pub(crate) fn add(&mut self, version: Version, waits: T) -> Place {
        let place = Place { origin: version.origin, hlc: version.hlc, serial: self.next };
        self.next += 1;
        self.waiting.insert(place, waits);
        place
    }

    pub(crate) fn remove(&mut self, place: Place) -> Option<T> {
        self.waiting.remove(&place)
    }

    /// What waits for a version of `origin` in `after < hlc <= upto`.
    pub(crate) fn between(
        &mut self,
        origin: Origin,
        after: Hlc,
        upto: Hlc,
    ) -> impl Iterator<Item = &mut T> {
        let behind = |hlc| Place { origin, hlc, serial: u64::MAX };
        let range =
            if after < upto { behind(after)..behind(upto) } else { behind(upto)..behind(upto) };
        self.waiting.range_mut(range).map(|(_, waits)| waits)
    }

    /// Takes what waits for a version of `origin` up to `upto`.
    pub(crate) fn take_upto(&mut self, origin: Origin, upto: Hlc) -> Vec<T> {
        let mut taken = Vec::new();
        while let Some((place, _)) = self.first_of(origin).filter(|(place, _)| place.hlc <= upto) {
            let place = *place;
            taken.extend(self.waiting.remove(&place));
        }
        taken
    }

    /// The origins whose versions are waited for, in order.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        let mut next = self.waiting.keys().next();
        while let Some(place) = next {
            origins.push(place.origin);
            let last =
                Place { origin: place.origin, hlc: Hlc::from_bits(u64::MAX), serial: u64::MAX };
            next = self.waiting.range(last..).next().map(|(place, _)| place);
        }
        origins
    }

    fn first_of(&self, origin: Origin) -> Option<(&Place, &T)> {
        let start = Place { origin, hlc: Hlc::ZERO, serial: 0 };
        self.waiting.range(start..).next().filter(|(place, _)| place.origin == origin)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.waiting.values_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes all.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Epoch, NodeId};

    use super::*;

    fn origin(node: u32) -> Origin {
        Origin::new(NodeId(node), Epoch(1))
    }

    fn version(node: u32, hlc: u64) -> Version {
        Version { hlc: Hlc::from_bits(hlc), origin: origin(node) }
    }

    fn queue() -> VersionQueue<u64> {
        let mut queue = VersionQueue::default();
        for (node, hlc) in [(1, 5), (1, 5), (1, 7), (2, 6), (3, 1)] {
            queue.add(version(node, hlc), u64::from(node) * 100 + hlc);
        }
        queue
    }

    #[test]
    fn a_frontier_that_moves_looks_only_at_what_it_moved_over() {
        let mut queue = queue();
        let mut between = |node, after, upto| {
            let (after, upto) = (Hlc::from_bits(after), Hlc::from_bits(upto));
            queue.between(origin(node), after, upto).map(|found| *found).collect::<Vec<_>>()
        };
        assert_eq!(between(1, 0, 5), [105, 105]);
        assert_eq!(between(1, 5, 9), [107], "what it covered before is over");
        assert_eq!(between(2, 0, 5), []);
        assert_eq!(between(1, 9, 5), [], "never back");
        assert_eq!(between(4, 0, 9), []);
    }

    #[test]
    fn what_is_reached_is_taken_once() {
        let mut queue = queue();
        assert_eq!(queue.origins(), [origin(1), origin(2), origin(3)]);
        assert_eq!(queue.take_upto(origin(1), Hlc::from_bits(6)), [105, 105]);
        assert_eq!(queue.take_upto(origin(1), Hlc::from_bits(6)), []);
        let place = queue.add(version(1, 6), 0);
        assert_eq!((queue.remove(place), queue.remove(place)), (Some(0), None));
        assert_eq!((queue.len(), queue.clear().len(), queue.len()), (3, 3, 0));
        assert_eq!(queue.origins(), []);
    }
}

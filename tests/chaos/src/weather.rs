//! What every directed link is like now, and what came of it so far: one table that the nemesis writes and all pipes read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::fault::Fault;

/// From one node to another, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Who sends.
    pub from: u16,
    /// Who receives.
    pub to: u16,
}

impl Link {
    /// The other direction.
    #[must_use]
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// All directed links between so many nodes.
    #[must_use]
    pub fn all(nodes: u16) -> Vec<Self> {
        let from =
            |from| (1..=nodes).filter(move |to| *to != from).map(move |to| Self { from, to });
        (1..=nodes).flat_map(from).collect()
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}>n{}", self.from, self.to)
    }
}

/// The faults of all links.
#[derive(Debug, Default)]
pub struct Weather {
    faults: RwLock<BTreeMap<Link, Fault>>,
    /// What was done, counted.
    pub(crate) toll: Toll,
}

/// What proxies carried and did.
#[derive(Debug, Default)]
pub(crate) struct Toll {
    pub(crate) connections: AtomicU64,
    /// Connections of nobody that belongs here, and those that reached no node.
    pub(crate) turned_away: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) units: AtomicU64,
    pub(crate) delayed: AtomicU64,
    pub(crate) vanished: AtomicU64,
    pub(crate) garbled: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) reset: AtomicU64,
    pub(crate) half_opened: AtomicU64,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Weather {
    /// The fault of a link.
    #[must_use]
    pub fn at(&self, link: Link) -> Fault {
        let faults = self.faults.read().unwrap_or_else(PoisonError::into_inner);
        faults.get(&link).copied().unwrap_or_default()
    }

    /// From now on it is like this; links that are not named are clear.
    pub fn set(&self, faults: impl IntoIterator<Item = (Link, Fault)>) {
        let mut table = self.faults.write().unwrap_or_else(PoisonError::into_inner);
        *table = faults.into_iter().collect();
    }

    /// All links are clear.
    pub fn clear(&self) {
        self.set([]);
    }
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let kib = of(&self.bytes) / 1024;
        write!(
            f,
            "{} connections ({} turned away), ",
            of(&self.connections),
            of(&self.turned_away)
        )?;
        write!(f, "{} frames of {kib} KiB carried; ", of(&self.units))?;
        write!(f, "frames delayed {}, vanished {}, ", of(&self.delayed), of(&self.vanished))?;
        write!(f, "garbled {}, truncated {}; ", of(&self.garbled), of(&self.truncated))?;
        write!(f, "connections reset {}, half-open {}", of(&self.reset), of(&self.half_opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_a_direction_and_their_own_weather() {
        let links = Link::all(3);
        assert_eq!(links.len(), 6);
        let (there, back) = (Link { from: 1, to: 2 }, Link { from: 2, to: 1 });
        assert_eq!((there.back(), there.to_string().as_str()), (back, "n1>n2"));
        let weather = Weather::default();
        weather.set([(there, Fault::Stall)]);
        assert_eq!((weather.at(there), weather.at(back)), (Fault::Stall, Fault::Clear));
        weather.set([(back, Fault::OneWay)]);
        assert_eq!((weather.at(there), weather.at(back)), (Fault::Clear, Fault::OneWay));
        weather.clear();
        assert_eq!(weather.at(back), Fault::Clear);
    }
}

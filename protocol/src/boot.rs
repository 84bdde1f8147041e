//! Boot: when a node that joined may take clients.
//!
//! It is ready once it covers what the peers that answered within a few seconds had when they first
//! answered. Silent peers are named, never awaited.

use std::collections::{BTreeMap, BTreeSet};

use crate::frontier::Closing;
use crate::limits::BOOT_WAIT_MS;
use crate::report::StoreReport;
use crate::{Frontier, Hlc, NodeId, Origin, StoreName, UnixMs};

/// What a node waits for before it is ready.
#[derive(Debug)]
pub struct Boot {
    since: UnixMs,
    heard: BTreeMap<NodeId, Heard>,
}

/// What a peer had when it first answered, in the run that it is in.
#[derive(Debug)]
struct Heard {
    from: Origin,
    stores: BTreeMap<StoreName, Frontier>,
}

impl Boot {
    /// Begins to listen.
    #[must_use]
    pub fn start(now: UnixMs) -> Self {
        Self { since: now, heard: BTreeMap::new() }
    }

    /// Notes what a peer had when it first answered. Points above `limit` lie in the future: nobody can
    /// have them yet.
    pub fn heard(&mut self, from: Origin, stores: &[StoreReport], limit: Hlc) {
        if self.heard.get(&from.node()).is_some_and(|heard| heard.from == from) {
            return;
        }
        // Of what a peer has closed, where it ended is enough: this node closes it by itself.
        let point = |point: Hlc| match Closing::of(point) {
            None => point.min(limit),
            Some(Closing { at, loose: false }) => at,
            Some(Closing { loose: true, .. }) => point,
        };
        let had = |applied: &Frontier| applied.iter().map(|(o, upto)| (o, point(upto))).collect();
        let stores = stores.iter().map(|s| (s.store.clone(), had(&s.applied))).collect();
        self.heard.insert(from.node(), Heard { from, stores });
    }

    /// A peer went away: what only it had may never come. It is awaited no more than any other.
    pub fn lost(&mut self, peer: NodeId) {
        self.heard.remove(&peer);
    }

    /// Physical time was moved: nobody has waited longer for that.
    pub fn moved(&mut self, ms: i64) {
        self.since = self.since.moved(ms);
    }

    /// Members that have not answered.
    #[must_use]
    pub fn silent(&self, others: &BTreeSet<NodeId>) -> Vec<NodeId> {
        others.iter().filter(|id| !self.heard.contains_key(id)).copied().collect()
    }

    /// Whether nothing is awaited any more: every other member has answered, or had its time.
    #[must_use]
    pub fn has_listened(&self, now: UnixMs, others: &BTreeSet<NodeId>) -> bool {
        self.silent(others).is_empty() || now.since(self.since) >= BOOT_WAIT_MS
    }

    /// Whether a store covers what its peers had, but for the node's present origin `own`.
    #[must_use]
    pub fn covers(&self, store: &StoreName, applied: &Frontier, own: Origin) -> bool {
        let mut targets = self.heard.values().filter_map(|heard| heard.stores.get(store));
        targets.all(|target| applied.covers_all(&target.without(own)))
    }
}

#[cfg(test)]
mod tests {
    use crate::Epoch;

    use super::*;

    fn far() -> Hlc {
        Hlc::from_bits(u64::MAX)
    }

    fn origin(node: u32) -> Origin {
        Origin::new(NodeId(node), Epoch(1))
    }

    fn report(applied: Frontier) -> StoreReport {
        StoreReport {
            store: StoreName::new("main").unwrap(),
            durable: applied.clone(),
            applied,
            floor: Hlc::ZERO,
            loose: BTreeMap::new(),
            durable_loose: BTreeMap::new(),
            proof: None,
            keys: 0,
        }
    }

    #[test]
    fn it_waits_for_who_answers_and_names_who_does_not() {
        let others: BTreeSet<NodeId> = [NodeId(2), NodeId(3)].into();
        let mut boot = Boot::start(UnixMs(1_000));
        let theirs: Frontier =
            [(origin(2), Hlc::from_bits(5)), (origin(1), Hlc::from_bits(9))].into_iter().collect();
        boot.heard(origin(2), &[report(theirs)], far());
        assert!(!boot.has_listened(UnixMs(1_000 + BOOT_WAIT_MS - 1), &others));
        assert!(boot.has_listened(UnixMs(1_000 + BOOT_WAIT_MS), &others));
        assert_eq!(boot.silent(&others), [NodeId(3)]);
        let main = StoreName::new("main").unwrap();
        let have: Frontier = [(origin(2), Hlc::from_bits(5))].into_iter().collect();
        assert!(!boot.covers(&main, &Frontier::default(), origin(1)));
        assert!(boot.covers(&main, &have, origin(1)), "its own present origin is not awaited");
        assert!(!boot.covers(&main, &have, origin(4)));
        boot.heard(origin(3), &[], far());
        assert!(boot.has_listened(UnixMs(1_000), &others));
    }

    #[test]
    fn only_the_first_answer_counts() {
        let mut boot = Boot::start(UnixMs(0));
        boot.heard(origin(2), &[], far());
        let later: Frontier = [(origin(2), Hlc::from_bits(5))].into_iter().collect();
        boot.heard(origin(2), &[report(later)], far());
        assert!(boot.covers(&StoreName::new("main").unwrap(), &Frontier::default(), origin(1)));
    }

    #[test]
    fn who_went_away_or_lives_in_the_future_is_not_waited_for() {
        let main = StoreName::new("main").unwrap();
        let have: Frontier = [(origin(2), Hlc::from_bits(5))].into_iter().collect();
        let theirs: Frontier = [(origin(2), Hlc::from_bits(9))].into_iter().collect();
        let mut boot = Boot::start(UnixMs(0));
        boot.heard(origin(2), &[report(theirs.clone())], far());
        assert!(!boot.covers(&main, &have, origin(1)));
        boot.lost(NodeId(2));
        assert!(boot.covers(&main, &have, origin(1)));
        boot.heard(origin(2), &[report(theirs)], Hlc::from_bits(5));
        assert!(boot.covers(&main, &have, origin(1)), "beyond the limit nobody can have it");
    }
}

//! Boot: when a node that joined may take clients.
//!
//! It is ready once it covers what the peers that answered within a few seconds had when they first
//! answered. Silent peers are named, never awaited.

use std::collections::{BTreeMap, BTreeSet};

use gridkv_protocol::limits::BOOT_WAIT_MS;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::{Frontier, NodeId, StoreName, UnixMs};

/// What a node waits for before it is ready.
#[derive(Debug)]
pub(crate) struct Boot {
    since: UnixMs,
    heard: BTreeSet<NodeId>,
    targets: BTreeMap<StoreName, Frontier>,
}

impl Boot {
    pub(crate) fn start(now: UnixMs) -> Self {
        Self { since: now, heard: BTreeSet::new(), targets: BTreeMap::new() }
    }

    /// Notes what a peer had when it first answered.
    pub(crate) fn heard(&mut self, peer: NodeId, stores: &[StoreReport]) {
        if !self.heard.insert(peer) {
            return;
        }
        for StoreReport { store, applied, .. } in stores {
            let target = self.targets.entry(store.clone()).or_default();
            for (origin, upto) in applied.iter() {
                target.advance(origin, upto);
            }
        }
    }

    /// Members that have not answered.
    pub(crate) fn silent(&self, others: &BTreeSet<NodeId>) -> Vec<NodeId> {
        others.difference(&self.heard).copied().collect()
    }

    /// Whether nothing is awaited any more: every other member has answered, or had its time.
    pub(crate) fn has_listened(&self, now: UnixMs, others: &BTreeSet<NodeId>) -> bool {
        others.is_subset(&self.heard) || now.since(self.since) >= BOOT_WAIT_MS
    }

    /// Whether a store covers what its peers had; `applied` includes the node's present origin.
    pub(crate) fn covers(
        &self,
        store: &StoreName,
        applied: &Frontier,
        own: gridkv_protocol::Origin,
    ) -> bool {
        self.targets.get(store).is_none_or(|target| applied.covers_all(&target.without(own)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gridkv_protocol::{Epoch, Hlc, Origin};

    use super::*;

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
            keys: 0,
        }
    }

    #[test]
    fn it_waits_for_who_answers_and_names_who_does_not() {
        let others: BTreeSet<NodeId> = [NodeId(2), NodeId(3)].into();
        let mut boot = Boot::start(UnixMs(1_000));
        let theirs: Frontier =
            [(origin(2), Hlc::from_bits(5)), (origin(1), Hlc::from_bits(9))].into_iter().collect();
        boot.heard(NodeId(2), &[report(theirs)]);
        assert!(!boot.has_listened(UnixMs(1_000 + BOOT_WAIT_MS - 1), &others));
        assert!(boot.has_listened(UnixMs(1_000 + BOOT_WAIT_MS), &others));
        assert_eq!(boot.silent(&others), [NodeId(3)]);
        let main = StoreName::new("main").unwrap();
        let have: Frontier = [(origin(2), Hlc::from_bits(5))].into_iter().collect();
        assert!(!boot.covers(&main, &Frontier::default(), origin(1)));
        assert!(boot.covers(&main, &have, origin(1)), "its own present origin is not awaited");
        assert!(!boot.covers(&main, &have, origin(4)));
        boot.heard(NodeId(3), &[]);
        assert!(boot.has_listened(UnixMs(1_000), &others));
    }

    #[test]
    fn only_the_first_answer_counts() {
        let mut boot = Boot::start(UnixMs(0));
        boot.heard(NodeId(2), &[]);
        let later: Frontier = [(origin(2), Hlc::from_bits(5))].into_iter().collect();
        boot.heard(NodeId(2), &[report(later)]);
        assert!(boot.covers(&StoreName::new("main").unwrap(), &Frontier::default(), origin(1)));
    }
}

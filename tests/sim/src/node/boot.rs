//! When a node that joined may take clients: as the actors' own boot decides it.

use std::collections::{BTreeMap, BTreeSet};

use gridkv_protocol::limits::BOOT_WAIT_MS;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::{Frontier, Hlc, NodeId, Origin, StoreName, UnixMs};

/// What a node waits for before it is ready.
#[derive(Debug)]
pub(super) struct Boot {
    since: UnixMs,
    heard: BTreeMap<NodeId, (Origin, BTreeMap<StoreName, Frontier>)>,
}

impl Boot {
    pub(super) fn start(now: UnixMs) -> Self {
        Self { since: now, heard: BTreeMap::new() }
    }

    /// Notes what a peer had when it first answered, but for points above `limit`.
    pub(super) fn heard(&mut self, from: Origin, stores: &[StoreReport], limit: Hlc) {
        if self.heard.get(&from.node()).is_some_and(|(heard, _)| *heard == from) {
            return;
        }
        let stores = stores.iter().map(|s| (s.store.clone(), s.applied.up_to(limit))).collect();
        self.heard.insert(from.node(), (from, stores));
    }

    /// Physical time was moved: nobody has waited longer for that.
    pub(super) fn moved(&mut self, ms: i64) {
        self.since = self.since.moved(ms);
    }

    /// A peer went away.
    pub(super) fn lost(&mut self, peer: NodeId) {
        self.heard.remove(&peer);
    }

    /// Whether every other member has answered, or had its time.
    pub(super) fn has_listened(&self, now: UnixMs, others: &BTreeSet<NodeId>) -> bool {
        others.iter().all(|id| self.heard.contains_key(id)) || now.since(self.since) >= BOOT_WAIT_MS
    }

    /// Whether a store covers what its peers had, but for the node's present origin.
    pub(super) fn covers(&self, store: &StoreName, applied: &Frontier, own: Origin) -> bool {
        let mut targets = self.heard.values().filter_map(|(_, stores)| stores.get(store));
        targets.all(|target| applied.covers_all(&target.without(own)))
    }
}

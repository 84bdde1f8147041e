//! Full syncs on an operator's word: all of a peer's copy is merged, or the store is emptied and filled from it.
//!
//! A store is rebuilt only once every peer that is up has what this node minted; that its donor has the rest is
//! what catch-up waits for. From the request on it is not ready.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Context, Handler};
use gridkv_protocol::{NodeId, StoreName};

use super::ClusterActor;
use crate::catch_up_actor;
use crate::cluster_messages::{FullSync, FullSyncRefusal};
use crate::post::{answer, post};
use crate::store_ends::StoreEnd;

impl ClusterActor {
    fn begin_full_sync(&mut self, request: &FullSync) -> Result<(), FullSyncRefusal> {
        let FullSync { store: name, operation, .. } = request;
        let peer = operation.peer();
        let store = self.parts.stores.get(name).ok_or(FullSyncRefusal::NoStore)?;
        if store.reader.promises().cache {
            return Err(FullSyncRefusal::Cache);
        }
        if store.catch_up_counters.is_bootstrapping() {
            return Err(FullSyncRefusal::Running);
        }
        if !self.contacts.has_link(peer) || self.stability.applied(peer, name).is_none() {
            return Err(FullSyncRefusal::NotConnected);
        }
        let operation = Arc::clone(operation);
        if operation.is_rebuild() {
            store.catch_up_counters.rebuilding.store(true, Ordering::Release);
            self.rebuilds.insert(name.clone(), operation);
        } else {
            post(&store.catch_up, catch_up_actor::FullSync(operation));
        }
        Ok(())
    }

    /// Empties stores that were waiting for their peers.
    pub(super) fn rebuild_what_is_covered(&mut self, ctx: &mut Context<Self>) {
        let due: Vec<StoreName> = self
            .rebuilds
            .iter()
            .filter(|(name, operation)| {
                let store = self.parts.stores.get(*name);
                store.is_some_and(|store| self.is_covered(store, operation.peer()))
            })
            .map(|(name, _)| name.clone())
            .collect();
        // What this node has minted in its present run is emptied too: it comes back as a past one's.
        if due.is_empty() || !self.go_on_above(self.own().epoch(), ctx) {
            return;
        }
        for name in due {
            let Some(operation) = self.rebuilds.remove(&name) else { continue };
            if let Some(store) = self.parts.stores.get(&name) {
                post(&store.catch_up, catch_up_actor::FullSync(operation));
            }
        }
    }

    fn is_covered(&self, store: &StoreEnd, donor: NodeId) -> bool {
        let holds = |peer: &NodeId| self.stability.applied(*peer, store.reader.name()).is_some();
        let linked: Vec<NodeId> = self.parts.links.peers().into_iter().filter(holds).collect();
        linked.contains(&donor)
            && linked.into_iter().all(|peer| store.publishing.is_covered_by(peer))
    }
}

impl Handler<FullSync> for ClusterActor {
    type Result = ();

    fn handle(&mut self, request: FullSync, _ctx: &mut Context<Self>) {
        let begun = self.begin_full_sync(&request);
        answer(request.reply, begun);
    }
}

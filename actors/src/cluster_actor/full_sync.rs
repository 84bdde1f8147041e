//! Full syncs on an operator's word: all of a peer's copy is merged, or the store is emptied and filled from it.
//!
//! A store is rebuilt only once every peer that is up has what this node minted; that its donor has the rest is
//! what catch-up waits for. From the request on it is not ready, until it is filled, or the peer is gone before
//! it is emptied.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Context, Handler};
use gridkv_protocol::{NodeId, StoreName};

use super::ClusterActor;
use super::members::name_of;
use crate::catch_up_actor;
use crate::cluster_messages::{FullSync, FullSyncRefusal};
use crate::operations::Operation;
use crate::post::{answer, post};
use crate::store_ends::StoreEnd;

impl ClusterActor {
    fn begin_full_sync(&mut self, request: &FullSync) -> Result<(), FullSyncRefusal> {
        let FullSync { store: name, operation, .. } = request;
        let peer = operation.peer();
        let store = self.parts.stores.get(name.as_str()).ok_or(FullSyncRefusal::NoStore)?;
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
        self.give_up_on_who_is_gone();
        let due: Vec<StoreName> = self
            .rebuilds
            .iter()
            .filter(|(name, operation)| {
                let Some(store) = self.parts.stores.get(name.as_str()) else { return false };
                let waits_for = self.waits_for(&store, operation.peer());
                let covered = waits_for.is_empty();
                operation.wait_for(waits_for);
                covered
            })
            .map(|(name, _)| name.clone())
            .collect();
        // What this node has minted in its present run is emptied too: it comes back as a past one's.
        if due.is_empty() || !self.go_on_above(self.own().epoch(), ctx) {
            return;
        }
        for name in due {
            let Some(operation) = self.rebuilds.remove(&name) else { continue };
            if let Some(store) = self.parts.stores.get(name.as_str()) {
                post(&store.catch_up, catch_up_actor::FullSync(operation));
            }
        }
    }

    /// A peer that is no member any more will never have it all: the store stays as it is, and is ready.
    fn give_up_on_who_is_gone(&mut self) {
        let members = self.parts.membership.members();
        let is_gone = |_: &StoreName, it: &mut Arc<Operation>| !members.contains(it.peer());
        for (store, operation) in self.rebuilds.extract_if(.., is_gone) {
            let why = format!(
                "{} was forgotten before the store was emptied; nothing was changed; ask for another peer",
                operation.peer_name()
            );
            tracing::warn!(%store, %why, "a rebuild is given up");
            if let Some(store) = self.parts.stores.get(store.as_str()) {
                store.catch_up_counters.rebuilding.store(false, Ordering::Release);
            }
            operation.end(Err(why));
        }
    }

    /// What a store waits for before it can be rebuilt, one line each; nothing once all that was minted here is
    /// elsewhere.
    fn waits_for(&self, store: &StoreEnd, donor: NodeId) -> Vec<String> {
        let name = |peer| name_of(self.parts.membership.members(), peer);
        let holds = |peer: &NodeId| self.stability.applied(*peer, store.reader.name()).is_some();
        let linked: Vec<NodeId> = self.parts.links.peers().into_iter().filter(holds).collect();
        let mut waits_for = Vec::new();
        if !linked.contains(&donor) {
            waits_for.push(format!("{} is not connected", name(donor)));
        }
        let lag = linked.into_iter().filter(|peer| !store.publishing.is_covered_by(*peer));
        let lag = lag.map(|peer| format!("{} lacks some of what this node wrote", name(peer)));
        waits_for.extend(lag);
        waits_for
    }
}

impl Handler<FullSync> for ClusterActor {
    type Result = ();

    fn handle(&mut self, request: FullSync, _ctx: &mut Context<Self>) {
        let begun = self.begin_full_sync(&request);
        answer(request.reply, begun);
    }
}

//! Stores that come and go while the node runs, here and at its peers.
//!
//! Members learn of it by the next report, as they learn everything of each other. A store that was dropped and is
//! made again takes a new epoch: what this node had minted in it is with its peers only, and nobody fetches back
//! what it minted in its present one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Context, Handler};
use gridkv_protocol::boot::Boot;
use gridkv_protocol::membership::Event;
use gridkv_protocol::report::Report;
use gridkv_protocol::welcome::StoreInfo;
use gridkv_protocol::{Hlc, NodeId, StoreName};

use super::ClusterActor;
use crate::catch_up_actor;
use crate::cluster_messages::{DropStore, MakeStore};
use crate::convergence_actor::{self, Proven};
use crate::post::{answer, post};
use crate::publisher_actor::{self, PeerHas};
use crate::store_ends::StoreEnd;

/// What a store knew of a peer counts no more.
pub(super) fn part(store: &StoreEnd, peer: NodeId) {
    post(&store.publisher, publisher_actor::LinkDown(peer));
    post(&store.catch_up, catch_up_actor::LinkDown(peer));
    if let Some(convergence) = &store.convergence {
        post(&convergence.actor, convergence_actor::LinkDown(peer));
    }
}

impl ClusterActor {
    /// Tells the stores what a linked peer has of them. Comes before [`ClusterActor::hear`], which forgets what
    /// the peer said last.
    pub(super) fn spread(&self, report: &Report) {
        let (own, peer) = (self.own(), report.origin.node());
        for (name, store) in self.parts.stores.all().iter() {
            let theirs = report.stores.iter().find(|theirs| theirs.store == *name);
            let held_it = self.stability.applied(peer, name).is_some();
            if held_it != theirs.is_some() {
                part(store, peer); // it made the store since, or dropped it
            }
            let Some(theirs) = theirs else { continue };
            post(&store.publisher, PeerHas { peer, have: theirs.applied.get(own) });
            if let Some(convergence) = &store.convergence {
                post(&convergence.actor, Proven { peer, proof: theirs.proof });
            }
            let (from, report) = (report.origin, theirs.clone());
            post(&store.catch_up, catch_up_actor::Reported { from, report });
        }
    }

    /// Whether a member and this node made a store of one name at once, as a cache on one side only.
    pub(super) fn is_mismatched(&self, peer: NodeId) -> bool {
        let membership = &self.parts.membership;
        let member = membership.members().get(peer);
        member.is_some_and(|member| membership.cache_mismatch(member).is_some())
    }

    fn make(&mut self, end: &Arc<StoreEnd>, ctx: &mut Context<Self>) -> bool {
        let name = end.reader.name();
        self.parts.stores.insert(name, end);
        if self.dropped.contains(name) && !self.go_on_above(self.own().epoch(), ctx) {
            return false; // and the node ends
        }
        let members = self.parts.membership.members();
        if !end.reader.promises().cache && members.iter().any(|member| member.holds(name)) {
            end.catch_up_counters.filling.store(true, Ordering::Release);
            self.filling.insert(name.clone(), Boot::start(self.now()));
        }
        self.hold(ctx);
        true
    }

    fn let_go(&mut self, name: &StoreName, ctx: &mut Context<Self>) {
        self.parts.stores.remove(name.as_str());
        self.filling.remove(name);
        self.dropped.insert(name.clone());
        self.hold(ctx);
    }

    /// Tells everybody which stores this node holds now.
    fn hold(&mut self, ctx: &mut Context<Self>) {
        let stores = self.parts.stores.all();
        let infos = stores.values().map(|store| store.info()).collect();
        self.step(Event::NewStores(infos), ctx);
        if self.parts.membership.is_joined() {
            self.tell_all(self.report());
        }
    }

    /// Notes what a peer had of stores that were made here, as it first said.
    pub(super) fn fill(&mut self, report: &Report) {
        let limit = Hlc::end_of(self.now().plus(self.parts.settings.max_clock_skew_ms));
        for filling in self.filling.values_mut() {
            filling.heard(report.origin, &report.stores, limit);
        }
        self.look_if_filled();
    }

    /// A store that was made here is whole once it has what peers had, as a node is at its start.
    pub(super) fn look_if_filled(&mut self) {
        let (now, own) = (self.now(), self.own());
        let members = self.parts.membership.members();
        let stores = &self.parts.stores;
        self.filling.retain(|name, filling| {
            let Some(store) = stores.get(name.as_str()) else { return false };
            let holders = members.iter().filter(|member| member.holds(name));
            let holders: BTreeSet<NodeId> =
                holders.map(|m| m.origin.node()).filter(|id| *id != own.node()).collect();
            let is_whole = filling.has_listened(now, &holders)
                && filling.covers(name, &store.reader.applied(), own);
            if is_whole {
                store.catch_up_counters.filling.store(false, Ordering::Release);
            }
            !is_whole
        });
    }
}

impl StoreEnd {
    /// What this node says of it to others.
    pub(crate) fn info(&self) -> StoreInfo {
        StoreInfo {
            name: self.reader.name().clone(),
            cache: self.reader.promises().cache,
            backend: self.reader.backend().to_owned(),
        }
    }
}

impl Handler<MakeStore> for ClusterActor {
    type Result = ();

    fn handle(&mut self, MakeStore { end, reply }: MakeStore, ctx: &mut Context<Self>) {
        let made = self.make(&end, ctx);
        answer(reply, made);
    }
}

impl Handler<DropStore> for ClusterActor {
    type Result = ();

    fn handle(&mut self, DropStore { name, reply }: DropStore, ctx: &mut Context<Self>) {
        self.let_go(&name, ctx);
        answer(reply, ());
    }
}

//! What all members agree on, and what an operator asks of a whole store: as the cluster actor has it.

use std::collections::BTreeSet;

use gridkv_protocol::fence::Event as FenceEvent;
use gridkv_protocol::report::Report;
use gridkv_protocol::stability::{Effect, Event};
use gridkv_protocol::{Hlc, NodeId, StoreName};

use super::{Act, Process, StoreAt};

impl Process {
    /// Moves physical time towards the wall clock, as far as the peers bear it out.
    pub(super) fn follow_the_wall(&mut self) {
        let course = self.fence.course(self.clock.now(), self.clock.wall_ahead_ms());
        let ms = self.clock.follow(course);
        self.fence.step(self.clock.now(), FenceEvent::Moved(ms));
        if let Some(boot) = &mut self.boot {
            boot.moved(ms);
        }
    }

    /// Judges the clock by what peers said of theirs.
    pub(super) fn judge_clock(&mut self) {
        if !self.membership.is_joined() {
            return;
        }
        let (now, others) = (self.clock.now(), self.others());
        let listened = self.boot.as_ref().is_none_or(|boot| boot.has_listened(now, &others));
        let judged = self.fence.step(now, FenceEvent::Tick { others: &others, listened });
        if let Some(standing) = judged {
            self.standing = standing;
            let ahead =
                self.fence.ahead_ms(now).map_or("nobody".into(), |ms| format!("{ms} ms ahead"));
            self.acts.push(Act::Note(format!("its clock is {}: {ahead}", standing.as_str())));
        }
        let may_mint = self.may_mint();
        for store in &mut self.stores {
            store.believe(may_mint);
        }
    }

    /// Asks what all members have agreed on, and lets the stores do it.
    pub(super) fn agree(&mut self, own: &Report) {
        let stores = self.stores.iter();
        let held = stores.filter(|store| store.is_cache() || self.rebuilds(store.name()));
        let held: BTreeSet<StoreName> = held.map(|store| store.name().clone()).collect();
        let knows_all_seeds = self.membership.knows_all_seeds();
        let event = Event::Tick { own, knows_all_seeds, held: &held };
        for effect in self.stability.step(event) {
            let name = match &effect {
                Effect::Close { store, .. }
                | Effect::ForgetClosing { store, .. }
                | Effect::Purge { store, .. } => store,
            };
            if let Some(store) = self.stores.iter_mut().find(|store| store.name() == name) {
                store.agreed(&mut self.clock, &effect, &mut self.acts);
            }
        }
    }

    fn rebuilds(&self, name: &StoreName) -> bool {
        let store = self.stores.iter().find(|store| store.name() == name);
        self.rebuilds.contains_key(name) || store.is_some_and(super::StoreEnd::is_bootstrapping)
    }

    /// Whether a store is whole: neither bootstrapped nor about to be emptied.
    pub(super) fn is_filled(&self, at: StoreAt) -> bool {
        self.stores.get(at).is_some_and(|store| !self.rebuilds(store.name()))
    }

    /// Up to where every member has everything of a store for good, as far as this node knows.
    #[must_use]
    pub fn stable(&self, at: StoreAt) -> Hlc {
        self.stores.get(at).map_or(Hlc::ZERO, |store| self.stability.of(store.name()).upto)
    }

    /// Which member holds it back.
    #[must_use]
    pub fn held_back_by(&self, at: StoreAt) -> Option<NodeId> {
        self.stores.get(at).and_then(|store| self.stability.of(store.name()).held_back_by)
    }

    /// An operator wants a store to be emptied and filled from a peer, or all of its copy merged.
    pub fn full_sync(&mut self, at: StoreAt, peer: NodeId, rebuild: bool) {
        let Some(store) = self.stores.get_mut(at) else { return };
        let heard = self.stability.applied(peer, store.name()).is_some();
        let fit = heard && !store.is_cache() && !store.is_bootstrapping();
        if !fit || !self.contacts.has_link(peer) {
            return;
        }
        self.acts.push(Act::Note(format!("{}: full sync from {peer}, {rebuild}", store.name())));
        if rebuild {
            self.rebuilds.insert(store.name().clone(), peer);
        } else {
            store.full_sync(&mut self.clock, peer, false, &mut self.acts);
        }
        self.settle();
    }

    /// Empties stores that were waiting for their peers.
    pub(super) fn rebuild_what_is_covered(&mut self) {
        // A donor that was forgotten will never have it all.
        let members = self.membership.members();
        self.rebuilds.retain(|_, donor| members.contains(*donor));
        let wanted = self.stores.iter().enumerate();
        let due: Vec<(StoreAt, NodeId)> = wanted
            .filter_map(|(at, store)| Some((at, *self.rebuilds.get(store.name())?)))
            .filter(|(at, peer)| self.is_covered(*at, *peer))
            .collect();
        if due.is_empty() {
            return;
        }
        self.go_on_above(self.origin.epoch());
        for (at, peer) in due {
            if let Some(store) = self.stores.get_mut(at) {
                self.rebuilds.remove(store.name());
                store.full_sync(&mut self.clock, peer, true, &mut self.acts);
            }
        }
    }

    fn is_covered(&self, at: StoreAt, donor: NodeId) -> bool {
        let Some(store) = self.stores.get(at) else { return false };
        let holds = |peer: &NodeId| self.stability.applied(*peer, store.name()).is_some();
        self.links.contains_key(&donor)
            && self.links.keys().filter(|peer| holds(peer)).all(|peer| store.is_covered_by(*peer))
    }
}

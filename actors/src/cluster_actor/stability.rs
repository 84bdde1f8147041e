//! What the cluster actor does about the stable point: it is who hears every member.

use std::collections::BTreeSet;

use gridkv_protocol::StoreName;
use gridkv_protocol::report::Report;
use gridkv_protocol::stability::{Effect, Event};

use super::ClusterActor;
use super::members::name_of;
use crate::post::post;
use crate::storage_messages::{CloseOrigin, ForgetClosing, Purge};

impl ClusterActor {
    /// Notes what a member has and whom it counts as members.
    pub(super) fn hear(&mut self, report: Report) {
        self.stability.step(Event::Reported(report));
    }

    /// Asks what all members have agreed on, and lets the stores do it.
    pub(super) fn settle(&mut self, own: &Report) {
        let held = self.not_to_purge();
        let knows_all_seeds = self.parts.membership.knows_all_seeds();
        let event = Event::Tick { own, knows_all_seeds, held: &held };
        for effect in self.stability.step(event) {
            self.perform(effect);
        }
        for (name, store) in self.parts.stores.all().iter() {
            store.stable.put(self.stability.of(name));
        }
    }

    /// Caches forget by themselves, and what is being filled does not know yet what is dead.
    fn not_to_purge(&self) -> BTreeSet<StoreName> {
        let all = self.parts.stores.all();
        let held = all.iter().filter(|(_, store)| {
            store.reader.promises().cache || store.catch_up_counters.is_bootstrapping()
        });
        held.map(|(name, _)| name.clone()).collect()
    }

    fn perform(&self, effect: Effect) {
        let end = |store: &StoreName| self.parts.stores.get(store.as_str());
        match effect {
            Effect::Close { store, origin, closing } => {
                let member = name_of(self.parts.membership.members(), origin.node());
                let epoch = origin.epoch().0;
                tracing::info!(%store, %member, epoch, "an origin is over, and all members hold the same of it");
                if let Some(end) = end(&store) {
                    post(&end.storage, CloseOrigin { origin, closing });
                }
            }
            Effect::ForgetClosing { store, origin } => {
                if let Some(end) = end(&store) {
                    post(&end.storage, ForgetClosing(origin));
                }
            }
            Effect::Purge { store, upto } => {
                if let Some(end) = end(&store) {
                    post(&end.storage, Purge(upto));
                }
            }
        }
    }
}

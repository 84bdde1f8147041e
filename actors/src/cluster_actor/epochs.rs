//! How the cluster actor leaves its epoch for a higher one: when peers know that another run of this node minted there,
//! and when a store begins anew under it.

use std::sync::atomic::Ordering;

use actix::Context;
use gridkv_protocol::Epoch;
use gridkv_protocol::membership::Event;
use gridkv_protocol::report::Report;

use super::ClusterActor;
use crate::catch_up_actor;
use crate::post::post;
use crate::publisher_actor;
use crate::storage_messages::TakeOrigin;

impl ClusterActor {
    /// A report that knows a higher epoch of this node: its disk was rolled back. It goes on above it.
    pub(super) fn leave_epochs_of_others(&mut self, report: &Report, ctx: &mut Context<Self>) {
        let own = self.own();
        let minted = report.stores.iter().filter_map(|s| s.applied.newest_epoch(own.node()));
        // A copy of this node's disk may have been let in without writing anything: members wait for its run.
        let counted = report.members.get(own.node()).map(|member| member.origin.epoch());
        let Some(seen) = minted.chain(counted).max().filter(|seen| *seen > own.epoch()) else {
            return;
        };
        tracing::warn!(
            epoch = seen.0,
            "peers know a higher epoch of this node: it goes on above it"
        );
        self.go_on_above(seen, ctx);
    }

    /// Goes on under a new epoch, above this one. Says whether it could be kept.
    pub(super) fn go_on_above(&mut self, seen: Epoch, ctx: &mut Context<Self>) -> bool {
        match self.parts.identity.pass_epoch(seen) {
            Ok(origin) => {
                self.dropped.clear();
                self.parts.origin.store(origin.bits(), Ordering::Release);
                for store in self.parts.stores.all().values() {
                    post(&store.storage, TakeOrigin(origin));
                    post(&store.publisher, publisher_actor::NewOrigin(origin));
                    post(&store.catch_up, catch_up_actor::NewOrigin(origin));
                }
                self.step(Event::NewOrigin(origin), ctx);
                true
            }
            Err(error) => {
                self.parts.board.fail(format!("the epoch can not be kept: {error}"));
                false
            }
        }
    }
}

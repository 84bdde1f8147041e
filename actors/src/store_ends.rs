//! What the replication of a node needs of each of its stores, by name.

use std::sync::Arc;

use gridkv_storage::reader::StoreReader;

use crate::acks::Acks;
use crate::by_store::ByStore;
use crate::catch_up_actor::CatchUpActor;
use crate::catch_up_counters::CatchUpCounters;
use crate::convergence_actor::{Agreements, ConvergenceActor};
use crate::intake::Intake;
use crate::mail::Mail;
use crate::mailbox::Mailbox;
use crate::publisher_actor::{Publishing, SyncPublisher};
use crate::stable_board::StableBoard;
use crate::storage_actor::StorageActor;
use crate::store_meters::StoreMeters;
use crate::version_waits::VersionWaits;
use crate::watches::Watches;

/// The ends of every store that is open. One that was dropped is gone from here before its actors end.
pub(crate) type StoreEnds = ByStore<Arc<StoreEnd>>;

/// The actors of one store, and what they share.
pub(crate) struct StoreEnd {
    pub(crate) reader: StoreReader,
    pub(crate) storage: Mail<StorageActor>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) publisher: Mail<SyncPublisher>,
    pub(crate) catch_up: Mail<CatchUpActor>,
    /// `None` for a cache.
    pub(crate) convergence: Option<ConvergenceEnd>,
    pub(crate) publishing: Arc<Publishing>,
    pub(crate) acks: Arc<Acks>,
    pub(crate) version_waits: Arc<VersionWaits>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) catch_up_counters: Arc<CatchUpCounters>,
    pub(crate) meters: Arc<StoreMeters>,
    pub(crate) stable: Arc<StableBoard>,
}

impl StoreEnd {
    /// The mailboxes of its actors.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        let convergence = self.convergence.as_ref().map(|end| end.actor.mailbox());
        let always = [self.storage.mailbox(), self.publisher.mailbox(), self.catch_up.mailbox()];
        always.into_iter().chain(convergence)
    }
}

/// What compares a store with those of the peers, and what it found.
#[derive(Clone)]
pub(crate) struct ConvergenceEnd {
    pub(crate) actor: Mail<ConvergenceActor>,
    pub(crate) agreements: Arc<Agreements>,
}

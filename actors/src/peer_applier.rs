//! The peer applier: what one peer sends, on its way to the stores.
//!
//! Batches go to the storage actor, which answers into the connection once they are committed: apply,
//! then acknowledge, never before. Pages are read on a blocking thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Actor, ActorContext, Addr, Context, Handler};
use gridkv_protocol::Origin;
use gridkv_protocol::message::{
    BatchAnswer, BatchOutcome, Message as WireMessage, NoPage, StoreBatch,
};
use gridkv_protocol::page::PageRequest;
use tokio::sync::OwnedSemaphorePermit;

use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{PeerReported, ReportTo};
use crate::links::Links;
use crate::post::post;
use crate::storage_messages::ApplyBatch;
use crate::store_ends::StoreEnds;
use crate::wire::Outbox;

/// What every applier of a node shares. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApplierParts {
    pub(crate) cluster: Addr<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) links: Arc<Links>,
    /// The node's present origin: pages name it.
    pub(crate) origin: Arc<AtomicU64>,
}

/// Applies what one connection of a peer brings.
pub(crate) struct PeerApplier {
    peer: Origin,
    outbox: Outbox,
    parts: ApplierParts,
}

/// A message that came in, and the room that it takes until it is dealt with.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Received {
    pub(crate) message: WireMessage,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl PeerApplier {
    pub(crate) fn new(peer: Origin, outbox: Outbox, parts: ApplierParts) -> Self {
        Self { peer, outbox, parts }
    }

    fn batch(&self, batch: StoreBatch, permit: OwnedSemaphorePermit, ctx: &mut Context<Self>) {
        if batch.batch.origin.node() != self.peer.node() {
            self.cut(ctx); // nodes publish only what they minted
            return;
        }
        match self.parts.stores.get(&batch.store) {
            Some(store) => post(
                &store.storage,
                ApplyBatch {
                    peer: self.peer.node(),
                    batch,
                    answer_to: self.outbox.clone(),
                    catch_up: store.catch_up.clone(),
                    permit,
                },
            ),
            None => self.refuse(batch),
        }
    }

    /// Answers a batch for a store that is not here.
    fn refuse(&self, StoreBatch { store, batch }: StoreBatch) {
        let answer = BatchAnswer {
            store,
            origin: batch.origin,
            after: batch.after,
            upto: batch.upto,
            outcome: BatchOutcome::Refused,
        };
        self.outbox.send(&WireMessage::Answer(answer));
    }

    fn page(&self, request: PageRequest, permit: OwnedSemaphorePermit) {
        let donor = Origin::from_bits(self.parts.origin.load(Ordering::Acquire));
        let outbox = self.outbox.clone();
        let store = self.parts.stores.get(&request.store).cloned();
        // Reading may touch a disk.
        drop(tokio::task::spawn_blocking(move || {
            let page = store.and_then(|store| match store.reader.page(&request, donor) {
                Ok(page) => {
                    store.catch_up_counters.pages_served.fetch_add(1, Ordering::Relaxed);
                    Some(page)
                }
                Err(error) => {
                    tracing::warn!(store = %request.store, %error, "a page can not be read");
                    None
                }
            });
            let message = page.map_or_else(
                || WireMessage::NoPage(NoPage { store: request.store, session: request.session }),
                WireMessage::Page,
            );
            outbox.send(&message);
            drop(permit);
        }));
    }

    fn cut(&self, ctx: &mut Context<Self>) {
        self.outbox.cut();
        ctx.stop();
    }
}

impl Actor for PeerApplier {
    type Context = Context<Self>;
}

impl Handler<Received> for PeerApplier {
    type Result = ();

    fn handle(&mut self, Received { message, permit }: Received, ctx: &mut Self::Context) {
        match message {
            WireMessage::Batch(batch) => self.batch(batch, permit, ctx),
            WireMessage::PageRequest(request) => self.page(request, permit),
            WireMessage::Report(report) if report.origin.node() == self.peer.node() => {
                post(&self.parts.cluster, PeerReported(report));
                post(&self.parts.cluster, ReportTo(self.outbox.clone()));
            }
            WireMessage::Report(_)
            | WireMessage::Hello(_)
            | WireMessage::Welcome(_)
            | WireMessage::Refusal(_)
            | WireMessage::Answer(_)
            | WireMessage::Page(_)
            | WireMessage::NoPage(_) => self.cut(ctx),
        }
    }
}

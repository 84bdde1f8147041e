//! The peer applier: what one peer sends, on its way to the stores.
//!
//! Batches go to the storage actor, which answers into the connection once they are committed: apply,
//! then acknowledge, never before. Pages are read on a blocking thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, Context, Handler};
use gridkv_protocol::Origin;
use gridkv_protocol::catchup::CatchUp;
use gridkv_protocol::message::{
    BatchAnswer, BatchOutcome, DigestAnswer, DigestRequest, Message as WireMessage, NoPage,
    StoreBatch,
};
use gridkv_protocol::page::{Page, PageRequest};
use gridkv_protocol::repair::Repair;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::appliers::Appliers;
use crate::cluster_actor::ClusterActor;
use crate::cluster_messages::{PeerReported, ReportTo};
use crate::links::Links;
use crate::mail::{Mail, takes_letters};
use crate::post::post;
use crate::storage_messages::{ApplyBatch, TellDigest};
use crate::store_ends::{StoreEnd, StoreEnds};
use crate::wire::Outbox;

/// How often a page that waits for room looks for it.
const ROOM_LOOK: Duration = Duration::from_millis(5);

/// What every applier of a node shares. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApplierParts {
    pub(crate) cluster: Mail<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) links: Arc<Links>,
    pub(crate) appliers: Arc<Appliers>,
    /// The node's present origin: pages name it.
    pub(crate) origin: Arc<AtomicU64>,
}

/// Applies what one connection of a peer brings.
pub(crate) struct PeerApplier {
    peer: Origin,
    outbox: Outbox,
    /// Pages are read one after the other.
    pages: Arc<Semaphore>,
    /// A message came: it is more than a connection that another one makes needless.
    serves: bool,
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
        Self { peer, outbox, pages: Arc::new(Semaphore::new(1)), serves: false, parts }
    }

    fn batch(&self, batch: StoreBatch, permit: OwnedSemaphorePermit, ctx: &mut Context<Self>) {
        if batch.batch.origin.node() != self.peer.node() {
            self.cut(ctx); // nodes publish only what they minted
            return;
        }
        match self.parts.stores.get(batch.store.as_str()) {
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
        let store = self.parts.stores.get(request.store.as_str());
        let turn = Arc::clone(&self.pages);
        actix_rt::spawn(async move {
            // One page at a time, and only into a queue with room: the peer waits, and is not cut.
            let Ok(turn) = turn.acquire_owned().await else { return };
            while outbox.is_busy() {
                tokio::time::sleep(ROOM_LOOK).await;
            }
            // Reading may touch a disk.
            let read =
                tokio::task::spawn_blocking(move || read_page(store.as_deref(), request, donor));
            if let Ok(message) = read.await {
                outbox.send(&message);
            }
            drop((turn, permit));
        });
    }

    /// Asks the store's actor what it amounts to. In turn with pages: it is as large as a small one.
    fn digest(&self, DigestRequest { store }: DigestRequest, permit: OwnedSemaphorePermit) {
        let (outbox, turn) = (self.outbox.clone(), Arc::clone(&self.pages));
        let storage = self.parts.stores.get(store.as_str()).map(|end| end.storage.clone());
        actix_rt::spawn(async move {
            let Ok(turn) = turn.acquire_owned().await else { return };
            while outbox.is_busy() {
                tokio::time::sleep(ROOM_LOOK).await;
            }
            let mut sums = None;
            if let Some(storage) = storage {
                let (reply, answer) = oneshot::channel();
                post(&storage, TellDigest(reply));
                sums = answer.await.ok().flatten();
            }
            let (proof, buckets) = sums.map(|it| (it.proof, it.buckets)).unzip();
            let buckets = buckets.unwrap_or_default();
            outbox.send(&WireMessage::Digest(DigestAnswer { store, proof, buckets }));
            drop((turn, permit));
        });
    }

    fn cut(&self, ctx: &mut Context<Self>) {
        self.outbox.cut();
        ctx.stop();
    }
}

fn read_page(store: Option<&StoreEnd>, request: PageRequest, donor: Origin) -> WireMessage {
    // Nobody is emptied on the word of who is to be emptied.
    let is_to_go = |store: &StoreEnd| {
        let rebuilding = store.catch_up_counters.rebuilding.load(Ordering::Acquire);
        rebuilding && CatchUp::is_proof(request.session)
    };
    // A cache is never a source: what it forgot would be taken for what never was.
    let source = store.filter(|store| !store.reader.promises().cache && !is_to_go(store));
    let page = source.map(|store| (store, store.reader.page(&request, donor)));
    match page {
        Some((store, Ok(page))) => {
            let counters = &store.catch_up_counters;
            counters.pages_served.fetch_add(1, Ordering::Relaxed);
            if is_last_of_catch_up(&page) {
                counters.sessions_served.fetch_add(1, Ordering::Relaxed);
            }
            return WireMessage::Page(page);
        }
        Some((_, Err(error))) => {
            tracing::warn!(store = %request.store, %error, "a page can not be read");
        }
        None => {}
    }
    WireMessage::NoPage(NoPage { store: request.store, session: request.session })
}

/// Whether a peer has all pages of a session with this one. Neither a repair is one, nor a look at what is here.
fn is_last_of_catch_up(page: &Page) -> bool {
    let is_other = Repair::is_session(page.session) || CatchUp::is_proof(page.session);
    page.next.is_none() && !is_other
}

takes_letters!(PeerApplier);

impl Actor for PeerApplier {
    type Context = Context<Self>;
}

impl Handler<Received> for PeerApplier {
    type Result = ();

    fn handle(&mut self, Received { message, permit }: Received, ctx: &mut Self::Context) {
        if !std::mem::replace(&mut self.serves, true) {
            self.parts.appliers.began(self.peer.node());
        }
        match message {
            WireMessage::Batch(batch) => self.batch(batch, permit, ctx),
            WireMessage::PageRequest(request) => self.page(request, permit),
            WireMessage::Report(report) if report.origin.node() == self.peer.node() => {
                post(&self.parts.cluster, PeerReported(report));
                let (peer, outbox) = (self.peer.node(), self.outbox.clone());
                post(&self.parts.cluster, ReportTo { peer, outbox });
            }
            WireMessage::DigestRequest(request) => self.digest(request, permit),
            WireMessage::Report(_)
            | WireMessage::Hello(_)
            | WireMessage::Welcome(_)
            | WireMessage::Refusal(_)
            | WireMessage::Answer(_)
            | WireMessage::Page(_)
            | WireMessage::NoPage(_)
            | WireMessage::Digest(_) => self.cut(ctx),
        }
    }
}

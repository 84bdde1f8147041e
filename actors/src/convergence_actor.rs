//! The convergence of one store with those of the peers: feeds the protocol's machines, and fetches what
//! differs.
//!
//! Caches have none: what they hold is their own affair.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext, Context, Handler, Message};
use arc_swap::ArcSwap;
use gridkv_protocol::convergence::{Agreement, Convergence, Digests, Effect, Event, Sums};
use gridkv_protocol::differing::Differing;
use gridkv_protocol::digest::Proof;
use gridkv_protocol::limits::DIGEST_BUCKETS;
use gridkv_protocol::message::{DigestAnswer, DigestRequest, Message as WireMessage, NoPage};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::Page;
use gridkv_protocol::repair::{self, Repair};
use gridkv_protocol::{Key, NodeId, Record};
use gridkv_storage::reader::StoreReader;
use tokio::sync::oneshot;

use crate::catch_up_counters::CatchUpCounters;
use crate::clock::ClockSource;
use crate::cluster_board::ClusterBoard;
use crate::links::Links;
use crate::mail::{Mail, takes_letters};
use crate::mailbox::Mailbox;
use crate::post::{answer as reply_to, post};
use crate::storage_actor::StorageActor;
use crate::storage_messages::{MergePage, Retire, TellDigest};

/// How often the machines look at what waits.
const TICK: Duration = Duration::from_millis(50);

/// How a store stands beside those of the peers. Shared with views.
#[derive(Debug, Default)]
pub(crate) struct Agreements(ArcSwap<BTreeMap<NodeId, Agreement>>);

impl Agreements {
    /// How it stands beside a peer's.
    pub(crate) fn with(&self, peer: NodeId) -> Agreement {
        self.0.load().get(&peer).copied().unwrap_or_default()
    }
}

/// Compares one store with those of the peers.
pub(crate) struct ConvergenceActor {
    convergence: Convergence,
    repair: Repair,
    parts: ConvergenceParts,
}

/// What a convergence is made of.
pub(crate) struct ConvergenceParts {
    pub(crate) reader: StoreReader,
    pub(crate) storage: Mail<StorageActor>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) links: Arc<Links>,
    /// Who knows the names of peers.
    pub(crate) board: Arc<ClusterBoard>,
    /// Whether the store is being caught up: then it is not repaired.
    pub(crate) catch_up: Arc<CatchUpCounters>,
    pub(crate) agreements: Arc<Agreements>,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// A peer said what its store amounts to.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Proven {
    pub(crate) peer: NodeId,
    pub(crate) proof: Option<Proof>,
}

/// The link to a peer is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkDown(pub(crate) NodeId);

/// A peer's digest came.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DigestCame {
    pub(crate) peer: NodeId,
    pub(crate) answer: DigestAnswer,
}

/// A page of a repair came.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RepairPage {
    pub(crate) peer: NodeId,
    pub(crate) page: Page,
}

/// A peer has no page for a repair.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NoRepairPage {
    pub(crate) peer: NodeId,
    pub(crate) answer: NoPage,
}

/// Say in which keys the store differed from that of a peer when it was last repaired from there.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellDiffering {
    pub(crate) peer: NodeId,
    pub(crate) reply: oneshot::Sender<Differing>,
}

/// The store has said what its digest is beside a peer's.
#[derive(Message)]
#[rtype(result = "()")]
struct Beside {
    peer: NodeId,
    digests: Option<Digests>,
}

/// What stands under the keys of a page.
#[derive(Message)]
#[rtype(result = "()")]
struct Looked {
    session: u64,
    here: Option<Vec<Option<Record>>>,
}

/// The store has answered a merge.
#[derive(Message)]
#[rtype(result = "()")]
struct Merged {
    session: u64,
    done: bool,
}

impl ConvergenceActor {
    pub(crate) fn new(parts: ConvergenceParts) -> Self {
        let repair = Repair::new(parts.reader.name().clone());
        Self { convergence: Convergence::default(), repair, parts }
    }

    fn compare(&mut self, event: Event, ctx: &mut Context<Self>) {
        let (now, reader) = (self.parts.clock.now(), self.parts.reader.clone());
        for effect in self.convergence.step(now, event, |frontier| reader.root_at(frontier)) {
            self.perform(effect, ctx);
        }
        self.parts.agreements.0.store(Arc::new(self.convergence.agreements().collect()));
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        let store = self.parts.reader.name().clone();
        match effect {
            Effect::RequestDigest { peer } => {
                let request = DigestRequest { store };
                self.parts.links.send(peer, &WireMessage::DigestRequest(request));
            }
            Effect::Repair { peer, buckets } => {
                let name = self.parts.board.name_of(peer);
                tracing::warn!(%store, peer = %name, buckets = buckets.len(), "this store and the peer's have seen the same and hold something else; what differs is fetched and merged");
                self.mend(repair::Event::Start { peer, buckets }, ctx);
            }
            Effect::Agreed { peer } => {
                let peer = self.parts.board.name_of(peer);
                tracing::info!(%store, %peer, "this store and the peer's are the same again");
            }
        }
    }

    fn mend(&mut self, event: repair::Event, ctx: &mut Context<Self>) {
        let (now, applied) = (self.parts.clock.now(), self.parts.reader.applied());
        for effect in self.repair.step(now, event, &applied) {
            match effect {
                repair::Effect::Request { peer, request } => {
                    self.parts.links.send(peer, &WireMessage::PageRequest(request));
                }
                repair::Effect::Look { session, keys } => self.look(session, keys, ctx),
                repair::Effect::Merge { session, records } => self.merge(session, records, ctx),
                repair::Effect::Ended { peer, records, complete } => {
                    let (store, name) = (self.parts.reader.name(), self.parts.board.name_of(peer));
                    tracing::info!(%store, peer = %name, records, complete, "a repair has ended");
                    self.compare(Event::Repaired { peer }, ctx);
                }
            }
        }
    }

    /// Reads what stands under these keys, on a blocking thread: it may touch a disk.
    fn look(&self, session: u64, keys: Vec<Key>, ctx: &mut Context<Self>) {
        let me = Mail::new(ctx.address(), &self.parts.mailbox);
        let reader = self.parts.reader.clone();
        actix_rt::spawn(async move {
            let read = move || keys.iter().map(|key| reader.standing(key)).collect();
            let here: Option<Result<Vec<_>, _>> = tokio::task::spawn_blocking(read).await.ok();
            post(&me, Looked { session, here: here.and_then(Result::ok) });
        });
    }

    fn merge(&self, session: u64, records: Vec<KeyedRecord>, ctx: &mut Context<Self>) {
        let (reply, answer) = oneshot::channel();
        post(&self.parts.storage, MergePage { records, install: None, reply });
        let me = Mail::new(ctx.address(), &self.parts.mailbox);
        actix_rt::spawn(async move {
            // A store that is gone has merged nothing.
            let done = answer.await.unwrap_or(false);
            post(&me, Merged { session, done });
        });
    }

    /// Asks the store for its own digest, to set it beside a peer's.
    fn beside(&self, peer: NodeId, answer: DigestAnswer, ctx: &mut Context<Self>) {
        let (reply, mine) = oneshot::channel();
        post(&self.parts.storage, TellDigest(reply));
        let me = Mail::new(ctx.address(), &self.parts.mailbox);
        actix_rt::spawn(async move {
            let mine = mine.await.ok().flatten();
            let theirs = answer.proof.map(|proof| Sums { proof, buckets: answer.buckets });
            let theirs = theirs.filter(|sums| sums.buckets.len() == DIGEST_BUCKETS);
            let digests = theirs.zip(mine).map(|(theirs, mine)| Digests { theirs, mine });
            post(&me, Beside { peer, digests });
        });
    }
}

takes_letters!(ConvergenceActor);

impl Actor for ConvergenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |actor, ctx| {
            actor.parts.mailbox.turned();
            actor.compare(Event::Tick, ctx);
            let catches_up = actor.parts.catch_up.running.load(Ordering::Relaxed);
            let event = if catches_up { repair::Event::CatchingUp } else { repair::Event::Tick };
            actor.mend(event, ctx);
        });
    }
}

impl Handler<Proven> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, Proven { peer, proof }: Proven, ctx: &mut Self::Context) {
        self.compare(Event::Reported { peer, proof }, ctx);
    }
}

impl Handler<LinkDown> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, LinkDown(peer): LinkDown, ctx: &mut Self::Context) {
        self.compare(Event::LinkDown { peer }, ctx);
        self.mend(repair::Event::LinkDown { peer }, ctx);
    }
}

impl Handler<DigestCame> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, DigestCame { peer, answer }: DigestCame, ctx: &mut Self::Context) {
        self.beside(peer, answer, ctx);
    }
}

impl Handler<Beside> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, Beside { peer, digests }: Beside, ctx: &mut Self::Context) {
        self.compare(Event::DigestCame { peer, digests }, ctx);
    }
}

impl Handler<RepairPage> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, RepairPage { peer, page }: RepairPage, ctx: &mut Self::Context) {
        self.mend(repair::Event::Page { peer, page }, ctx);
    }
}

impl Handler<NoRepairPage> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, NoRepairPage { peer, answer }: NoRepairPage, ctx: &mut Self::Context) {
        self.mend(repair::Event::NoPage { peer, session: answer.session }, ctx);
    }
}

impl Handler<Looked> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, Looked { session, here }: Looked, ctx: &mut Self::Context) {
        self.mend(repair::Event::Looked { session, here }, ctx);
    }
}

impl Handler<Merged> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, Merged { session, done }: Merged, ctx: &mut Self::Context) {
        self.mend(repair::Event::Merged { session, done }, ctx);
    }
}

impl Handler<TellDiffering> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, TellDiffering { peer, reply }: TellDiffering, _ctx: &mut Self::Context) {
        reply_to(reply, self.repair.differing(peer));
    }
}

impl Handler<Retire> for ConvergenceActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

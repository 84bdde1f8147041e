//! The sync publisher: drains a store's op ring and sends what the protocol's publisher says.
//!
//! It is nudged by commits, drains at once when it was idle, and at most every flush interval when
//! commits come faster, so that batches fill; a ring that is half full does not wait.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext, Context, Handler, Message};
use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message as WireMessage, StoreBatch};
use gridkv_protocol::publisher::{Event, Publisher};
use gridkv_protocol::{Hlc, NodeId, OpBatch, Origin, UnixMs};
use gridkv_storage::reader::StoreReader;
use tokio::sync::oneshot;

use crate::acks::Acks;
use crate::clock::ClockSource;
use crate::links::Links;
use crate::mail::{Mail, takes_letters};
use crate::mailbox::Mailbox;
use crate::nudge::Nudge;
use crate::post::{answer as reply_to, post};
use crate::storage_messages::Retire;
use crate::unanswered::{SentBatch, Unanswered};
use crate::views::{OpLogView, PeerStoreView};

/// How often a publisher looks whether something is to be sent again.
const TICK: Duration = Duration::from_millis(50);

/// A publisher's machine and counts, for the actor to step and for views to look at.
pub(crate) struct Publishing {
    reader: StoreReader,
    state: Mutex<State>,
}

struct State {
    publisher: Publisher,
    sent_operations: BTreeMap<NodeId, u64>,
    unanswered: Unanswered,
}

/// The publisher of one store.
pub(crate) struct SyncPublisher {
    publishing: Arc<Publishing>,
    acks: Arc<Acks>,
    clock: Arc<ClockSource>,
    links: Arc<Links>,
    nudge: Arc<Nudge>,
    mailbox: Arc<Mailbox>,
    flush_interval: Duration,
}

/// What a publisher is made of.
pub(crate) struct PublisherParts {
    pub(crate) publishing: Arc<Publishing>,
    pub(crate) acks: Arc<Acks>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) links: Arc<Links>,
    pub(crate) nudge: Arc<Nudge>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) flush_interval: Duration,
}

/// Take what the ring holds; answered whether there was an op.
#[derive(Message)]
#[rtype(result = "()")]
struct Drain(oneshot::Sender<bool>);

/// A peer said what it has of this node's present origin.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PeerHas {
    pub(crate) peer: NodeId,
    pub(crate) have: Hlc,
}

/// The link to a peer is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkDown(pub(crate) NodeId);

/// A peer answered a batch, in this run.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Answered {
    pub(crate) run: Origin,
    pub(crate) answer: BatchAnswer,
}

/// Go on under a new epoch.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NewOrigin(pub(crate) Origin);

impl Publishing {
    pub(crate) fn new(reader: StoreReader, publisher: Publisher) -> Self {
        let (sent_operations, unanswered) = (BTreeMap::new(), Unanswered::default());
        let state = State { publisher, sent_operations, unanswered };
        Self { reader, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a peer is behind, ops that are still in the ring included.
    pub(crate) fn view(&self, peer: NodeId, now: UnixMs) -> PeerStoreView {
        let state = self.state();
        let lag = state.publisher.lag(peer, now);
        let in_ring = self.reader.ring().len();
        let pending = u64::try_from(lag.pending + in_ring).unwrap_or(u64::MAX);
        PeerStoreView {
            pending,
            lag_ms: lag.age_ms.max(u64::from(in_ring > 0)),
            frontier_covered: pending == 0 && !lag.gap,
            key_count: 0,
            sent_operations: state.sent_operations.get(&peer).copied().unwrap_or(0),
            agreement: None,
        }
    }

    /// The op log behind the ring.
    pub(crate) fn log(&self) -> OpLogView {
        let state = self.state();
        let log = state.publisher.log();
        let whole = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        OpLogView {
            operations: whole(log.len()),
            bytes: whole(log.bytes()),
            limit_bytes: whole(log.limit_bytes()),
            floor: Some(log.floor().physical()).filter(|floor| floor.0 > 0),
        }
    }

    /// Whether a peer needs nothing more of this node, not even the closing of its time.
    pub(crate) fn is_covered_by(&self, peer: NodeId) -> bool {
        let state = self.state();
        self.reader.ring().is_empty() && state.publisher.is_covered_by(peer)
    }
}

impl SyncPublisher {
    pub(crate) fn new(parts: PublisherParts) -> Self {
        let PublisherParts { publishing, acks, clock, links, nudge, mailbox, flush_interval } =
            parts;
        Self { publishing, acks, clock, links, nudge, mailbox, flush_interval }
    }

    fn step(&self, event: Event) {
        self.perform(&mut self.publishing.state(), event);
    }

    fn perform(&self, state: &mut State, event: Event) {
        let store = self.publishing.reader.name();
        let sends = state.publisher.step(self.clock.now(), event);
        if sends.is_empty() {
            return;
        }
        let now_us = self.clock.elapsed_us();
        for send in sends {
            let ops = u64::try_from(send.batch.ops.len()).unwrap_or(u64::MAX);
            *state.sent_operations.entry(send.peer).or_default() += ops;
            let OpBatch { origin, after, upto, .. } = send.batch;
            if state.unanswered.sent(send.peer, SentBatch { origin, after, upto, now_us }) {
                self.links.counters(send.peer).batches_timeout.fetch_add(1, Ordering::Relaxed);
            }
            let batch = StoreBatch { store: store.clone(), batch: send.batch };
            self.links.send(send.peer, &WireMessage::Batch(batch));
        }
    }
}

takes_letters!(SyncPublisher);

impl Actor for SyncPublisher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |actor, _| {
            actor.mailbox.turned();
            actor.step(Event::Tick);
        });
        let me = Mail::new(ctx.address(), &self.mailbox);
        let (nudge, pause) = (Arc::clone(&self.nudge), self.flush_interval);
        actix_rt::spawn(async move {
            loop {
                nudge.next().await;
                let (reply, some) = oneshot::channel();
                post(&me, Drain(reply));
                match some.await {
                    Ok(true) => nudge.fill(pause).await,
                    Ok(false) => {}   // a heartbeat: the next op need not wait for it
                    Err(_) => return, // the actor is gone
                }
            }
        });
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        self.nudge.ended();
    }
}

impl Handler<Drain> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, Drain(reply): Drain, _ctx: &mut Self::Context) {
        // Under the lock, so that a view sees each op in the ring or in the log, never in neither.
        let mut state = self.publishing.state();
        let ring = self.publishing.reader.ring();
        let drained = ring.drain();
        let (ops, closed, floor) = (drained.ops, drained.closed, drained.floor);
        let some = !ops.is_empty();
        self.perform(&mut state, Event::Committed { ops, closed, floor });
        drop(state);
        if !ring.is_empty() {
            self.nudge.committed(ring);
        }
        reply_to(reply, some);
    }
}

impl Handler<PeerHas> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, PeerHas { peer, have }: PeerHas, _ctx: &mut Self::Context) {
        self.step(Event::Reported { peer, have });
    }
}

impl Handler<LinkDown> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, LinkDown(peer): LinkDown, _ctx: &mut Self::Context) {
        let lost = self.publishing.state().unanswered.lost(peer);
        self.links.counters(peer).batches_timeout.fetch_add(lost, Ordering::Relaxed);
        self.step(Event::LinkDown { peer });
    }
}

impl Handler<Answered> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, Answered { run, answer }: Answered, _ctx: &mut Self::Context) {
        let peer = run.node();
        let counters = self.links.counters(peer);
        let BatchAnswer { origin, after, upto, .. } = answer;
        let sent_us = self.publishing.state().unanswered.answered(peer, (origin, after, upto));
        let counter = match answer.outcome {
            BatchOutcome::Applied { applied, .. } => {
                if let Some(sent_us) = sent_us {
                    let took_us = self.clock.elapsed_us().saturating_sub(sent_us);
                    counters.batch_times.observe(took_us);
                }
                self.acks.answered(run, answer.origin, applied);
                &counters.batches_ok
            }
            BatchOutcome::Gap { .. } | BatchOutcome::Refused | BatchOutcome::Unavailable => {
                &counters.batches_error
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.step(Event::Answered { peer, origin, after, upto, outcome: answer.outcome });
    }
}

impl Handler<NewOrigin> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, NewOrigin(origin): NewOrigin, _ctx: &mut Self::Context) {
        self.step(Event::NewOrigin(origin));
    }
}

impl Handler<Retire> for SyncPublisher {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

//! The catch-up of one store, or the forgetting of a cache: feeds the protocol's machine and does what it
//! says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext, Context, Handler, Message};
use gridkv_protocol::catchup::{self, CatchUp, Effect, Event, RebuildWait, View};
use gridkv_protocol::forgetting::{self, Forget, Forgetting};
use gridkv_protocol::message::{Message as WireMessage, NoPage};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::Page;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::{Frontier, Hlc, NodeId, Origin};
use gridkv_storage::reader::StoreReader;
use tokio::sync::oneshot;

use crate::catch_up_counters::CatchUpCounters;
use crate::clock::ClockSource;
use crate::cluster_board::ClusterBoard;
use crate::links::Links;
use crate::mail::{Mail, takes_letters};
use crate::mailbox::Mailbox;
use crate::operations::{Operation, Tracked};
use crate::post::post;
use crate::storage_actor::StorageActor;
use crate::storage_messages::{Empty, ForgetAll, Hold, MergePage, Retire, TakeStretch};

/// How often the machine looks at its deadlines.
const TICK: Duration = Duration::from_millis(50);

/// What a store does behind a gap.
pub(crate) enum Machine {
    /// It gets from a peer what is missing.
    CatchUp(Box<CatchUp>),
    /// It is a cache, and goes on without.
    Forgetting(Forgetting),
}

/// Catches one store up.
pub(crate) struct CatchUpActor {
    machine: Machine,
    reader: StoreReader,
    storage: Mail<StorageActor>,
    clock: Arc<ClockSource>,
    links: Arc<Links>,
    board: Arc<ClusterBoard>,
    counters: Arc<CatchUpCounters>,
    mailbox: Arc<Mailbox>,
    /// When the last session began, in microseconds since the node started.
    began_us: u64,
    tracked: Tracked,
    /// What the store was told last.
    holds: bool,
    /// What the machine's rebuild waits for, as it was said last.
    rebuilds: Option<RebuildWait>,
}

/// What a catch-up is made of.
pub(crate) struct CatchUpParts {
    pub(crate) machine: Machine,
    pub(crate) reader: StoreReader,
    pub(crate) storage: Mail<StorageActor>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) links: Arc<Links>,
    pub(crate) board: Arc<ClusterBoard>,
    pub(crate) counters: Arc<CatchUpCounters>,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// A batch of this peer left a gap.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Gap {
    pub(crate) peer: NodeId,
}

/// A peer said what it has of this store.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reported {
    pub(crate) from: Origin,
    pub(crate) report: StoreReport,
}

/// The link to a peer is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkDown(pub(crate) NodeId);

/// A page came.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PageCame {
    pub(crate) peer: NodeId,
    pub(crate) page: Page,
}

/// A donor has no page.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NoPageCame {
    pub(crate) peer: NodeId,
    pub(crate) answer: NoPage,
}

/// The store has answered a merge.
#[derive(Message)]
#[rtype(result = "()")]
struct Merged(bool);

/// An operator wants all of a peer's copy.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FullSync(pub(crate) Arc<Operation>);

/// What came of emptying the store.
#[derive(Message)]
#[rtype(result = "()")]
struct Emptied(catchup::Emptied);

/// Go on under a new epoch.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NewOrigin(pub(crate) Origin);

impl CatchUpActor {
    pub(crate) fn new(parts: CatchUpParts) -> Self {
        Self {
            machine: parts.machine,
            reader: parts.reader,
            storage: parts.storage,
            clock: parts.clock,
            links: parts.links,
            board: parts.board,
            counters: parts.counters,
            mailbox: parts.mailbox,
            began_us: 0,
            tracked: Tracked::default(),
            holds: false,
            rebuilds: None,
        }
    }

    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        let (now, applied) = (self.clock.now(), self.reader.applied());
        let running = match &mut self.machine {
            Machine::CatchUp(machine) => {
                let loose = self.reader.loose();
                let effects = machine.step(now, event, View { applied: &applied, loose: &loose });
                let (running, holds) = (machine.is_running(), machine.holds());
                self.counters.bootstrapping.store(machine.is_bootstrapping(), Ordering::Release);
                let waits = machine.rebuild_waits();
                self.note_rebuild(waits);
                self.hold(holds);
                for effect in effects {
                    self.perform(effect, ctx);
                }
                running
            }
            Machine::Forgetting(machine) => {
                let forget = forgetting::Event::of(&event)
                    .and_then(|event| machine.step(now, event, &applied));
                let running = machine.is_under_way();
                if let Some(forget) = forget {
                    self.forget(forget, ctx);
                }
                running
            }
        };
        self.counters.running.store(running, Ordering::Relaxed);
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        let store = self.reader.name();
        match effect {
            Effect::Request { peer, request } => {
                self.links.send(peer, &WireMessage::PageRequest(request));
            }
            Effect::Merge(records) => {
                self.count(&records);
                let (reply, merged) = oneshot::channel();
                post(&self.storage, MergePage { records, install: None, reply });
                self.tell_when(merged, ctx);
            }
            Effect::Replace(stretch) => {
                self.count(&stretch.records);
                let (reply, taken) = oneshot::channel();
                post(&self.storage, TakeStretch { stretch, reply });
                self.tell_when(taken, ctx);
            }
            Effect::Empty { covered } => {
                let (reply, emptied) = oneshot::channel();
                post(&self.storage, Empty { covered, reply });
                let me = Mail::new(ctx.address(), &self.mailbox);
                actix_rt::spawn(async move {
                    // A store that is gone is as it was.
                    post(&me, Emptied(emptied.await.unwrap_or(catchup::Emptied::Failed)));
                });
            }
            Effect::RebuildGivenUp { peer, is_linked } => {
                tracing::warn!(%store, peer = %self.board.name_of(peer), is_linked, "a rebuild is given up; nothing was emptied");
                self.tracked.fail(if is_linked {
                    "the peer gives no pages, or is to be rebuilt itself; nothing was emptied"
                } else {
                    "the link to the peer is gone; nothing was emptied"
                });
            }
            Effect::Install { frontier, floor } => self.install(frontier, floor),
            Effect::Started { peer, bootstrap } => {
                tracing::info!(%store, peer = %self.board.name_of(peer), from_scratch = bootstrap, "catching up");
                self.began_us = self.clock.elapsed_us();
                // What runs while a rebuild waits is none of its.
                if self.rebuilds.is_none() {
                    self.tracked.began(peer);
                }
            }
            Effect::Ended { peer, records, complete: true } => {
                self.counters.completed.fetch_add(1, Ordering::Relaxed);
                self.counters.times.observe(self.clock.elapsed_us().saturating_sub(self.began_us));
                tracing::info!(%store, peer = %self.board.name_of(peer), records, "caught up");
                self.tracked.ended(true);
            }
            Effect::Ended { peer, records, complete: false } => {
                self.counters.aborted.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%store, peer = %self.board.name_of(peer), records, "catch-up was given up; it starts again");
                self.tracked.ended(false);
            }
        }
    }

    /// Says what a rebuild waits for; once it waits for nothing the machine alone says whether the store is ready.
    fn note_rebuild(&mut self, waits: Option<RebuildWait>) {
        if std::mem::replace(&mut self.rebuilds, waits) == waits {
            return;
        }
        let what = waits.map(|waits| match waits {
            RebuildWait::Loose => "some records came ahead of what precedes them",
            RebuildWait::Donor => "the peer has to show that it has all that is here",
            RebuildWait::Emptying => "the store is being emptied",
        });
        self.tracked.wait_for(what.into_iter().map(str::to_owned).collect());
        self.counters.rebuilding.store(waits.is_some(), Ordering::Release);
    }

    /// Tells the store whether it takes batches, before the first page is asked for.
    fn hold(&mut self, holds: bool) {
        if std::mem::replace(&mut self.holds, holds) != holds {
            post(&self.storage, Hold(holds));
        }
    }

    fn count(&self, records: &[KeyedRecord]) {
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.counters.pages_taken.fetch_add(1, Ordering::Relaxed);
        self.counters.records.fetch_add(count, Ordering::Relaxed);
        self.tracked.brought(count);
    }

    fn tell_when(&self, answer: oneshot::Receiver<bool>, ctx: &mut Context<Self>) {
        let me = Mail::new(ctx.address(), &self.mailbox);
        actix_rt::spawn(async move {
            // A store that is gone has merged nothing.
            let merged = answer.await.unwrap_or(false);
            post(&me, Merged(merged));
        });
    }

    fn forget(&self, forget: Forget, ctx: &mut Context<Self>) {
        let of: Vec<_> = forget.stuck.iter().map(|(of, _)| self.board.name_of(of.node())).collect();
        tracing::warn!(store = %self.reader.name(), of = %of.join(", "), "a gap that nobody fills: the cache forgets everything");
        let (reply, answer) = oneshot::channel();
        post(&self.storage, ForgetAll { forget, reply });
        let me = Mail::new(ctx.address(), &self.mailbox);
        let counters = Arc::clone(&self.counters);
        actix_rt::spawn(async move {
            let done = answer.await.unwrap_or(false);
            counters.forgot.fetch_add(u64::from(done), Ordering::Relaxed);
            post(&me, Merged(done));
        });
    }

    /// Ends the session in the store. The machine waits for no answer: an install that is not committed
    /// leaves the frontier where it was, and reports start the next session.
    fn install(&self, frontier: Frontier, floor: Hlc) {
        let (reply, _unheard) = oneshot::channel();
        post(
            &self.storage,
            MergePage { records: Vec::new(), install: Some((frontier, floor)), reply },
        );
    }
}

takes_letters!(CatchUpActor);

impl Actor for CatchUpActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |actor, ctx| {
            actor.mailbox.turned();
            actor.step(Event::Tick, ctx);
        });
    }
}

impl Handler<Gap> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, Gap { peer }: Gap, ctx: &mut Self::Context) {
        self.step(Event::Gap { peer }, ctx);
    }
}

impl Handler<Reported> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, Reported { from, report }: Reported, ctx: &mut Self::Context) {
        self.step(Event::Reported { from, report }, ctx);
    }
}

impl Handler<LinkDown> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, LinkDown(peer): LinkDown, ctx: &mut Self::Context) {
        self.step(Event::LinkDown { peer }, ctx);
        self.tracked.lost(peer);
    }
}

impl Handler<PageCame> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, PageCame { peer, page }: PageCame, ctx: &mut Self::Context) {
        self.step(Event::Page { peer, page }, ctx);
    }
}

impl Handler<NoPageCame> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, NoPageCame { peer, answer }: NoPageCame, ctx: &mut Self::Context) {
        self.step(Event::NoPage { peer, session: answer.session }, ctx);
    }
}

impl Handler<Merged> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, Merged(merged): Merged, ctx: &mut Self::Context) {
        self.step(if merged { Event::Merged } else { Event::MergeFailed }, ctx);
    }
}

impl Handler<NewOrigin> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, NewOrigin(origin): NewOrigin, ctx: &mut Self::Context) {
        self.step(Event::NewOrigin(origin), ctx);
    }
}

impl Handler<FullSync> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, FullSync(operation): FullSync, ctx: &mut Self::Context) {
        let (peer, rebuild) = (operation.peer(), operation.is_rebuild());
        let event = if rebuild { Event::Rebuild { peer } } else { Event::Requested { peer } };
        self.tracked.follow(operation);
        self.step(event, ctx);
        if rebuild && self.rebuilds.is_none() {
            self.counters.rebuilding.store(false, Ordering::Release); // it was given up at once
        }
    }
}

impl Handler<Emptied> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, Emptied(emptied): Emptied, ctx: &mut Self::Context) {
        match emptied {
            catchup::Emptied::Done => {
                tracing::warn!(store = %self.reader.name(), "the store was emptied, to be filled from a peer");
            }
            catchup::Emptied::NotYet => {}
            catchup::Emptied::Failed => self.tracked.fail("the store could not be emptied"),
        }
        self.step(Event::Emptied(emptied), ctx);
    }
}

impl Handler<Retire> for CatchUpActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

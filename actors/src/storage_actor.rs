//! The storage actor: the only writer of its store, on a thread of its own.
//!
//! A handler stages a change and keeps the reply; the first one asks for a flush, which runs when the
//! mailbox is drained, or at [`MAX_GROUP`] messages. The flush commits once, then answers everyone, then
//! nudges the publisher: nothing is readable, published or acknowledged before it is committed.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use gridkv_protocol::UnixMs;
use gridkv_protocol::applier::{Applier, Effect, Event};
use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message as WireMessage, StoreBatch};
use gridkv_storage::durability::Durability;
use gridkv_storage::reader::StoreReader;
use gridkv_storage::write::{Batch, BatchItem, ItemOutcome, Rejection, Write, Written};
use gridkv_storage::writer::{PutError, StoreWriter};
use tokio::sync::oneshot;

use crate::catch_up_actor::Gap;
use crate::clock::ClockSource;
use crate::error::WriteError;
use crate::gate::Permit;
use crate::intake::Intake;
use crate::node_state::NodeState;
use crate::nudge::Nudge;
use crate::post::{answer as reply_to, post};
use crate::storage_messages::{
    ApplyBatch, ClientBatch, ClientWrite, Drain, MergePage, TakeOrigin, TakeWrites, Tick,
};
use crate::turns::Turns;

mod forgetting;

/// Messages in one commit, at most: a flood can not put off the flush.
const MAX_GROUP: usize = 512;

/// The writer of one store.
pub(crate) struct StorageActor {
    writer: StoreWriter,
    reader: StoreReader,
    intake: Arc<Intake>,
    applier: Applier,
    clock: Arc<ClockSource>,
    state: Arc<NodeState>,
    turns: Arc<Turns>,
    /// Tells the publisher that there is something to send.
    nudge: Arc<Nudge>,
    waiting: Vec<Waiting>,
    flush_asked: bool,
    /// A commit failed, and was logged.
    failed: bool,
    /// The node stops: time is closed for good, so that peers can cover it.
    drained: bool,
}

/// What a storage actor is made of.
pub(crate) struct StorageParts {
    pub(crate) writer: StoreWriter,
    pub(crate) reader: StoreReader,
    pub(crate) intake: Arc<Intake>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) nudge: Arc<Nudge>,
    pub(crate) max_clock_skew_ms: u64,
}

/// An answer that waits for the commit.
enum Waiting {
    Write(oneshot::Sender<Result<Written, WriteError>>, Written, Permit),
    Batch(oneshot::Sender<Result<Vec<ItemOutcome>, WriteError>>, Vec<ItemOutcome>, Permit),
    Apply(ApplyBatch, Option<BatchOutcome>),
    Merge(oneshot::Sender<bool>),
}

#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

/// More records are due than one turn takes.
#[derive(Message)]
#[rtype(result = "()")]
struct Expire;

impl StorageActor {
    pub(crate) fn new(parts: StorageParts) -> Self {
        let StorageParts { writer, reader, intake, clock, state, turns, nudge, max_clock_skew_ms } =
            parts;
        let applier = Applier::new(writer.origin().node(), max_clock_skew_ms);
        Self {
            writer,
            reader,
            intake,
            applier,
            clock,
            state,
            turns,
            nudge,
            waiting: Vec::new(),
            flush_asked: false,
            failed: false,
            drained: false,
        }
    }

    /// The time of what is done next. The store's clock first learns what the node has seen elsewhere.
    fn now(&mut self) -> UnixMs {
        self.writer.observe(self.clock.observed());
        self.clock.now()
    }

    fn wait(&mut self, waiting: Waiting, ctx: &mut Context<Self>) {
        self.waiting.push(waiting);
        self.flush_soon(ctx);
    }

    fn flush_soon(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.len() >= MAX_GROUP {
            self.flush();
        } else if !self.flush_asked {
            self.flush_asked = true;
            ctx.notify(Flush);
        }
    }

    fn flush(&mut self) {
        self.flush_asked = false;
        let committed = self.writer.commit(Durability::Memory);
        let failed = committed.is_err();
        if let Err(error) = committed
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::error!(store = %self.reader.name(), %error, "a commit failed; the store takes no more writes");
        }
        self.clock.observe(self.writer.clock());
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Write(reply, written, _permit) => {
                    reply_to(reply, if failed { Err(WriteError::Poisoned) } else { Ok(written) });
                }
                Waiting::Batch(reply, outcomes, _permit) => {
                    reply_to(reply, if failed { Err(WriteError::Poisoned) } else { Ok(outcomes) });
                }
                Waiting::Merge(reply) => reply_to(reply, !failed),
                Waiting::Apply(request, _) if failed => answer(request, BatchOutcome::Unavailable),
                Waiting::Apply(request, outcome) => {
                    let outcome = outcome.unwrap_or_else(|| self.merged(&request));
                    answer(request, outcome);
                }
            }
        }
        self.nudge.committed(self.reader.ring());
    }

    /// The answer to a batch that was merged and is now committed.
    fn merged(&self, request: &ApplyBatch) -> BatchOutcome {
        let (applied, durable) = (self.reader.applied(), self.reader.durable());
        let origin = request.batch.batch.origin;
        let event = Event::Merged { origin, applied: &applied, durable: &durable };
        match self.applier.step(self.clock.now(), event) {
            Effect::Answer(outcome) => outcome,
            Effect::Merge(_) => BatchOutcome::Unavailable,
        }
    }

    fn take_writes(&mut self, ctx: &mut Context<Self>) {
        let mut writes = self.intake.take();
        for ClientWrite { write, durability, reply, permit } in writes.drain(..) {
            let now = self.now();
            match self.stage(write, durability, now) {
                Ok(written) => self.wait(Waiting::Write(reply, written, permit), ctx),
                Err(error) => reply_to(reply, Err(error)),
            }
        }
        self.intake.give_back(writes);
    }

    fn stage(
        &mut self,
        write: Write,
        durability: Option<Durability>,
        now: UnixMs,
    ) -> Result<Written, WriteError> {
        self.check_durability(durability)?;
        self.writer.stage(write, now).map_err(refusal)
    }

    fn check_durability(&self, asked: Option<Durability>) -> Result<(), WriteError> {
        let best = self.reader.promises().durability;
        if asked.is_some_and(|asked| asked > best) {
            return Err(Rejection::DurabilityUnavailable { best }.into());
        }
        Ok(())
    }

    fn batch(&mut self, batch: Batch, now: UnixMs) -> Result<Vec<ItemOutcome>, WriteError> {
        self.check_durability(batch.durability)?;
        let refused = if batch.atomic { self.refused(&batch.items, now)? } else { None };
        if let Some((at, rejection)) = refused {
            return Ok(aborted(&batch.items, at, &rejection));
        }
        batch.items.into_iter().map(|item| self.item(item, now)).collect()
    }

    /// The first write of an atomic batch that would be refused, by its place among all items.
    fn refused(
        &self,
        items: &[BatchItem],
        now: UnixMs,
    ) -> Result<Option<(usize, Rejection)>, WriteError> {
        let (places, writes): (Vec<usize>, Vec<Write>) = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| match item {
                BatchItem::Write(write) => Some((at, write.clone())),
                BatchItem::Get(_) => None,
            })
            .unzip();
        match self.writer.check(&writes, now) {
            Ok(()) => Ok(None),
            Err((nth, PutError::Rejected(rejection))) => {
                Ok(Some((places.get(nth).copied().unwrap_or(nth), rejection)))
            }
            Err((_, error)) => Err(refusal(error)),
        }
    }

    fn item(&mut self, item: BatchItem, now: UnixMs) -> Result<ItemOutcome, WriteError> {
        match item {
            BatchItem::Get(key) => {
                let record = self.writer.get(&key, now).map_err(|_| WriteError::Poisoned)?;
                Ok(ItemOutcome::Read(record))
            }
            BatchItem::Write(write) => match self.writer.stage(write, now).map_err(refusal) {
                Ok(written) => Ok(ItemOutcome::Written(written)),
                Err(WriteError::Rejected(rejection)) => Ok(ItemOutcome::Rejected(rejection)),
                Err(error) => Err(error),
            },
        }
    }
}

/// What an atomic batch answers when the write at `at` is refused: nothing was done.
fn aborted(items: &[BatchItem], at: usize, rejection: &Rejection) -> Vec<ItemOutcome> {
    let outcome = |place| if place == at { rejection.clone() } else { Rejection::BatchAborted };
    (0..items.len()).map(|place| ItemOutcome::Rejected(outcome(place))).collect()
}

fn refusal(error: PutError) -> WriteError {
    match error {
        PutError::Rejected(rejection) => WriteError::Rejected(rejection),
        PutError::Backend(error) => {
            tracing::error!(%error, "a store can not be read");
            WriteError::Poisoned
        }
    }
}

fn answer(request: ApplyBatch, outcome: BatchOutcome) {
    let ApplyBatch { peer, batch: StoreBatch { store, batch }, answer_to, catch_up, permit } =
        request;
    if matches!(outcome, BatchOutcome::Gap { .. }) {
        post(&catch_up, Gap { peer });
    }
    let (origin, after, upto) = (batch.origin, batch.after, batch.upto);
    let answer = WireMessage::Answer(BatchAnswer { store, origin, after, upto, outcome });
    answer_to.send(&answer);
    drop(permit);
}

impl Actor for StorageActor {
    type Context = Context<Self>;
}

impl Drop for StorageActor {
    fn drop(&mut self) {
        self.intake.close(); // who waits learns that nobody will answer
    }
}

impl Handler<TakeWrites> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: TakeWrites, ctx: &mut Self::Context) {
        self.take_writes(ctx);
    }
}

impl Handler<ClientBatch> for StorageActor {
    type Result = ();

    fn handle(&mut self, message: ClientBatch, ctx: &mut Self::Context) {
        let ClientBatch { batch, reply, permit } = message;
        let now = self.now();
        match self.batch(batch, now) {
            Ok(outcomes) => self.wait(Waiting::Batch(reply, outcomes, permit), ctx),
            Err(error) => reply_to(reply, Err(error)),
        }
    }
}

impl Handler<ApplyBatch> for StorageActor {
    type Result = ();

    fn handle(&mut self, mut message: ApplyBatch, ctx: &mut Self::Context) {
        let now = self.now();
        let durable = self.reader.durable();
        let batch = take_ops(&mut message.batch);
        let event = Event::Batch { batch, applied: self.writer.others(), durable: &durable };
        let outcome = match self.applier.step(now, event) {
            Effect::Answer(outcome) => Some(outcome),
            Effect::Merge(stretch) => match self.writer.merge(stretch, now) {
                Ok(()) => None,
                Err(_) => Some(BatchOutcome::Unavailable),
            },
        };
        self.wait(Waiting::Apply(message, outcome), ctx);
    }
}

/// The batch with its ops; what stays behind is what its answer needs.
fn take_ops(batch: &mut StoreBatch) -> gridkv_protocol::OpBatch {
    let ops = std::mem::take(&mut batch.batch.ops);
    let seen = std::mem::take(&mut batch.batch.seen);
    gridkv_protocol::OpBatch { ops, seen, ..batch.batch.clone() }
}

impl Handler<MergePage> for StorageActor {
    type Result = ();

    fn handle(&mut self, message: MergePage, ctx: &mut Self::Context) {
        let MergePage { records, install, reply } = message;
        let now = self.now();
        if self.writer.merge_page(records, now).is_err() {
            reply_to(reply, false);
            return;
        }
        if let Some((frontier, floor)) = install {
            self.writer.install(&frontier, floor);
        }
        self.wait(Waiting::Merge(reply), ctx);
    }
}

impl Handler<Tick> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        self.turns.turned(self.clock.elapsed_ms());
        let now = self.now();
        match self.writer.expire(now) {
            // Writes come between: a flood of deadlines does not hold them up.
            Ok(true) => ctx.notify(Expire),
            Ok(false) => {}
            Err(error) if self.failed => tracing::trace!(%error, "nothing expires any more"),
            Err(error) => {
                tracing::error!(store = %self.reader.name(), %error, "records can not be expired");
            }
        }
        if !self.drained && self.state.may_mint() {
            self.writer.close_time(now);
        }
        self.flush();
    }
}

impl Handler<TakeOrigin> for StorageActor {
    type Result = ();

    fn handle(&mut self, TakeOrigin(origin): TakeOrigin, _ctx: &mut Self::Context) {
        self.flush();
        if let Err(error) = self.writer.take_origin(origin) {
            tracing::error!(store = %self.reader.name(), %error, "a commit failed");
        }
    }
}

impl Handler<Drain> for StorageActor {
    type Result = ();

    fn handle(&mut self, Drain(done): Drain, ctx: &mut Self::Context) {
        self.take_writes(ctx);
        self.flush();
        self.drained = true;
        reply_to(done, ());
    }
}

impl Handler<Flush> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Flush, _ctx: &mut Self::Context) {
        self.flush();
    }
}

impl Handler<Expire> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Expire, ctx: &mut Self::Context) {
        let now = self.now();
        if matches!(self.writer.expire(now), Ok(true)) {
            ctx.notify(Expire);
        }
        self.flush();
    }
}

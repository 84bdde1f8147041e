//! The storage actor: the only writer of its store, on a thread of its own.
//!
//! A handler stages a change and keeps the reply; the first one asks for a flush, which runs when the
//! mailbox is drained, or at [`MAX_GROUP`] messages. The flush commits once, then answers everyone, then
//! nudges the publisher: nothing is readable, published or acknowledged before it is committed.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use gridkv_protocol::UnixMs;
use gridkv_protocol::applier::Applier;
use gridkv_protocol::message::BatchOutcome;
use gridkv_storage::durability::Durability;
use gridkv_storage::reader::StoreReader;
use gridkv_storage::stats::{OpKind, Undone};
use gridkv_storage::write::{ItemOutcome, Rejection, Write, Written};
use gridkv_storage::writer::StoreWriter;
use tokio::sync::oneshot;

use crate::clock::ClockSource;
use crate::error::WriteError;
use crate::gate::Permit;
use crate::intake::Intake;
use crate::mail::takes_letters;
use crate::mailbox::Mailbox;
use crate::node_state::NodeState;
use crate::nudge::Nudge;
use crate::post::answer as reply_to;
use crate::storage_messages::{ApplyBatch, ClientWrite, Drain, TakeOrigin, TakeWrites, Tick};
use crate::store_meters::StoreMeters;
use crate::version_waits::VersionWaits;
use crate::watches::Watches;

mod answers;
mod arrivals;
mod batches;
mod commit_log;
mod digest;
mod expiry;
mod forgetting;
mod stability;

use self::answers::{all_reached, answer, refusal};
use self::arrivals::Fresh;
use self::commit_log::CommitLog;
use self::expiry::Expire;

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
    mailbox: Arc<Mailbox>,
    meters: Arc<StoreMeters>,
    /// Tells the publisher that there is something to send.
    nudge: Arc<Nudge>,
    /// Who reads only what is here by then.
    version_waits: Arc<VersionWaits>,
    /// Who waits for a change.
    watches: Arc<Watches>,
    waiting: Vec<Waiting>,
    /// The most that somebody who waits asked the commit to survive.
    asked: Durability,
    flush_asked: bool,
    /// How commits end, for the log.
    commits: CommitLog,
    /// The last expiry could read what was due; when it could not, the log was told.
    expires: bool,
    survey: digest::Survey,
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
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) meters: Arc<StoreMeters>,
    pub(crate) nudge: Arc<Nudge>,
    pub(crate) version_waits: Arc<VersionWaits>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) max_clock_skew_ms: u64,
}

/// An answer that waits for the commit.
enum Waiting {
    Write(oneshot::Sender<Result<Written, WriteError>>, Written, Permit, OpKind),
    /// With why nothing of it was done, if that is so.
    Batch(
        oneshot::Sender<Result<Vec<ItemOutcome>, WriteError>>,
        Vec<ItemOutcome>,
        Permit,
        Option<Undone>,
    ),
    Apply(ApplyBatch, Option<BatchOutcome>, Fresh),
    Merge(oneshot::Sender<bool>),
}

#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

impl StorageActor {
    pub(crate) fn new(parts: StorageParts) -> Self {
        let StorageParts { writer, reader, intake, clock, state, mailbox, .. } = parts;
        let applier = Applier::new(writer.origin().node(), parts.max_clock_skew_ms);
        let commits = CommitLog::of(reader.name().clone());
        Self {
            writer,
            reader,
            intake,
            applier,
            clock,
            state,
            mailbox,
            meters: parts.meters,
            nudge: parts.nudge,
            version_waits: parts.version_waits,
            watches: parts.watches,
            waiting: Vec::new(),
            asked: Durability::Memory,
            flush_asked: false,
            commits,
            expires: true,
            survey: digest::Survey::default(),
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

    /// Commits what was staged and answers who waits for it. Says whether that worked.
    fn flush(&mut self) -> bool {
        self.flush_asked = false;
        let asked = std::mem::take(&mut self.asked);
        let (changes, began_us) = (self.writer.staged(), self.clock.elapsed_us());
        let committed = self.writer.commit(asked).map_err(|error| self.commits.explain(error));
        if changes > 0 && committed.is_ok() {
            self.commits.worked(); // one that only closes time needs no room, and proves nothing
            self.meters.commit_sizes.observe(changes);
            self.meters.commit_times.observe(self.clock.elapsed_us().saturating_sub(began_us));
        }
        let works = committed.is_ok();
        self.clock.observe(self.writer.clock());
        self.answer_all(&committed);
        self.tell_of_commit();
        works
    }

    /// Something may have been committed: tells the publisher, and who waits to read it.
    fn tell_of_commit(&self) {
        self.nudge.committed(self.reader.ring());
        self.version_waits.moved(|origin| self.reader.upto(origin));
        self.watches.committed(self.reader.changes());
    }

    /// A record can not be read: drops what is staged, so that nothing is done in part.
    fn give_up(&mut self, error: &WriteError) {
        self.writer.drop_staged();
        self.asked = Durability::Memory;
        self.answer_all(&Err(error.clone()));
    }

    fn answer_all(&mut self, committed: &Result<Durability, WriteError>) {
        let counters = self.reader.operations();
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Write(reply, written, permit, kind) => {
                    if committed.is_err() {
                        counters.fail(kind, Undone::Error);
                    }
                    let reached = |durability| Written { durability, ..written };
                    drop(permit); // who has the answer finds nothing in flight
                    reply_to(reply, committed.clone().map(reached));
                }
                Waiting::Batch(reply, outcomes, permit, undone) => {
                    match (undone, committed) {
                        (Some(why), _) => counters.fail(OpKind::Batch, why),
                        (None, Ok(_)) => counters.batch.add(1),
                        (None, Err(error)) => counters.fail(OpKind::Batch, error.undone()),
                    }
                    drop(permit);
                    reply_to(
                        reply,
                        committed.clone().map(|reached| all_reached(outcomes, reached)),
                    );
                }
                Waiting::Merge(reply) => reply_to(reply, committed.is_ok()),
                Waiting::Apply(request, outcome, fresh) if committed.is_err() => {
                    if outcome.is_none() {
                        self.reject(fresh);
                    }
                    answer(request, BatchOutcome::Unavailable);
                }
                Waiting::Apply(request, outcome, fresh) => {
                    let outcome = outcome.unwrap_or_else(|| self.merged(&request, fresh));
                    answer(request, outcome);
                }
            }
        }
    }

    fn take_writes(&mut self, ctx: &mut Context<Self>) {
        let mut writes = self.intake.take();
        for ClientWrite { write, durability, reply, permit } in writes.drain(..) {
            let (now, kind) = (self.now(), OpKind::of(&write.action));
            match self.stage(write, durability, now) {
                Ok(written) => self.wait(Waiting::Write(reply, written, permit, kind), ctx),
                Err(error) => {
                    drop(permit);
                    reply_to(reply, Err(error));
                }
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
        if let Err(error) = self.check_clock().and_then(|()| self.check_durability(durability)) {
            self.reader.operations().fail(OpKind::of(&write.action), error.undone());
            return Err(error);
        }
        let written = self.writer.stage(write, now).map_err(refusal)?;
        self.asked = self.asked.max(durability.unwrap_or_default());
        Ok(written)
    }

    /// The door was open when it came in; the fence may have come down since.
    fn check_clock(&self) -> Result<(), WriteError> {
        if self.state.may_mint() { Ok(()) } else { Err(WriteError::ClockFenced) }
    }

    /// The time by which deadlines are judged: with a clock that is not believed none passes for good.
    fn deadlines_at(&self, now: UnixMs) -> UnixMs {
        if self.state.may_mint() { now } else { UnixMs(0) }
    }

    fn check_durability(&self, asked: Option<Durability>) -> Result<(), WriteError> {
        let best = self.reader.promises().best;
        if asked.is_some_and(|asked| asked > best) {
            return Err(Rejection::DurabilityUnavailable { best }.into());
        }
        Ok(())
    }
}

impl Actor for StorageActor {
    type Context = Context<Self>;
}

takes_letters!(StorageActor);

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

impl Handler<Tick> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        self.mailbox.turned();
        let now = self.now();
        if !self.drained && self.state.may_mint() {
            self.writer.close_time(now);
        }
        // Time is closed also when what was staged can not be committed: peers must not take it for silence.
        if !self.flush() {
            self.flush();
        }
        self.survey_on(ctx);
        let more = self.expire(now);
        if self.flush() && more {
            ctx.notify(Expire); // writes come between: a flood of deadlines does not hold them up
        }
    }
}

impl Handler<TakeOrigin> for StorageActor {
    type Result = ();

    fn handle(&mut self, TakeOrigin(origin): TakeOrigin, _ctx: &mut Self::Context) {
        self.flush();
        if let Err(error) = self.writer.take_origin(origin) {
            tracing::error!(store = %self.reader.name(), %error, "a commit failed");
        }
        self.tell_of_commit();
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

//! The store handle: the gated door to a store, for everyone who is not its actor.
//!
//! Reads go past the mailbox, from the caller's thread: a hop costs more than the read. Writes need a
//! permit first, so that what is in flight is bounded and refused before anything happened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::differing::Differing;
use gridkv_protocol::fence::Standing;
use gridkv_protocol::{Key, NodeId, Record, StoreName, UnixMs, Version};
use gridkv_storage::backend::{BackendError, Near};
use gridkv_storage::change_log::ChangeLog;
use gridkv_storage::durability::Durability;
use gridkv_storage::flusher::StoreFlusher;
use gridkv_storage::list::{ListQuery, Listing};
use gridkv_storage::reader::StoreReader;
use gridkv_storage::stats::{ApplyCounters, OpKind, OperationCounters, StoreStats, Undone};
use gridkv_storage::write::{Batch, ItemOutcome, Rejection, Write, Written};
use tokio::sync::{Semaphore, oneshot};

use crate::acks::{AckCounts, Acks, Seat};
use crate::catch_up_counters::CatchUpCounters;
use crate::clock::ClockSource;
use crate::convergence_actor::{ConvergenceActor, TellDiffering};
use crate::error::{ReadError, WaitError, WriteError, describe};
use crate::gate::{Gate, Permit, item_weight, weight};
use crate::intake::Intake;
use crate::mail::Mail;
use crate::node_state::{NodeState, Phase};
use crate::post::post;
use crate::storage_actor::StorageActor;
use crate::storage_messages::{ClientBatch, ClientWrite, TakeWrites};
use crate::store_meters::StoreMeters;
use crate::version_waits::{Reached, VersionWaits};
use crate::views::CatchUpCounts;
use crate::watches::{Watch, WatchError, Watched, Watches};

/// The gated door to a store. Cheap to clone.
#[derive(Clone)]
pub struct StoreHandle {
    inner: Arc<Inner>,
}

/// What a handle is made of.
pub(crate) struct Inner {
    pub(crate) reader: StoreReader,
    pub(crate) flusher: StoreFlusher,
    /// Whether it was made while a node ran.
    pub(crate) made: bool,
    pub(crate) storage: Mail<StorageActor>,
    /// Places for those who read all of it at once.
    pub(crate) snapshots: Arc<Semaphore>,
    /// The place of the one who fills it from a snapshot.
    pub(crate) restores: Arc<Semaphore>,
    /// Where uploads wait.
    pub(crate) spool_dir: PathBuf,
    pub(crate) intake: Arc<Intake>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) catch_up: Arc<CatchUpCounters>,
    pub(crate) acks: Arc<Acks>,
    pub(crate) version_waits: Arc<VersionWaits>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) meters: Arc<StoreMeters>,
    /// `None` for a cache.
    pub(crate) convergence: Option<Mail<ConvergenceActor>>,
}

/// The call to the actor that the first writer of a group owes; made also when its caller goes away.
struct Call<'a>(&'a Inner);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        post(&self.0.storage, TakeWrites);
    }
}

impl StoreHandle {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The store's name.
    pub fn name(&self) -> &StoreName {
        self.inner.reader.name()
    }

    /// The backend's name, such as `memory`.
    pub fn backend(&self) -> &'static str {
        self.inner.reader.backend()
    }

    /// Whether a configuration names it; if not, it was made while a node ran, and can be dropped.
    pub fn is_configured(&self) -> bool {
        !self.inner.made
    }

    /// Whether it may forget records.
    pub fn is_cache(&self) -> bool {
        self.inner.reader.promises().cache
    }

    /// The live record under `key`: from the caller's thread, unless the disk has to be asked. Counts a
    /// hit or a miss. A write that was acknowledged on this node is seen.
    ///
    /// # Errors
    /// [`ReadError`] when the backend can not read.
    pub async fn get(&self, key: &Key) -> Result<Option<Record>, ReadError> {
        let now = self.now();
        let read = match self.inner.reader.get_near(key, now) {
            Ok(Near::Known(record)) => Ok(record),
            Ok(Near::Far) => {
                let (reader, key) = (self.inner.reader.clone(), key.clone());
                on_blocking_thread(move || reader.get_far(&key, now)).await
            }
            Err(error) => Err(read_error(&error)),
        };
        read.inspect_err(|_| self.operations().fail(OpKind::Get, Undone::Error))
    }

    /// Waits, at most for `patience`, until this node's state covers `version`: then a read sees that write,
    /// or a newer one of its key.
    ///
    /// # Errors
    /// [`WaitError`] when it does not, or too many wait.
    pub async fn wait_for(&self, version: Version, patience: Duration) -> Result<(), WaitError> {
        let Inner { reader, version_waits, .. } = &*self.inner;
        match version_waits.wait(version, patience, |version| reader.covers(version)).await {
            Reached::Yes => Ok(()),
            Reached::No => Err(WaitError::NotReached),
            Reached::Overloaded => Err(WaitError::Overloaded),
        }
    }

    /// The live record under `key`, for who follows the store: it counts neither as a hit nor as a miss.
    pub(crate) async fn look(&self, key: &Key) -> Result<Option<Record>, ReadError> {
        let (reader, now) = (self.inner.reader.clone(), self.now());
        let reads_disk = reader.promises().reads_disk;
        let key = key.clone();
        let read = move || {
            let standing = reader.standing(&key)?;
            Ok(standing.filter(|record| record.live_at(now).is_some()))
        };
        if reads_disk {
            on_blocking_thread(read).await
        } else {
            read().map_err(|error| read_error(&error))
        }
    }

    pub(crate) fn log(&self) -> &ChangeLog {
        self.inner.reader.changes()
    }

    pub(crate) fn watch(&self, watched: Watched) -> Result<Watch, WatchError> {
        self.inner.watches.watch(watched)
    }

    /// Requests and streams that watch the store.
    pub fn watchers(&self) -> usize {
        self.inner.watches.len()
    }

    /// Whether this node's state covers `version`.
    pub fn covers(&self, version: Version) -> bool {
        self.inner.reader.covers(version)
    }

    /// Whether a peer said that its state covers `version`.
    pub(crate) fn peer_covers(&self, peer: NodeId, version: Version) -> bool {
        self.inner.acks.covers(peer, version)
    }

    /// The keys in which the store differed from that of a peer when it was last repaired from there; `None`
    /// for a cache, and once the node stops.
    pub async fn differing(&self, peer: NodeId) -> Option<Differing> {
        let (reply, answer) = oneshot::channel();
        post(self.inner.convergence.as_ref()?, TellDiffering { peer, reply });
        answer.await.ok()
    }

    /// A page of live keys: from the caller's thread, which others have their turns of, unless the disk has
    /// to be asked.
    ///
    /// # Errors
    /// [`ReadError`] when the backend can not read.
    pub async fn list(&self, query: ListQuery) -> Result<Listing, ReadError> {
        let listed = self.list_here(query).await;
        listed.inspect_err(|_| self.operations().fail(OpKind::List, Undone::Error))
    }

    async fn list_here(&self, query: ListQuery) -> Result<Listing, ReadError> {
        let (reader, now) = (self.inner.reader.clone(), self.now());
        if reader.promises().reads_disk {
            return on_blocking_thread(move || reader.list(&query, now)).await;
        }
        let mut walk = StoreReader::begin_list(query);
        while reader.list_on(&mut walk, now).map_err(|error| read_error(&error))?.is_continue() {
            tokio::task::yield_now().await;
        }
        self.operations().list.add(1);
        Ok(walk.into_listing())
    }

    /// One write, committed when this returns. `durability` is what it must reach, at least.
    ///
    /// # Errors
    /// [`WriteError`], which says whether the store is unchanged. A caller that stops waiting does not
    /// stop the write.
    pub async fn write(
        &self,
        write: Write,
        durability: Option<Durability>,
    ) -> Result<Written, WriteError> {
        let (first, answer) = self.add(write, durability)?;
        if first {
            let call = Call(&self.inner);
            tokio::task::yield_now().await; // tasks of this thread that are ready write meanwhile
            drop(call);
        }
        answer.await.map_err(|_| WriteError::Stopped)?
    }

    /// Puts a write with those that wait for the actor, if it may: whether the actor is to be called, and where it
    /// answers. Who waits for that keeps no room for the write.
    fn add(
        &self,
        write: Write,
        durability: Option<Durability>,
    ) -> Result<(bool, oneshot::Receiver<Result<Written, WriteError>>), WriteError> {
        let kind = OpKind::of(&write.action);
        let permit = self.check_clock().and_then(|()| self.enter(1, weight(&write)));
        let permit = permit.inspect_err(|error| self.operations().fail(kind, error.undone()))?;
        let (reply, answer) = oneshot::channel();
        let first = self.inner.intake.add(ClientWrite { write, durability, reply, permit });
        Ok((first, answer))
    }

    /// Several operations in one message: nothing else happens between them on this node. Outcomes in
    /// the order of the items.
    ///
    /// # Errors
    /// [`WriteError`] when the whole batch was not done; refusals of single items are outcomes.
    pub async fn batch(&self, batch: Batch) -> Result<Vec<ItemOutcome>, WriteError> {
        let clock = if batch.has_writes() { self.check_clock() } else { Ok(()) };
        let bytes = batch.items.iter().map(item_weight).sum();
        let ops = u64::try_from(batch.items.len()).unwrap_or(u64::MAX);
        let permit = clock.and_then(|()| self.enter(ops, bytes)).inspect_err(|error| {
            self.operations().fail(OpKind::Batch, error.undone());
        })?;
        let (reply, answer) = oneshot::channel();
        post(&self.inner.storage, ClientBatch { batch, reply, permit });
        answer.await.map_err(|_| WriteError::Stopped)?
    }

    /// Whether the node may mint, as far as its clock goes.
    pub(crate) fn check_clock(&self) -> Result<(), WriteError> {
        match self.inner.state.clock() {
            Standing::Fenced => Err(WriteError::ClockFenced),
            Standing::Unjudged | Standing::Sound | Standing::Undecided | Standing::Behind => Ok(()),
        }
    }

    /// Whether a write would be let in, but for what is in flight.
    pub(crate) fn takes_writes(&self) -> Result<(), WriteError> {
        let phase = self.inner.state.phase();
        if self.inner.state.is_draining() && phase != Phase::Stopping {
            return Err(WriteError::Draining);
        }
        match phase {
            Phase::Ready => {}
            Phase::Starting => return Err(WriteError::NotReady("it is starting".into())),
            Phase::Joining => {
                return Err(WriteError::NotReady("it has not joined a cluster yet".into()));
            }
            Phase::CatchingUp => {
                return Err(WriteError::NotReady("it is catching up with its peers".into()));
            }
            Phase::Stopping => return Err(WriteError::NotReady("it is stopping".into())),
        }
        if self.inner.reader.is_poisoned() {
            return Err(WriteError::Poisoned);
        }
        if self.inner.catch_up.is_bootstrapping() {
            return Err(WriteError::NotReady("this store is being filled from a peer".into()));
        }
        Ok(())
    }

    /// Whether the node takes writes of this durability, for who has to know it before there is one.
    ///
    /// # Errors
    /// [`WriteError`], as a write would get it.
    pub fn admits(&self, durability: Option<Durability>) -> Result<(), WriteError> {
        self.check_clock()?;
        self.takes_writes()?;
        let best = self.inner.reader.promises().best;
        if durability.is_some_and(|asked| asked > best) {
            return Err(Rejection::DurabilityUnavailable { best }.into());
        }
        Ok(())
    }

    fn enter(&self, ops: u64, bytes: u64) -> Result<Permit, WriteError> {
        self.takes_writes()?;
        self.inner.gate.enter(ops, bytes).ok_or(WriteError::Overloaded)
    }

    /// A seat among those who wait for peers.
    pub(crate) fn seat(&self) -> Result<Seat, WriteError> {
        self.inner.acks.seat().ok_or(WriteError::Overloaded)
    }

    /// Writes that waited for peers.
    pub fn acks(&self) -> AckCounts {
        self.inner.acks.counts()
    }

    /// What is measured of its commits.
    pub fn meters(&self) -> &StoreMeters {
        &self.inner.meters
    }

    /// Changes that are kept for those who follow the store, and that can be at most.
    pub fn change_log(&self) -> (usize, usize) {
        self.log().fill()
    }

    /// Changes that the log had dropped before those who follow the store had read them.
    pub fn missed_changes(&self) -> u64 {
        self.inner.watches.missed()
    }

    /// A snapshot of statistics.
    pub fn stats(&self) -> StoreStats {
        self.inner.reader.stats()
    }

    /// Counters of client operations.
    pub fn operations(&self) -> &OperationCounters {
        self.inner.reader.operations()
    }

    /// Counters of what came from peers.
    pub fn applies(&self) -> &ApplyCounters {
        self.inner.reader.applies()
    }

    /// Catch-up sessions.
    pub fn catch_up(&self) -> CatchUpCounts {
        self.inner.catch_up.view()
    }

    /// Writes in flight to the store's actor, and how many may be.
    pub fn in_flight(&self) -> (u64, u64) {
        (self.inner.gate.in_flight(), self.inner.gate.limits().ops)
    }

    /// Requests that were refused because too much was in flight.
    pub(crate) fn refused(&self) -> u64 {
        let counters = self.operations();
        OpKind::ALL.into_iter().map(|kind| counters.undone(kind, Undone::Overloaded)).sum()
    }

    /// The node's physical time.
    pub fn now(&self) -> UnixMs {
        self.inner.clock.now()
    }
}

fn read_error(error: &BackendError) -> ReadError {
    ReadError(describe(error))
}

/// Waits for a read that may take as long as a disk does.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(outcome) => outcome.map_err(|error| read_error(&error)),
        Err(_) => Err(ReadError("the thread that read it died".to_owned())),
    }
}

//! The end of a store that changes it: one owner, one thread, and one funnel.
//!
//! Every change of a record, of a client, a peer, a catch-up page or a deadline, passes
//! [`StoreWriter::admit`]. Changes gather in the next commit and become readable, and are published,
//! only when [`StoreWriter::commit`] has put them as safely as the backend promises. After a failed
//! commit the writer refuses everything: what is on the disk is then not known.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridkv_protocol::applier::Stretch;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{
    Admission, Frontier, Hlc, HlcClock, Key, Live, Op, Origin, Record, State, UnixMs, Version,
};

use crate::account::Account;
use crate::backend::{BackendError, Commit};
use crate::deadlines::Deadlines;
use crate::map::WALK_CHUNK;
use crate::pending::Pending;
use crate::store::Shared;
use crate::write::{Action, Rejection, Ttl, Write, Written};

/// Records that one turn of expiry takes, at most: writes wait for no more.
const EXPIRE_AT_ONCE: usize = 1_024;

/// Changes a store.
pub struct StoreWriter {
    shared: Arc<Shared>,
    origin: Origin,
    clock: HlcClock,
    /// What is in the state of everyone but `origin`; also what an op written now has seen.
    others: Arc<Frontier>,
    own_upto: Hlc,
    floor: Hlc,
    loose: LooseSet,
    deadlines: Deadlines,
    pending: Pending,
}

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It was refused. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The backend could not be read. Nothing was changed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl StoreWriter {
    /// Looks through what the backend has, and counts it.
    pub(crate) fn recover(shared: Arc<Shared>, origin: Origin) -> Result<Self, BackendError> {
        let others = shared.frontiers.others.load_full();
        let (mut account, mut loose) = (Account::default(), LooseSet::default());
        let mut deadlines = Deadlines::default();
        let floor = shared.frontiers.floor();
        let mut greatest = others.greatest().max(floor);
        let mut cursor = None;
        loop {
            let walk = shared.backend.page(cursor.as_ref(), WALK_CHUNK)?;
            for KeyedRecord { key, record } in &walk.records {
                account.add(key, record);
                loose.hold(record.version, &others);
                deadlines.follow(key, None, record);
                greatest = greatest.max(record.version.hlc);
            }
            cursor = walk.next;
            if cursor.is_none() {
                break;
            }
        }
        shared.account.apply(&account);
        shared.loose.publish(loose.hashes());
        Ok(Self {
            clock: HlcClock::starting_at(greatest),
            own_upto: Hlc::ZERO,
            floor,
            pending: Pending::default(),
            shared,
            origin,
            others,
            loose,
            deadlines,
        })
    }

    /// Makes a client's write part of the next commit.
    ///
    /// # Errors
    /// [`PutError`] when it is refused: then nothing was changed.
    pub fn stage(&mut self, write: Write, now: UnixMs) -> Result<Written, PutError> {
        let standing = self.standing(&write.key)?;
        let current = standing.as_ref().filter(|record| record.live_at(now).is_some());
        let state = self.next_state(&write, current, now)?;
        let mut record = self.unborn(state);
        let due = record.expired_at(now);
        let kept = due.as_ref().unwrap_or(&record);
        self.room_for(&write, standing.as_ref(), kept, self.pending.account())?;
        let existed = current.is_some();
        let kind = Kind::of(&write.action);
        let expires_at = match &record.state {
            State::Live(live) => live.expires_at,
            State::Expired { .. } | State::Deleted => None,
        };
        let version = Version { hlc: self.clock.mint(now), origin: self.origin };
        record.version = version;
        let op = Op { key: write.key, record };
        self.pending.log(LoggedOp { op: op.clone(), seen: Arc::clone(&self.others) });
        self.admit(op, standing.as_ref(), now);
        self.own_upto = version.hlc;
        kind.counter(&self.shared).add(1);
        let durability = self.shared.backend.promises().durability;
        Ok(Written { version, existed, expires_at, durability })
    }

    /// What a write would make of `current`, or why it is refused. Changes nothing but counters.
    fn next_state(
        &self,
        write: &Write,
        current: Option<&Record>,
        now: UnixMs,
    ) -> Result<State, Rejection> {
        let version = current.map(|record| record.version);
        let live = current.and_then(|record| record.live_at(now));
        if !write.condition.holds(version) {
            self.shared.operations.precondition_failed.add(1);
            return Err(Rejection::PreconditionFailed { current: version });
        }
        let deadline = |ttl| self.deadline(ttl, live, now);
        match &write.action {
            Action::Delete => Ok(State::Deleted),
            Action::Touch { ttl } => match live {
                Some(live) => Ok(State::Live(Live { expires_at: deadline(*ttl), ..live.clone() })),
                None => Err(Rejection::KeyNotFound),
            },
            Action::Put { value, content_type, ttl } => Ok(State::Live(Live {
                value: value.clone(),
                content_type: content_type.clone(),
                expires_at: deadline(*ttl),
            })),
        }
    }

    /// A record whose version is not minted: one that nobody can name yet.
    fn unborn(&self, state: State) -> Record {
        Record { version: Version { hlc: Hlc::ZERO, origin: self.origin }, state }
    }

    fn deadline(&self, ttl: Ttl, live: Option<&Live>, now: UnixMs) -> Option<UnixMs> {
        match ttl {
            Ttl::StoreDefault => self.shared.config.default_ttl_ms.map(|ms| now.plus(ms)),
            Ttl::Keep => live.and_then(|live| live.expires_at),
            Ttl::Unlimited => None,
            Ttl::Ms(ms) => Some(now.plus(ms)),
        }
    }

    /// The account of a commit of `pending` and this write, or a refusal: a put may not grow a full
    /// store.
    fn room_for(
        &self,
        Write { key, action, .. }: &Write,
        standing: Option<&Record>,
        record: &Record,
        pending: &Account,
    ) -> Result<Account, Rejection> {
        let Shared { config, account, operations, .. } = &*self.shared;
        let mut after = *pending;
        if let Some(standing) = standing {
            after.remove(key, standing);
        }
        after.add(key, record);
        let limit_bytes = config.memory_limit_bytes;
        let is_over = account.bytes().saturating_add_signed(after.bytes) > limit_bytes;
        let grows = matches!(action, Action::Put { .. }) && after.bytes > pending.bytes;
        if config.refuse_over_limit && grows && is_over {
            operations.memory_limit.add(1);
            let used_bytes = account.bytes().saturating_add_signed(pending.bytes);
            return Err(Rejection::MemoryLimit { used_bytes, limit_bytes });
        }
        Ok(after)
    }

    /// Checks every write of an atomic batch before any is staged. Says which one is refused.
    ///
    /// # Errors
    /// The place and reason of the first write that would be refused; nothing was changed.
    pub fn check(&self, writes: &[Write], now: UnixMs) -> Result<(), (usize, PutError)> {
        let mut scratch: Vec<(&Key, Option<Record>)> = Vec::new();
        let mut account = *self.pending.account();
        for (at, write) in writes.iter().enumerate() {
            let earlier = scratch.iter().rev().find(|(key, _)| **key == write.key);
            let standing = match earlier {
                Some((_, left)) => left.clone(),
                None => self.standing(&write.key).map_err(|error| (at, error.into()))?,
            };
            let current = standing.as_ref().filter(|record| record.live_at(now).is_some());
            let refused = |rejection: Rejection| (at, rejection.into());
            let state = self.next_state(write, current, now).map_err(refused)?;
            let record = self.unborn(state);
            let record = record.expired_at(now).unwrap_or(record);
            account =
                self.room_for(write, standing.as_ref(), &record, &account).map_err(refused)?;
            scratch.push((&write.key, Some(record)));
        }
        Ok(())
    }

    /// The live record under `key`, as the writes staged so far leave it.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn get(&self, key: &Key, now: UnixMs) -> Result<Option<Record>, BackendError> {
        Ok(self.standing(key)?.filter(|record| record.live_at(now).is_some()))
    }

    /// What stands under `key`, the next commit included. Every change asks this first, so here a
    /// poisoned store refuses all of them.
    fn standing(&self, key: &Key) -> Result<Option<Record>, BackendError> {
        if self.is_poisoned() {
            return Err(BackendError::Poisoned);
        }
        match self.pending.get(key) {
            Some(record) => Ok(Some(record.clone())),
            None => self.shared.backend.get(key.as_str()),
        }
    }

    /// THE funnel: sets an incoming record beside the standing one, and keeps the greater.
    fn admit(&mut self, op: Op, standing: Option<&Record>, now: UnixMs) -> Admission {
        let Op { key, record } = op;
        let incoming = record.expired_at(now).unwrap_or(record);
        if standing.is_none() && incoming.version.hlc <= self.floor {
            return Admission::Stale; // what it says was deleted, and the deletion forgotten
        }
        let verdict = Record::judge(standing, &incoming);
        if verdict.replaces() {
            if let Some(standing) = standing {
                self.loose.release(standing.version);
            }
            if incoming.version.origin != self.origin {
                self.loose.hold(incoming.version, &self.others);
            }
            self.deadlines.follow(&key, standing, &incoming);
            self.pending.put(KeyedRecord { key, record: incoming }, standing);
        }
        verdict
    }

    /// Makes a stretch of a peer's ops part of the next commit, and closes its time.
    ///
    /// # Errors
    /// [`BackendError`] when a standing record can not be read; ops before it stay staged, the
    /// frontier does not move.
    pub fn merge(&mut self, stretch: Stretch, now: UnixMs) -> Result<(), BackendError> {
        let Stretch { origin, upto, seen, ops } = stretch;
        for op in ops {
            let standing = self.standing(&op.key)?;
            let unseen = standing
                .as_ref()
                .map(|record| record.version)
                .filter(|version| version.origin != origin && !seen.covers(*version));
            let verdict = self.admit(op, standing.as_ref(), now);
            self.count(verdict, unseen.is_some());
        }
        self.clock.observe(upto);
        self.advance(origin, upto);
        Ok(())
    }

    fn count(&self, verdict: Admission, unseen: bool) {
        let applies = &self.shared.applies;
        match verdict {
            Admission::Applied => applies.applied.add(1),
            Admission::Stale => applies.stale.add(1),
            Admission::Duplicate => applies.duplicate.add(1),
            Admission::Collision { .. } => applies.collision.add(1),
        }
        match verdict {
            Admission::Applied if unseen => applies.conflict_remote_won.add(1),
            Admission::Stale if unseen => applies.conflict_local_won.add(1),
            Admission::Applied
            | Admission::Stale
            | Admission::Duplicate
            | Admission::Collision { .. } => {}
        }
    }

    /// Makes the records of a catch-up page part of the next commit. No frontier moves.
    ///
    /// # Errors
    /// [`BackendError`] when a standing record can not be read; records before it stay staged.
    pub fn merge_page(
        &mut self,
        records: Vec<KeyedRecord>,
        now: UnixMs,
    ) -> Result<(), BackendError> {
        for KeyedRecord { key, record } in records {
            let standing = self.standing(&key)?;
            self.clock.observe(record.version.hlc);
            let verdict = self.admit(Op { key, record }, standing.as_ref(), now);
            self.count(verdict, false);
        }
        Ok(())
    }

    /// Ends a catch-up: moves the frontier to the donor's, except for the present origin.
    pub fn install(&mut self, frontier: &Frontier, floor: Hlc) {
        let own = self.origin;
        for (origin, upto) in frontier.iter().filter(|(origin, _)| *origin != own) {
            self.advance(origin, upto);
        }
        // What is minted below the floor would be dropped as forgotten, here and everywhere.
        self.clock.observe(floor);
        self.floor = self.floor.max(floor);
    }

    fn advance(&mut self, origin: Origin, upto: Hlc) {
        if self.others.get(origin) < upto {
            Arc::make_mut(&mut self.others).advance(origin, upto);
            self.loose.settle(origin, upto);
            self.pending.moves(origin, upto);
        }
    }

    /// Moves the clock past what was seen elsewhere; the caller has judged its skew.
    pub fn observe(&mut self, seen: Hlc) {
        self.clock.observe(seen);
    }

    /// Takes the value from records whose deadline has come, a bounded number of them. Says whether
    /// more are due.
    ///
    /// # Errors
    /// [`BackendError`] when a record can not be read; it is looked at again next time.
    pub fn expire(&mut self, now: UnixMs) -> Result<bool, BackendError> {
        let due = self.deadlines.due(now, EXPIRE_AT_ONCE);
        let more = due.len() == EXPIRE_AT_ONCE;
        for key in due {
            let standing = self.standing(&key)?;
            if let Some(record) = standing.as_ref().and_then(|record| record.expired_at(now)) {
                self.shared.expired.add(1);
                self.admit(Op { key, record }, standing.as_ref(), now);
            }
        }
        Ok(more)
    }

    /// Closes time: every later mint is above the point that the next commit publishes. Only a node
    /// that may mint calls it.
    pub fn close_time(&mut self, now: UnixMs) {
        self.own_upto = self.clock.mint(now);
    }

    /// Commits what was staged, makes it readable, and publishes it.
    ///
    /// # Errors
    /// [`BackendError`]: the store is poisoned, and whether the commit is there after a restart is not
    /// known.
    pub fn commit(&mut self) -> Result<(), BackendError> {
        if self.is_poisoned() {
            return Err(BackendError::Poisoned);
        }
        let own_moved = self.own_upto > self.shared.frontiers.own_upto();
        if own_moved {
            self.pending.moves(self.origin, self.own_upto);
        }
        let floor_moved = self.floor > self.shared.frontiers.floor();
        if self.pending.is_empty() && !floor_moved {
            return Ok(());
        }
        let commit = Commit {
            records: self.pending.records(),
            moved: self.pending.moved(),
            floor: self.floor,
        };
        if let Err(error) = self.shared.backend.put_batch(&commit) {
            self.shared.poisoned.store(true, Ordering::Release);
            return Err(error);
        }
        self.publish(own_moved);
        Ok(())
    }

    fn publish(&mut self, own_moved: bool) {
        let Shared { account, persists, frontiers, ring, loose, .. } = &*self.shared;
        account.apply(self.pending.account());
        // Time that was closed without a change is not worth an image; a floor that rose is.
        let floor_moved = u64::from(self.floor > frontiers.floor());
        let records = u64::try_from(self.pending.records().len()).unwrap_or(u64::MAX);
        persists.changes.add(records.saturating_add(floor_moved));
        if self.pending.moved().iter().any(|(origin, _)| *origin != self.origin) {
            frontiers.others.store(Arc::clone(&self.others));
            loose.publish(self.loose.hashes());
        } else if !self.loose.is_empty() || !loose.load().is_empty() {
            loose.publish(self.loose.hashes());
        }
        frontiers.raise_floor(self.floor);
        for op in self.pending.take_logged() {
            ring.push(op);
        }
        if own_moved {
            frontiers.set_own(self.origin, self.own_upto);
            ring.close(self.own_upto);
        }
        self.pending.clear();
    }

    /// Goes on under a new epoch, with everything committed under the old one.
    ///
    /// # Errors
    /// [`BackendError`] when the commit fails.
    pub fn take_origin(&mut self, origin: Origin) -> Result<(), BackendError> {
        self.commit()?;
        let old = std::mem::replace(&mut self.origin, origin);
        let upto = std::mem::replace(&mut self.own_upto, Hlc::ZERO);
        self.advance(old, upto);
        self.commit()?;
        self.shared.frontiers.set_own(origin, Hlc::ZERO);
        Ok(())
    }

    /// What is in the state, the next commit included, of everyone but this node's present origin.
    pub fn others(&self) -> &Frontier {
        &self.others
    }

    /// Who mints here.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The greatest point that this store's clock has seen.
    pub fn clock(&self) -> Hlc {
        self.clock.last()
    }

    /// Whether a commit failed: nothing is taken any more.
    pub fn is_poisoned(&self) -> bool {
        self.shared.poisoned.load(Ordering::Acquire)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Put,
    Delete,
    Touch,
}

impl Kind {
    fn of(action: &Action) -> Self {
        match action {
            Action::Put { .. } => Self::Put,
            Action::Delete => Self::Delete,
            Action::Touch { .. } => Self::Touch,
        }
    }

    fn counter(self, shared: &Shared) -> &crate::stats::Counter {
        match self {
            Self::Put => &shared.operations.put,
            Self::Delete => &shared.operations.delete,
            Self::Touch => &shared.operations.touch,
        }
    }
}

// CAVEATS: operations are counted when they are staged; if the commit then fails the node stops taking
// writes anyway. The list of an atomic batch is searched linearly: batches are capped at a thousand.

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;

#[cfg(test)]
#[path = "publish_test.rs"]
mod publish_tests;

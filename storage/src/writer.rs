//! The end of a store that changes it: one owner, one thread, and one funnel.
//!
//! Every change of a record, of a client, a peer, a catch-up page or a deadline, passes
//! `admit`. Changes gather in the next commit and become readable, and are published,
//! only when [`StoreWriter::commit`] has put them as safely as the backend promises. After a failed
//! commit the writer refuses everything: what is on the disk is then not known.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridkv_protocol::applier::Stretch;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Admission, Frontier, Hlc, HlcClock, Key, Op, Origin, Record, UnixMs};

use crate::account::Account;
use crate::backend::{BackendError, Commit};
use crate::deadlines::Deadlines;
use crate::map::WALK_CHUNK;
use crate::pending::Pending;
use crate::store::Shared;

mod client;

pub use client::PutError;

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
        // Time that was closed without a change is not worth an image; a floor that rose is.
        let floor_moved = u64::from(self.floor > frontiers.floor());
        let records = u64::try_from(self.pending.records().len()).unwrap_or(u64::MAX);
        account.apply(self.pending.account());
        // The floor first: who reads a frontier and then a floor must not miss what was forgotten.
        frontiers.raise_floor(self.floor);
        let others_moved = self.pending.moved().iter().any(|(origin, _)| *origin != self.origin);
        if others_moved {
            frontiers.others.store(Arc::clone(&self.others));
        }
        // Without loose records before and after there is nothing to say: the usual case.
        if others_moved || !self.loose.is_empty() || !loose.load().is_empty() {
            loose.publish(self.loose.hashes());
        }
        for op in self.pending.take_logged() {
            ring.push(op);
        }
        if own_moved {
            frontiers.set_own(self.origin, self.own_upto);
            ring.close(self.own_upto);
        }
        // Last: an image that starts now has all of this commit.
        persists.changes.add(records.saturating_add(floor_moved));
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

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;

#[cfg(test)]
#[path = "publish_test.rs"]
mod publish_tests;

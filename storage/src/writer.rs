//! The end of a store that changes it: one owner, one thread, and one funnel.
//!
//! Every change of a record, of a client, a peer, a catch-up page or a deadline, passes
//! `admit`. Changes gather in the next commit and become readable, and are published,
//! only when [`StoreWriter::commit`] has put them as safely as the backend promises. A commit that is not
//! made leaves everything as it was; one of which nobody knows whether it is on the disk is the end: the
//! writer refuses everything.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::{Frontier, Hlc, HlcClock, Origin, UnixMs};

use crate::backend::{BackendError, Cache, Commit, CommitError, Counts};
use crate::digest_keeper::DigestKeeper;
use crate::durability::Durability;
use crate::pending::{Loosened, Pending};
use crate::recovery::Recovery;
use crate::schedule::{Deadlines, Graveyard, follow};
use crate::store::Shared;
use crate::survey::Survey;

mod client;
mod digest;
mod expiry;
mod forgetting;
mod funnel;
mod purging;

pub use client::PutError;
pub use purging::DonorStretch;

/// Changes a store.
pub struct StoreWriter {
    shared: Arc<Shared>,
    origin: Origin,
    clock: HlcClock,
    /// What is in the state of everyone but `origin`; also what an op written now has seen.
    others: Arc<Frontier>,
    own_upto: Hlc,
    /// The last that was minted for a client in this run.
    last_written: Hlc,
    floor: Hlc,
    loose: LooseSet,
    deadlines: Deadlines,
    /// Dead records, to be purged; a cache keeps them by itself.
    graves: Graveyard,
    /// A cache has none: what it holds is its own affair.
    digest: Option<DigestKeeper>,
    /// How far the records have been read that the digest does not know yet; `None`: it knows all.
    survey: Option<Survey>,
    /// No record's version is later.
    greatest: Hlc,
    pending: Pending,
}

impl StoreWriter {
    /// A writer of what was recovered.
    pub(crate) fn new(shared: Arc<Shared>, origin: Origin, recovery: Recovery) -> Self {
        let Recovery { account, loose, deadlines, graves, digest, survey, greatest } = recovery;
        let others = shared.frontiers.others.load_full();
        let floor = shared.frontiers.floor();
        shared.account.apply(&account);
        shared.loose.publish(loose.hashes());
        let scheduled_bytes = deadlines.bytes().saturating_add(graves.bytes());
        shared.scheduled_bytes.store(scheduled_bytes, Release);
        Self {
            clock: HlcClock::starting_at(greatest.max(others.greatest()).max(floor)),
            own_upto: Hlc::ZERO,
            last_written: Hlc::ZERO,
            floor,
            greatest,
            pending: Pending::default(),
            digest: (!shared.promises.cache).then_some(digest),
            survey,
            shared,
            origin,
            others,
            loose,
            deadlines,
            graves,
        }
        .proven()
    }

    /// Ends a catch-up: moves the frontier to the donor's, except for the present origin.
    pub fn install(&mut self, frontier: &Frontier, floor: Hlc) {
        let own = self.origin;
        for (origin, upto) in frontier.iter().filter(|(origin, _)| *origin != own) {
            self.advance(origin, upto);
        }
        self.raise_floor(floor);
    }

    fn raise_floor(&mut self, floor: Hlc) {
        // What is minted below the floor would be dropped as forgotten, here and everywhere.
        self.clock.observe(floor);
        self.floor = self.floor.max(floor);
    }

    fn advance(&mut self, origin: Origin, upto: Hlc) {
        if self.others.get(origin) < upto {
            Arc::make_mut(&mut self.others).advance(origin, upto);
            self.pending.moves(origin, upto);
        }
    }

    /// Moves the clock past what was seen elsewhere; the caller has judged its skew.
    pub fn observe(&mut self, seen: Hlc) {
        self.clock.observe(seen);
    }

    /// Closes time: every later mint is above the point that the next commit publishes. Only a node
    /// that may mint calls it.
    pub fn close_time(&mut self, now: UnixMs) {
        self.own_upto = self.clock.mint(now);
        if mutant::is(Mutant::UptoPastUncommitted) {
            self.shared.ring.close(self.own_upto);
        }
    }

    /// Commits what was staged, makes it readable, and publishes it. `asked` is what the commit must
    /// survive when this returns, if that is more than the store promises; returns what it survives.
    ///
    /// # Errors
    /// [`CommitError`]: nothing of it was committed and it is staged no more, or whether it is there
    /// after a restart is not known, and the store is poisoned.
    pub fn commit(&mut self, asked: Durability) -> Result<Durability, CommitError> {
        let Shared { backend, frontiers, account, .. } = &*self.shared;
        if self.is_poisoned() {
            return Err(CommitError::Unknown(BackendError::Poisoned));
        }
        let durability = asked.max(self.shared.promises.durability);
        let own_moved = self.own_upto > frontiers.own_upto();
        if own_moved {
            self.pending.moves(self.origin, self.own_upto);
        }
        let floor_moved = self.floor > frontiers.floor();
        if self.pending.is_empty() && !floor_moved {
            self.shared.count(self.pending.take_counted()); // duplicates change nothing else
            return Ok(durability);
        }
        self.pending.settle_deadlines();
        let commit = Commit {
            records: self.pending.records(),
            removed: self.pending.removed(),
            moved: self.pending.moved(),
            floor: self.floor,
            durability: if mutant::is(Mutant::AckBeforeFsync) {
                Durability::Memory
            } else {
                durability
            },
            counts: Counts {
                greatest: self.greatest.max(self.pending.greatest()),
                loose: !self.loose.is_empty() || self.pending.loosens_any(),
                ..account.with(self.pending.account())
            },
            deadlines: self.pending.deadlines(),
        };
        match backend.put_batch(&commit) {
            Ok(reached) => {
                let reached = if mutant::is(Mutant::AckBeforeFsync) { durability } else { reached };
                self.publish(own_moved, reached);
                Ok(reached)
            }
            Err(error) => {
                self.abandon(&error);
                Err(error)
            }
        }
    }

    /// Changes that are staged; of one key several count as such.
    pub fn staged(&self) -> u64 {
        self.pending.admitted()
    }

    /// Drops everything that was staged since the last commit: nothing of it is there, and versions
    /// minted for it are nobody's.
    pub fn drop_staged(&mut self) {
        self.pending.clear();
        self.others = self.shared.frontiers.others.load_full();
        let forgotten = self.shared.backend.as_cache().map_or(Hlc::ZERO, Cache::forgotten);
        self.floor = self.shared.frontiers.floor().max(forgotten);
        self.shared.loose.publish(self.loose.hashes());
    }

    /// A commit was not made, or nobody knows.
    fn abandon(&mut self, error: &CommitError) {
        self.note_failed(error);
        self.drop_staged();
    }

    fn note_failed(&self, error: &CommitError) {
        if matches!(error, CommitError::Unknown(_)) {
            self.shared.poisoned.store(true, Release);
        }
    }

    fn publish(&mut self, own_moved: bool, reached: Durability) {
        self.digest_pending();
        if self.pending.changes_records() {
            self.shared.changes.append(self.pending.changes());
        }
        let Shared { account, persists, frontiers, ring, loose, backend, .. } = &*self.shared;
        // Time that was closed without a change is not counted as one; a floor that rose is.
        let floor_moved = u64::from(self.floor > frontiers.floor());
        let records = self.pending.records().len() + self.pending.removed().len();
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        account.apply(self.pending.account());
        self.shared.count(self.pending.take_counted());
        self.greatest = self.greatest.max(self.pending.greatest());
        let graves = backend.as_cache().is_none().then_some(&mut self.graves);
        let scheduled_bytes = follow(&self.pending, &mut self.deadlines, graves);
        self.shared.scheduled_bytes.store(scheduled_bytes, Release);
        for change in self.pending.take_loosened() {
            match change {
                Loosened::Held(version) => self.loose.hold(version, &self.others),
                Loosened::Released(version) => self.loose.release(version),
            }
        }
        // The floor first: who reads a frontier and then a floor must not miss what was forgotten.
        frontiers.raise_floor(self.floor);
        let (mut others_moved, mut closed) = (false, false);
        for (origin, upto) in self.pending.moved().iter().filter(|(who, _)| *who != self.origin) {
            self.loose.settle(*origin, *upto);
            others_moved = true;
            closed |= Closing::of(*upto).is_some();
        }
        if closed {
            self.loose.settle_all(&self.others); // with one, all earlier ones of its node
        }
        if others_moved {
            frontiers.others.store(Arc::clone(&self.others));
        }
        // Without loose records before and after there is nothing to say: the usual case.
        if others_moved || !self.loose.is_empty() || !loose.is_empty() {
            loose.publish(self.loose.hashes());
        }
        for op in self.pending.take_logged() {
            ring.push(op);
        }
        if own_moved {
            frontiers.set_own(self.origin, self.own_upto);
            ring.close(self.own_upto);
        }
        self.prove();
        // Last: a flush that starts now has all of this commit.
        persists.changes.add(records.saturating_add(floor_moved));
        if reached == Durability::Fsync {
            persists.saved(persists.changes.get());
            frontiers.endure(frontiers.applied(), loose.load());
        }
        self.pending.clear();
        // What the cache pushed out with this commit may not come back from now on.
        if let Some(cache) = backend.as_cache() {
            self.raise_floor(cache.forgotten());
        }
    }

    /// Goes on under a new epoch, with everything committed under the old one.
    ///
    /// # Errors
    /// [`CommitError`] when the commit fails.
    pub fn take_origin(&mut self, origin: Origin) -> Result<(), CommitError> {
        self.commit(Durability::Memory)?;
        let old = std::mem::replace(&mut self.origin, origin);
        let upto = std::mem::replace(&mut self.own_upto, Hlc::ZERO);
        self.last_written = Hlc::ZERO;
        self.advance(old, upto);
        self.commit(Durability::Memory)?;
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
        self.shared.poisoned.load(Acquire)
    }
}

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;

#[cfg(test)]
#[path = "publish_test.rs"]
mod publish_tests;

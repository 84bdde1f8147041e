//! What the writer lets go for good: dead records that every member has seen die, what a donor does not have
//! any more, and on an operator's word everything.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;

use gridkv_protocol::frontier::Closing;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, UnixMs};

use super::StoreWriter;
use crate::backend::{BackendError, CommitError, Standing};
use crate::durability::Durability;
use crate::map::WALK_CHUNK;
use crate::pending::Loosened;
use crate::schedule::{Deadlines, Graveyard, ripe};
use crate::store::Shared;

/// Records that one purge removes, at most: writes wait for no more.
const PURGE_AT_ONCE: usize = 1_024;

/// A stretch of a donor's keys: what is absent from it is absent at the donor.
#[derive(Clone, Copy, Debug)]
pub struct DonorStretch<'a> {
    /// Above this key; `None`: from the first on.
    pub after: Option<&'a str>,
    /// Up to this key; `None`: to the last.
    pub upto: Option<&'a str>,
    /// The donor's floor.
    pub floor: Hlc,
    /// What the donor had.
    pub frontier: &'a Frontier,
}

impl StoreWriter {
    /// Commits what is staged, then removes dead records that all members have seen die before `stable`, a
    /// bounded number of them, and raises the floor to it in the same commit. Says whether there are more.
    /// A cache does this by itself.
    ///
    /// # Errors
    /// [`CommitError`]: nothing was removed, or whether it was is not known.
    pub fn purge(&mut self, stable: Hlc) -> Result<bool, CommitError> {
        self.commit(Durability::Memory)?;
        let due = self.graves.due(stable, PURGE_AT_ONCE);
        let more = due.len() == PURGE_AT_ONCE;
        for (at, key) in due {
            match self.standing(&key).map_err(CommitError::Unchanged)? {
                Standing::Record(record) if ripe(&record) == Some(at) => {
                    self.let_go(KeyedRecord { key, record });
                }
                Standing::Record(_) | Standing::Residue(_) | Standing::Absent => {
                    self.graves.remove(at, &key);
                }
            }
        }
        if self.pending.removed().is_empty() {
            return Ok(more);
        }
        self.pending.counted().purged +=
            u64::try_from(self.pending.removed().len()).unwrap_or(u64::MAX);
        if !mutant::is(Mutant::NoTombstones) {
            self.raise_floor(stable);
        }
        self.commit(Durability::Memory)?;
        // What was purged is not to be sent any more. Only here: all members have this run up to the stable point,
        // but of a floor that came with a bootstrap they may have nothing of it yet.
        self.shared.ring.raise_floor(stable);
        Ok(more)
    }

    fn let_go(&mut self, keyed: KeyedRecord) {
        if self.may_be_loose(keyed.record.version) {
            self.pending.loosens(Loosened::Released(keyed.record.version));
        }
        self.pending.remove(keyed);
    }

    /// Makes a stretch of keys what a donor has of it, and commits that: its records are merged, and records
    /// go that it does not have, though it has seen them and everything up to its floor was deleted or is
    /// there. What is newer than the donor stays.
    ///
    /// # Errors
    /// [`CommitError`]: a part may have been committed.
    pub fn take_stretch(
        &mut self,
        records: Vec<KeyedRecord>,
        stretch: &DonorStretch<'_>,
        now: UnixMs,
    ) -> Result<(), CommitError> {
        self.commit(Durability::Memory)?;
        self.drop_absent(&records, stretch)?;
        self.merge_page(records, now).map_err(CommitError::Unchanged)?;
        self.commit(Durability::Memory)?;
        Ok(())
    }

    fn drop_absent(
        &mut self,
        records: &[KeyedRecord],
        stretch: &DonorStretch<'_>,
    ) -> Result<(), CommitError> {
        let present: HashSet<&Key> = records.iter().map(|keyed| &keyed.key).collect();
        let mut from = stretch.after.map(str::to_owned);
        loop {
            let walk = self.held_after(from.as_deref()).map_err(CommitError::Unchanged)?;
            let is_over = |key: &Key| stretch.upto.is_some_and(|upto| key.as_str() > upto);
            let ends = walk.0.last().is_some_and(|keyed| is_over(&keyed.key));
            for keyed in walk.0.into_iter().take_while(|keyed| !is_over(&keyed.key)) {
                let version = keyed.record.version;
                let is_gone = version.hlc <= stretch.floor && stretch.frontier.covers(version);
                if is_gone && !present.contains(&keyed.key) {
                    self.let_go(keyed);
                }
            }
            self.commit(Durability::Memory)?;
            match walk.1 {
                Some(last) if !ends => from = Some(last.as_str().to_owned()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn held_after(
        &self,
        after: Option<&str>,
    ) -> Result<(Vec<KeyedRecord>, Option<Key>), BackendError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let walk = self.shared.read(self.shared.backend.list(from, WALK_CHUNK))?;
        Ok((walk.records, walk.next))
    }

    /// Makes it part of the next commit that an origin, and all earlier ones of its node, are over and held
    /// whole.
    pub fn close_origin(&mut self, origin: Origin, closing: Closing) {
        self.advance(origin, closing.point());
    }

    /// Commits what is staged, and forgets how an origin was closed: everybody knows.
    ///
    /// # Errors
    /// [`CommitError`] when the commit fails.
    pub fn forget_closing(&mut self, origin: Origin) -> Result<(), CommitError> {
        self.commit(Durability::Memory)?;
        let mut others = self.others.as_ref().clone();
        if others.forget_closing(origin) {
            self.others = others.into();
            self.shared.frontiers.others.store(self.others.clone());
        }
        Ok(())
    }

    /// Commits what is staged, and empties the store: no record, no frontier, no floor; unless it holds what
    /// `covered` does not cover. Says whether it did. What this node closed of its own time in its present run is
    /// kept, but records of that run could not come back: it must go on under a new origin first.
    ///
    /// # Errors
    /// [`CommitError`], which says whether anything may be gone.
    pub fn empty(&mut self, covered: &Frontier) -> Result<bool, CommitError> {
        self.commit(Durability::Memory)?;
        // A write that was let in just before is of the present run.
        let is_covered = self.loose.is_empty()
            && covered.covers_all(&self.others)
            && self.last_written <= covered.get(self.origin);
        if !is_covered {
            return Ok(false);
        }
        let shared = Arc::clone(&self.shared);
        // A flush must not put back the frontier that it began with.
        let _no_flush = shared.flushing.lock().map_err(|_| poisoned())?;
        if let Some(watermark) = &shared.watermark {
            watermark.write(&Frontier::default()).map_err(CommitError::Unchanged)?;
        }
        // First: who reads a page meanwhile must not claim what is going.
        shared.frontiers.reset();
        if let Err(error) = shared.backend.clear() {
            self.note_failed(&error);
            if matches!(error, CommitError::Unchanged(_)) {
                shared.frontiers.others.store(Arc::clone(&self.others));
                shared.frontiers.raise_floor(self.floor);
            }
            return Err(error);
        }
        self.floor = Hlc::ZERO;
        self.others = Frontier::default().into();
        self.loose = LooseSet::default();
        self.deadlines = Deadlines::default();
        self.graves = Graveyard::default();
        self.digest_nothing();
        shared.changes.cut();
        let Shared { account, loose, scheduled_bytes, persists, .. } = &*shared;
        account.reset();
        loose.publish(BTreeMap::new());
        scheduled_bytes.store(0, Release);
        persists.changes.add(1);
        if self.own_upto > Hlc::ZERO {
            self.pending.moves(self.origin, self.own_upto); // the backend does not know of it any more
        }
        Ok(true)
    }
}

fn poisoned() -> CommitError {
    CommitError::Unknown(BackendError::Poisoned)
}

#[cfg(test)]
#[path = "purging_test.rs"]
mod tests;

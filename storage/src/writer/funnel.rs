//! The funnel: how what comes in is set beside what stands.

use std::cmp::Ordering;
use std::sync::Arc;

use gridkv_protocol::applier::Stretch;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Admission, Key, Op, Record, UnixMs, Version};

use super::StoreWriter;
use crate::backend::{BackendError, Standing};
use crate::pending::Loosened;

impl StoreWriter {
    /// What stands under `key`, the next commit included. Every change asks this first, so here a
    /// poisoned store refuses all of them.
    pub(super) fn standing(&self, key: &Key) -> Result<Standing, BackendError> {
        if self.is_poisoned() {
            return Err(BackendError::Poisoned);
        }
        if let Some(record) = self.pending.get(key) {
            return Ok(Standing::Record(record.clone()));
        }
        match self.shared.backend.as_cache() {
            Some(cache) => cache.standing(key.as_str()),
            None => Ok(self.shared.read(self.shared.backend.get_standing(key.as_str()))?.into()),
        }
    }

    /// THE funnel: sets an incoming record beside what stands, and keeps the greater.
    pub(super) fn admit(&mut self, op: Op, standing: &Standing, now: UnixMs) -> Admission {
        let Op { key, record } = op;
        let incoming = record.expired_at(now).unwrap_or(record);
        let verdict = match standing {
            // What it says was deleted, and the deletion forgotten.
            Standing::Absent
                if incoming.version.hlc <= self.floor && !mutant::is(Mutant::NoFloorRule) =>
            {
                Admission::Stale
            }
            Standing::Absent => Admission::Applied,
            Standing::Record(record) => Record::judge(Some(record), &incoming),
            Standing::Residue(version) => match incoming.version.cmp(version) {
                Ordering::Greater => Admission::Applied,
                Ordering::Equal => Admission::Duplicate,
                Ordering::Less => Admission::Stale,
            },
        };
        if verdict.replaces() {
            if let Some(gone) = standing.version().filter(|version| self.may_be_loose(*version)) {
                self.pending.loosens(Loosened::Released(gone));
            }
            if self.may_be_loose(incoming.version) {
                self.pending.loosens(Loosened::Held(incoming.version));
            }
            self.pending.put(KeyedRecord { key, record: incoming }, standing.record());
        }
        verdict
    }

    pub(super) fn may_be_loose(&self, version: Version) -> bool {
        version.origin != self.origin && !self.others.covers(version)
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
                .version()
                .filter(|version| version.origin != origin && !seen.covers(*version));
            if mutant::is(Mutant::Echo) {
                self.pending.log(LoggedOp { op: op.clone(), seen: Arc::clone(&self.others) });
            }
            let verdict = self.admit(op, &standing, now);
            self.count(verdict, unseen.is_some());
        }
        self.clock.observe(upto);
        self.advance(origin, upto);
        Ok(())
    }

    pub(super) fn count(&mut self, verdict: Admission, unseen: bool) {
        let counted = self.pending.counted();
        match verdict {
            Admission::Applied => counted.applied += 1,
            Admission::Stale => counted.stale += 1,
            Admission::Duplicate => counted.duplicate += 1,
            Admission::Collision { .. } => counted.collision += 1,
        }
        match verdict {
            Admission::Applied if unseen => counted.conflict_remote_won += 1,
            Admission::Stale if unseen => counted.conflict_local_won += 1,
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
            let mut standing = self.standing(&key)?;
            if mutant::is(Mutant::ClearAndLoad) {
                standing = Standing::Absent;
            }
            self.clock.observe(record.version.hlc);
            let verdict = self.admit(Op { key, record }, &standing, now);
            self.count(verdict, false);
        }
        self.announce_loose();
        Ok(())
    }

    /// Shows what will be loose with the next commit. Until then a report that does not tell would let the
    /// others close an origin, of which this store then has more than all have agreed on.
    fn announce_loose(&self) {
        if self.pending.loosens_any() {
            let more = self.pending.held_loose();
            self.shared.loose.publish(self.loose.hashes_with(more, &self.others));
        }
    }
}

//! How the writer keeps what its store amounts to: with each commit, and on a walk over what it was opened
//! with.

use std::sync::atomic::Ordering::Release;

use gridkv_protocol::Frontier;
use gridkv_protocol::digest::Proof;
use gridkv_protocol::mutant::{self, Mutant};

use super::StoreWriter;
use crate::backend::BackendError;
use crate::digest_keeper::{DigestKeeper, Stake};
use crate::pending::Change;
use crate::schedule::ripe;
use crate::store::Shared;

impl StoreWriter {
    /// Follows what was committed.
    pub(super) fn digest_pending(&mut self) {
        let Some(digest) = &mut self.digest else { return };
        let survey = self.survey.as_ref();
        for Change { key, before, after } in self.pending.changes() {
            if survey.is_none_or(|survey| survey.has_passed(key)) {
                digest.follow(key, before.and_then(Stake::of), after.and_then(Stake::of));
            }
        }
        for (origin, upto) in self.pending.moved() {
            digest.move_on(*origin, *upto);
        }
    }

    /// Nothing is there any more, and nothing was ever seen.
    pub(super) fn digest_nothing(&mut self) {
        self.digest = self.digest.take().map(|_| DigestKeeper::at(Frontier::default()));
        self.survey = None;
        self.prove();
    }

    /// The writer, once readers see what its state amounts to.
    pub(super) fn proven(self) -> Self {
        self.prove();
        self
    }

    /// Shows readers what the state amounts to.
    pub(super) fn prove(&self) {
        let Shared { proofs, digest_bytes, .. } = &*self.shared;
        proofs.publish(self.proof());
        digest_bytes.store(self.digest.as_ref().map_or(0, DigestKeeper::bytes), Release);
    }

    /// What the state amounts to, as of the last commit; `None` while a record is loose, or before all
    /// records are known.
    fn proof(&self) -> Option<Proof> {
        let settled = self.loose.is_empty() || mutant::is(Mutant::DigestsUnsettled);
        let whole = self.survey.is_none() && settled;
        self.digest.as_ref().filter(|_| whole).map(DigestKeeper::proof)
    }

    /// The same with the sum of each bucket.
    pub fn digest(&self) -> Option<(Proof, Vec<u64>)> {
        let buckets = self.digest.as_ref()?.buckets().to_vec();
        Some((self.proof()?, buckets))
    }

    /// Reads a stretch of the records that nobody has read since the store was opened. Says whether more
    /// are left. To be called between commits, until none is.
    ///
    /// # Errors
    /// [`BackendError`] when some can not be read: then nobody knows what the store amounts to.
    pub fn survey(&mut self) -> Result<bool, BackendError> {
        let Self { survey, digest, graves, shared, .. } = self;
        let (Some(walk), Some(digest)) = (survey.as_mut(), digest) else { return Ok(false) };
        let walked = walk.step(shared.backend.as_ref(), |key, record| {
            digest.hold(key, record);
            if let Some(at) = ripe(record) {
                graves.add(at, key.clone());
            }
        });
        let done = shared.read(walked)?;
        if done {
            *survey = None;
            self.prove();
        }
        Ok(!done)
    }
}

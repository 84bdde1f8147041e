//! What the writer does when deadlines pass: through the funnel, a bounded number of records at a time.

use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::{Hlc, Op, UnixMs};

use super::StoreWriter;
use crate::backend::{BackendError, Cache, Evicted};
use crate::schedule::deadline;

/// Records that one turn of expiry takes, at most: writes wait for no more.
const EXPIRE_AT_ONCE: usize = 1_024;

impl StoreWriter {
    /// Takes the value from records whose deadline has come, a bounded number of them. Says whether
    /// more are due: they come after the next commit, as do deadlines that are only staged.
    ///
    /// # Errors
    /// [`BackendError`] when some records can not be read; they are looked at again next time.
    pub fn expire(&mut self, now: UnixMs) -> Result<bool, BackendError> {
        self.forget_evicted();
        if mutant::is(Mutant::NoTombstones) && self.purge(Hlc::end_of(now)).is_err() {
            return Ok(false);
        }
        let due = self.deadlines.due(now, EXPIRE_AT_ONCE);
        let more = due.len() == EXPIRE_AT_ONCE;
        let mut unreadable = None;
        for (at, key) in due {
            let standing = match self.standing(&key) {
                Ok(standing) => standing,
                Err(error) => {
                    unreadable = Some(error); // the others do not wait for it
                    continue;
                }
            };
            let expired = standing.record().and_then(|record| record.expired_at(now));
            if let Some(record) = expired {
                self.pending.counted().expired += 1;
                self.admit(Op { key, record }, &standing, now);
            } else if self.pending.get(&key).is_none() {
                self.deadlines.remove(at, &key); // of a record that is not there any more
            }
        }
        unreadable.map_or(Ok(more), Err)
    }

    /// Forgets the deadlines of what a cache evicted.
    fn forget_evicted(&mut self) {
        let evicted = self.shared.backend.as_cache().map(Cache::take_evicted);
        for Evicted { key, expires_at } in evicted.into_iter().flatten() {
            // A record that is staged in its place may have the same deadline.
            let staged = self.pending.get(&key).and_then(deadline);
            if let Some(at) = expires_at.filter(|at| staged != Some(*at)) {
                self.deadlines.remove(at, &key);
            }
        }
    }
}

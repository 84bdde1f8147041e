//! How a cache goes on behind a gap: it forgets everything, and takes over what a peer has seen.

use std::collections::BTreeMap;

use gridkv_protocol::Frontier;
use gridkv_protocol::loose::LooseSet;

use super::StoreWriter;
use crate::backend::CommitError;
use crate::durability::Durability;
use crate::schedule::Deadlines;

impl StoreWriter {
    /// Commits what is staged, empties the cache, and moves the frontier to `adopt`, except for the
    /// present origin, in one step. The floor rises to all that was held and to all that is adopted: what
    /// was missed may have been newer than anything that still comes from below it. A store that is no
    /// cache is left as it is.
    ///
    /// # Errors
    /// [`CommitError`]: what was staged is not there; or the cache may be empty, and the frontier stays.
    pub fn forget_all(&mut self, adopt: &Frontier) -> Result<(), CommitError> {
        self.commit(Durability::Memory)?;
        let adopt = adopt.without(self.origin);
        let Some(cache) = self.shared.backend.as_cache() else { return Ok(()) };
        cache.forget_all(adopt.greatest().max(self.floor)).map_err(CommitError::Unchanged)?;
        let forgotten = cache.forgotten();
        self.shared.account.reset();
        self.shared.changes.cut();
        self.shared.loose.publish(BTreeMap::new());
        self.deadlines = Deadlines::default();
        self.loose = LooseSet::default();
        self.install(&adopt, forgotten);
        self.commit(Durability::Memory)?;
        Ok(())
    }
}

//! How the commits of a store end, as its log and its callers hear of it: the first of a row of failures,
//! and the end of it.

use gridkv_protocol::StoreName;
use gridkv_storage::backend::CommitError;

use crate::error::{WriteError, describe};

/// What the log was told of a store's commits.
pub(super) struct CommitLog {
    store: StoreName,
    last: Last,
}

/// How the last commit ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Worked,
    /// It was not made, and changed nothing.
    NotMade,
    /// It failed; none is tried any more.
    Poisoned,
}

impl CommitLog {
    /// Of a store that was just opened.
    pub(super) fn of(store: StoreName) -> Self {
        Self { store, last: Last::Worked }
    }

    /// A commit with records was made.
    pub(super) fn worked(&mut self) {
        if std::mem::replace(&mut self.last, Last::Worked) != Last::Worked {
            tracing::info!(store = %self.store, "commits work again");
        }
    }

    /// What a failed commit says to who waits for it.
    pub(super) fn explain(&mut self, error: CommitError) -> WriteError {
        let (store, reason) = (&self.store, describe(&error));
        match error {
            CommitError::Unknown(_) => {
                if std::mem::replace(&mut self.last, Last::Poisoned) != Last::Poisoned {
                    tracing::error!(%store, reason, "a commit failed; the store takes no more writes");
                }
                WriteError::Poisoned
            }
            CommitError::Unchanged(cause) => {
                if std::mem::replace(&mut self.last, Last::NotMade) != Last::NotMade {
                    tracing::error!(%store, reason, "a commit was not made; it changed nothing");
                }
                if cause.is_disk_full() {
                    WriteError::DiskFull(reason)
                } else {
                    WriteError::NotCommitted(reason)
                }
            }
        }
    }
}

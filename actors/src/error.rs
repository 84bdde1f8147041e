//! Why a request to a store failed, and what that says of the store's state.

use gridkv_storage::stats::Undone;
use gridkv_storage::write::Rejection;

use crate::acknowledging::NotEnoughPeers;
use crate::operations::BeginError;
use crate::restore::Restored;

/// A write that is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The store refused it. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much is in flight. Nothing happened; try again after a second.
    #[error("too many writes are in flight; try again")]
    Overloaded,
    /// The node takes no writes yet, or no more. Nothing happened.
    #[error("the node takes no writes now: {0}")]
    NotReady(String),
    /// An operator takes the node out of service: it takes no more writes. Nothing happened.
    #[error("the node is drained")]
    Draining,
    /// Fewer peers are up than are to have the write. Nothing happened.
    #[error(transparent)]
    NotEnoughPeers(#[from] NotEnoughPeers),
    /// The node's clock is ahead of most members', so it mints nothing. Nothing happened.
    #[error("the node's clock is ahead of most members'")]
    ClockFenced,
    /// The store could not commit and takes no more writes. Whether this one will be there after a
    /// restart is not known.
    #[error("the store failed to commit and takes no more writes")]
    Poisoned,
    /// The disk has no room. Nothing was changed; it works again when there is.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// The store could not commit this. Nothing was changed.
    #[error("the store could not commit: {0}")]
    NotCommitted(String),
    /// The store's actor ended while the write was under way. Whether it was made is not known.
    #[error("the store stopped while the write was under way")]
    Stopped,
}

impl WriteError {
    /// How it is counted.
    pub fn undone(&self) -> Undone {
        match self {
            Self::Rejected(rejection) => rejection.undone(),
            Self::Overloaded => Undone::Overloaded,
            Self::NotReady(_)
            | Self::Draining
            | Self::NotEnoughPeers(_)
            | Self::ClockFenced
            | Self::Poisoned
            | Self::DiskFull(_)
            | Self::NotCommitted(_)
            | Self::Stopped => Undone::Error,
        }
    }
}

/// A store that can not be brought to the disk. What was there before still is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersistError {
    /// It keeps nothing there.
    #[error("the store keeps nothing on a disk")]
    Volatile,
    /// There is no room.
    #[error("{0}")]
    DiskFull(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// Why a store is not compacted. Nothing was begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// There is nothing that could be rewritten.
    #[error("the store's backend has nothing to rewrite")]
    Nothing,
    /// An operation of this kind runs, or too many do.
    #[error(transparent)]
    NotBegun(#[from] BeginError),
    /// The system gave no thread.
    #[error("{0}")]
    Failed(String),
}

/// Why a store is not read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// What is here may be only a part of it.
    #[error("{0}")]
    NotReady(&'static str),
    /// Too many read all of it already.
    #[error("too many snapshots of the store are read")]
    TooMany,
}

/// Why an upload is not, or not wholly, put into a store.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another one is under way. Nothing was changed.
    #[error("another upload for the store is under way")]
    Running,
    /// There is no room to keep it until it is whole. Nothing was changed.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// It can not be kept or read again, or the store can not be read.
    #[error("{why}")]
    Failed {
        /// What failed, for the log.
        why: String,
        /// What was done by then.
        done: Restored,
    },
    /// A write was refused.
    #[error("the store refused a write: {error}")]
    Write {
        /// Why.
        #[source]
        error: WriteError,
        /// What was done by then.
        done: Restored,
    },
}

/// A read that can not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store can not be read: {0}")]
pub struct ReadError(pub String);

/// Why a read did not wait until the node had a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The node does not have it, not within the patience of who asked.
    #[error("the version was not reached in time")]
    NotReached,
    /// Too many wait already.
    #[error("too many reads wait; try again")]
    Overloaded,
}

/// An error with its causes, in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

//! Reading all of a store, a stretch at a time, at the pace of who asks: a snapshot on its way out.

use std::sync::Arc;

use gridkv_protocol::op::KeyedRecord;
use gridkv_storage::reader::LiveWalk;
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::ClockSource;
use crate::error::{ReadError, SaveError};
use crate::handle::{StoreHandle, on_blocking_thread};
use crate::node_state::Phase;

/// A walk over the live records of a store. Nothing is read ahead.
pub struct SnapshotWalk {
    walk: LiveWalk,
    clock: Arc<ClockSource>,
    _seat: OwnedSemaphorePermit,
}

impl StoreHandle {
    /// Whether what is here is a whole store, as far as this node knows: half of one must not be taken for a
    /// backup.
    ///
    /// # Errors
    /// [`SaveError::NotReady`], with the reason.
    pub fn can_be_saved(&self) -> Result<(), SaveError> {
        let inner = self.inner();
        let reason = match inner.state.phase() {
            Phase::Ready | Phase::Stopping => {
                if inner.catch_up.is_bootstrapping() {
                    "this store is being filled from a peer"
                } else if inner.reader.is_damaged() {
                    "a read found damage on the disk"
                } else {
                    return Ok(());
                }
            }
            Phase::Starting | Phase::Joining => "it has not joined a cluster yet",
            Phase::CatchingUp => "it is catching up with its peers",
        };
        Err(SaveError::NotReady(reason))
    }

    /// Begins to read all live records.
    ///
    /// # Errors
    /// [`SaveError`] when the store is not whole, or too many read all of it.
    pub fn snapshot(&self) -> Result<SnapshotWalk, SaveError> {
        self.can_be_saved()?;
        let inner = self.inner();
        let seat = Arc::clone(&inner.snapshots).try_acquire_owned();
        let seat = seat.map_err(|_| SaveError::TooMany)?;
        let (walk, clock) = (inner.reader.live_walk(), Arc::clone(&inner.clock));
        Ok(SnapshotWalk { walk, clock, _seat: seat })
    }
}

impl SnapshotWalk {
    /// The next records, in byte order of their keys, and what is made of them on the thread that read them;
    /// there may be none although more follow.
    ///
    /// # Errors
    /// [`ReadError`] when they can not be read: what came before is not all.
    pub async fn next<T: Send + 'static>(
        mut self,
        encode: impl FnOnce(&[KeyedRecord]) -> T + Send + 'static,
    ) -> Result<(Self, T), ReadError> {
        on_blocking_thread(move || {
            let records = self.walk.next_records(self.clock.now())?;
            let made = encode(&records);
            Ok((self, made))
        })
        .await
    }

    /// Whether there are no more.
    pub fn is_over(&self) -> bool {
        self.walk.is_over()
    }
}

//! What an operator asks a store to do beside its work: to be on the disk now, and to take less room there.

use std::sync::Arc;
use std::thread;

use crate::error::{CompactError, PersistError, describe};
use crate::handle::StoreHandle;
use crate::node::NodeHandle;
use crate::operations::{Asked, OperationView, Task};
use crate::persist;

/// A store that was brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persisted {
    /// Milliseconds that it took.
    pub ms: u64,
    /// Bytes on the disk now.
    pub bytes: u64,
}

impl StoreHandle {
    /// Brings everything that was acknowledged so far to the disk, and waits for it.
    ///
    /// # Errors
    /// [`PersistError`]: what was there before still is.
    pub async fn persist(&self) -> Result<Persisted, PersistError> {
        let (flusher, clock) = (&self.inner().flusher, &self.inner().clock);
        if !flusher.persists() {
            return Err(PersistError::Volatile);
        }
        let began = clock.elapsed_ms();
        persist::flush_now(flusher.clone(), clock).await?;
        let ms = clock.elapsed_ms().saturating_sub(began);
        Ok(Persisted { ms, bytes: self.stats().db_size.unwrap_or(0) })
    }
}

impl NodeHandle {
    /// Begins to rewrite all that a store keeps, so that it takes as little room as it can. It goes on by
    /// itself, while the store is read and written.
    ///
    /// # Errors
    /// [`CompactError`] when it is not begun.
    pub fn compact(&self, store: &StoreHandle) -> Result<OperationView, CompactError> {
        let flusher = store.inner().flusher.clone();
        if !flusher.rewrites() {
            return Err(CompactError::Nothing);
        }
        let keys = store.stats().key_count;
        let asked =
            Asked { store: store.name().clone(), task: Task::Compaction, keys, at: self.now() };
        let operation = self.inner().operations.begin(asked)?;
        let (ends, name) = (Arc::clone(&operation), store.name().clone());
        // A thread of its own: it may take minutes, and the end of the process does not wait for it.
        let run = move || match flusher.rewrite() {
            Ok(_) => {
                ends.brought(keys);
                ends.end(Ok(()));
            }
            Err(error) => {
                let why = describe(&error);
                tracing::error!(store = %name, error = why, "a store can not be compacted");
                ends.end(Err(if error.is_disk_full() {
                    "the disk has too little room to write it anew; make some and try again".into()
                } else {
                    "the store could not be rewritten; what was there still is; see the node's log"
                        .into()
                }));
            }
        };
        if let Err(error) = thread::Builder::new().name("compact".into()).spawn(run) {
            self.inner().operations.withdraw(operation.id());
            return Err(CompactError::Failed(describe(&error)));
        }
        Ok(operation.view())
    }
}

//! The end of a store that brings it to the disk, from a thread of its own.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gridkv_protocol::UnixMs;

use crate::backend::BackendError;
use crate::store::Shared;

/// Flushes a store; writes go on meanwhile. Cheap to clone.
#[derive(Clone)]
pub struct StoreFlusher {
    shared: Arc<Shared>,
}

/// What is left of a store: whether it is open, which it is as long as anything holds an end of it.
pub struct StoreTrace(Weak<Shared>);

impl StoreTrace {
    /// Whether its files are still in use.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl StoreFlusher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether the backend keeps anything beyond the process.
    pub fn persists(&self) -> bool {
        self.shared.promises.persistent
    }

    /// Whether a flush is worth it: the backend persists, and has changes, or a frontier, that are not
    /// on the disk.
    pub fn is_needed(&self) -> bool {
        let Shared { persists, frontiers, .. } = &*self.shared;
        let changed = persists.changes.get() != persists.changes_saved.load(Ordering::Acquire);
        self.persists()
            && (changed || !frontiers.durable.load().frontier.covers_all(&frontiers.applied()))
    }

    /// Brings everything committed so far to the disk, with the frontier that it honours. Takes as
    /// long as the disk does.
    ///
    /// # Errors
    /// [`BackendError`]: what was on the disk before is still there.
    pub fn flush(&self) -> Result<(), BackendError> {
        let Shared { backend, frontiers, loose, persists, watermark, poisoned, .. } = &*self.shared;
        let _one_at_a_time = self.shared.flushing.lock().map_err(|_| BackendError::Poisoned)?;
        // Both are read before the walk: what comes meanwhile may be on disk, but is not claimed.
        let changes = persists.changes.get();
        let frontier = frontiers.applied();
        let loose = loose.load();
        backend.flush(&frontier, frontiers.floor()).inspect_err(|error| {
            if matches!(error, BackendError::Poisoned) {
                poisoned.store(true, Ordering::Release);
            }
        })?;
        persists.saved(changes);
        if let Some(watermark) = watermark {
            watermark.write(&frontier)?;
        }
        frontiers.endure(frontier, loose);
        Ok(())
    }

    /// Lets the backend rewrite what is on the disk, if that is worth it.
    ///
    /// # Errors
    /// [`BackendError`]: what was on the disk before is still there.
    pub fn compact(&self) -> Result<bool, BackendError> {
        self.shared.backend.compact()
    }

    /// Whether there is anything that [`Self::rewrite`] can do.
    pub fn rewrites(&self) -> bool {
        self.shared.backend.rewrites()
    }

    /// Lets the backend rewrite all that it keeps. Takes as long as that does, while writes go on. Says
    /// whether there was anything to do.
    ///
    /// # Errors
    /// [`BackendError`]: what was there before still is.
    pub fn rewrite(&self) -> Result<bool, BackendError> {
        self.shared.backend.rewrite()
    }

    /// A look at whether anything still holds the store.
    pub fn trace(&self) -> StoreTrace {
        StoreTrace(Arc::downgrade(&self.shared))
    }

    /// The process ends, and asks the store for nothing any more.
    pub fn close(&self) {
        self.shared.backend.close();
    }

    /// The store was opened: nothing is unsaved.
    pub fn note_opened(&self, at: UnixMs) {
        self.shared.persists.at.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Counts a run that took so long and has ended.
    pub fn note(&self, took: Duration, ended_well: bool, at: UnixMs) {
        let persists = &self.shared.persists;
        if ended_well {
            persists.runs.add(1);
            persists.times.observe_time(took);
            persists.at.fetch_max(at.0, Ordering::Relaxed);
        } else {
            persists.failures.add(1);
        }
    }
}

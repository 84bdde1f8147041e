//! How a store is opened and started, whether with its node or while that runs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_rt::Arbiter;
use gridkv_protocol::StoreName;
use gridkv_protocol::limits::MAX_SNAPSHOTS;
use gridkv_storage::flusher::StoreFlusher;
use gridkv_storage::registry::{OpenError, OpenRequest, Progress, Registry};
use gridkv_storage::store::{self, Store};
use tokio::sync::{Semaphore, oneshot};

use crate::clock::ClockSource;
use crate::error::describe;
use crate::gate::Gate;
use crate::handle::{self, StoreHandle};
use crate::node_config::{NodeConfig, StoreSetup};
use crate::persist;
use crate::store_ends::StoreEnd;
use crate::store_ledger::StoreLedger;
use crate::wiring::Wiring;

/// Opens and starts stores of one node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StoreMaker {
    pub(crate) wiring: Wiring,
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) registry: Registry,
}

/// A store that runs.
pub(crate) struct Started {
    pub(crate) end: Arc<StoreEnd>,
    pub(crate) door: StoreHandle,
    pub(crate) run: StoreRun,
}

/// What a store runs on.
pub(crate) struct StoreRun {
    pub(crate) thread: Arbiter,
    /// It is brought to the disk every interval as long as this is here.
    _persists: oneshot::Sender<()>,
}

impl StoreMaker {
    /// Where a store's files are; `None` on a node that keeps nothing.
    pub(crate) fn dir_of(&self, store: &StoreName) -> Option<PathBuf> {
        self.config.data_dir.as_ref().map(|dir| dir.join("stores").join(store.as_str()))
    }

    /// Opens a store. Takes as long as its files take to read.
    pub(crate) fn open(&self, setup: &StoreSetup) -> Result<Store, OpenError> {
        let name = setup.config.name.clone();
        let request = OpenRequest {
            settings: setup.settings.clone(),
            progress: told(name.clone(), &self.wiring.clock),
            ..OpenRequest::new(name.clone(), self.dir_of(&name))
        };
        store::open(&self.registry, setup.config.clone(), self.wiring.origin(), &request)
    }

    /// Starts what a store needs, on the actix system that runs. Nothing reaches it yet.
    pub(crate) fn start(&self, setup: &StoreSetup, store: Store) -> Started {
        let (thread, name) = (Arbiter::new(), setup.config.name.clone());
        let Store { writer, reader, flusher, .. } = store;
        flusher.note_opened(self.wiring.clock.now());
        let end = self.wiring.store(&self.config, setup, (writer, reader), &thread);
        let (persists, ended) = oneshot::channel();
        if let Some(interval) = setup.persist_interval {
            let (flusher, clock) = (flusher.clone(), Arc::clone(&self.wiring.clock));
            self.wiring.sync.spawn(persist::every(interval, flusher, clock, (name, ended)));
        }
        let door = self.open_door(setup, &end, flusher);
        Started { end: Arc::new(end), door, run: StoreRun { thread, _persists: persists } }
    }

    /// The gated door to a store.
    fn open_door(&self, setup: &StoreSetup, end: &StoreEnd, flusher: StoreFlusher) -> StoreHandle {
        StoreHandle::new(handle::Inner {
            reader: end.reader.clone(),
            flusher,
            made: setup.made,
            snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
            restores: Arc::new(Semaphore::new(1)),
            spool_dir: self.config.spool_dir.clone(),
            storage: end.storage.clone(),
            intake: Arc::clone(&end.intake),
            gate: Arc::new(Gate::new(self.config.gate)),
            clock: Arc::clone(&self.wiring.clock),
            state: Arc::clone(&self.wiring.state),
            catch_up: Arc::clone(&end.catch_up_counters),
            acks: Arc::clone(&end.acks),
            version_waits: Arc::clone(&end.version_waits),
            watches: Arc::clone(&end.watches),
            meters: Arc::clone(&end.meters),
            convergence: end.convergence.as_ref().map(|end| end.actor.clone()),
        })
    }

    /// Removes the files of a store that nothing has open.
    pub(crate) fn remove_files(&self, store: &StoreName) -> io::Result<()> {
        let Some(dir) = self.dir_of(store) else { return Ok(()) };
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes the files of stores whose drop was cut short by the end of the process.
    pub(crate) fn finish_drops(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let Some(ledger) = &self.config.ledger else { return warnings };
        for store in ledger.unfinished() {
            if let Err(why) = self.finish_drop(ledger.as_ref(), &store) {
                warnings.push(format!("what is left of store {store}, which was dropped: {why}"));
            }
        }
        warnings
    }

    /// Removes the files of a store that was dropped, and notes that.
    pub(crate) fn finish_drop(
        &self,
        ledger: &dyn StoreLedger,
        store: &StoreName,
    ) -> Result<(), String> {
        self.remove_files(store).map_err(|error| format!("can not be removed: {error}"))?;
        ledger.end_drop(store).map_err(|error| describe(&error))
    }
}

/// Tells the log how far the opening of a store is, when that takes long.
fn told(store: StoreName, clock: &Arc<ClockSource>) -> Progress {
    const SILENCE_MS: u64 = 1_000;
    let (clock, last_ms) = (Arc::clone(clock), AtomicU64::new(clock.elapsed_ms()));
    Progress::to(move |done, total| {
        let now_ms = clock.elapsed_ms();
        if now_ms.saturating_sub(last_ms.load(Ordering::Relaxed)) >= SILENCE_MS {
            last_ms.store(now_ms, Ordering::Relaxed);
            let percent = done.saturating_mul(100) / total.max(1);
            tracing::info!(%store, percent, bytes = done, of = total, "opening");
        }
    })
}

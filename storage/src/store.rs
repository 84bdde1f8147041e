//! A store: a backend and the one layer that all backends share.
//!
//! [`open`] gives three ends: a [`StoreWriter`] for the one actor that changes it, a [`StoreReader`]
//! for everyone, and a [`StoreFlusher`] for the thread that brings it to the disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::{Frontier, Hlc, Origin, StoreName};

use crate::account::SharedAccount;
use crate::backend::{Backend, BackendError, Footprint, Promises};
use crate::change_log::ChangeLog;
use crate::flusher::StoreFlusher;
use crate::histogram::{self, Histogram};
use crate::loose_view::LooseView;
use crate::owner;
use crate::pending::Counted;
use crate::proofs::Proofs;
use crate::reader::StoreReader;
use crate::recovery::Recovery;
use crate::registry::{OpenError, OpenRequest, Registry};
use crate::ring::OpRing;
use crate::stats::{ApplyCounters, Counter, OperationCounters};
use crate::watermark::Watermark;
use crate::writer::StoreWriter;

/// How a store behaves, whatever its backend.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Its name.
    pub name: StoreName,
    /// The backend's registered name.
    pub backend: String,
    /// Milliseconds that a value lives when the writer does not say; `None` for ever.
    pub default_ttl_ms: Option<u64>,
    /// Bytes that the store should hold in memory at most; `None`: nobody said.
    pub memory_limit_bytes: Option<u64>,
    /// Whether a write over the limit is refused, instead of only reported.
    pub refuse_over_limit: bool,
    /// Slots of the op ring, and changes that are kept for those who follow the store.
    pub ring_slots: usize,
}

/// An open store.
pub struct Store {
    /// Changes it: one owner.
    pub writer: StoreWriter,
    /// Reads it: cheap to clone.
    pub reader: StoreReader,
    /// Brings it to the disk.
    pub flusher: StoreFlusher,
    /// What an operator should know of the way it was opened.
    pub warnings: Vec<String>,
}

/// What the ends of a store share. Plain atomics and snapshots: nobody waits for anybody.
pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    pub(crate) backend_name: &'static str,
    pub(crate) backend: Arc<dyn Backend>,
    /// What the backend promises, which never changes.
    pub(crate) promises: Promises,
    pub(crate) ring: OpRing,
    pub(crate) changes: ChangeLog,
    pub(crate) account: SharedAccount,
    pub(crate) operations: OperationCounters,
    pub(crate) applies: ApplyCounters,
    pub(crate) frontiers: SharedFrontiers,
    pub(crate) loose: LooseView,
    pub(crate) proofs: Proofs,
    pub(crate) expired: Counter,
    pub(crate) purged: Counter,
    /// Bytes of the writer's schedules, as of its last commit.
    pub(crate) scheduled_bytes: AtomicU64,
    /// Bytes of what the digest is kept from, likewise.
    pub(crate) digest_bytes: AtomicU64,
    pub(crate) persists: PersistCounters,
    pub(crate) watermark: Option<Watermark>,
    /// Held while the store is flushed: two would write the same watermark.
    pub(crate) flushing: Mutex<()>,
    pub(crate) rolled_back: bool,
    pub(crate) poisoned: AtomicBool,
    /// A read found damage on the disk.
    pub(crate) damaged: AtomicBool,
}

impl Shared {
    /// What a read gave. If it found damage, the store is not whole any more.
    pub(crate) fn read<T>(&self, outcome: Result<T, BackendError>) -> Result<T, BackendError> {
        if matches!(outcome, Err(BackendError::Engine { .. })) {
            self.damaged.store(true, Ordering::Release);
        }
        outcome
    }

    /// Adds what a commit counted.
    pub(crate) fn count(&self, counted: Counted) {
        if counted == Counted::default() {
            return;
        }
        let (operations, applies) = (&self.operations, &self.applies);
        let counts = [
            (&operations.put, counted.put),
            (&operations.delete, counted.delete),
            (&operations.touch, counted.touch),
            (&self.expired, counted.expired),
            (&self.purged, counted.purged),
            (&applies.applied, counted.applied),
            (&applies.stale, counted.stale),
            (&applies.duplicate, counted.duplicate),
            (&applies.collision, counted.collision),
            (&applies.conflict_remote_won, counted.conflict_remote_won),
            (&applies.conflict_local_won, counted.conflict_local_won),
        ];
        for (counter, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            counter.add(count);
        }
    }
}

/// How far the store is, as its readers see it.
pub(crate) struct SharedFrontiers {
    /// Everyone but this node's present origin: changes when remote ops are merged.
    pub(crate) others: ArcSwap<Frontier>,
    /// This node's present origin, and how far it is: changes with every local commit.
    own: AtomicU64,
    own_upto: AtomicU64,
    /// What would survive a power cut; unused on volatile backends.
    pub(crate) durable: ArcSwap<Durable>,
    floor: AtomicU64,
}

/// What would survive a power cut.
#[derive(Default)]
pub(crate) struct Durable {
    pub(crate) frontier: Frontier,
    /// Hashes of the records that would be loose then.
    pub(crate) loose: Arc<BTreeMap<Origin, u64>>,
}

/// Persist runs and what they have not reached yet.
pub(crate) struct PersistCounters {
    pub(crate) changes: Counter,
    pub(crate) changes_saved: AtomicU64,
    pub(crate) runs: Counter,
    pub(crate) failures: Counter,
    pub(crate) times: Histogram,
    /// When a run last ended well, or the store was opened; 0: nobody said.
    pub(crate) at: AtomicU64,
}

impl Shared {
    /// Bytes of memory that the store takes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_of(&self.backend.footprint())
    }

    /// The same, with what the backend occupies.
    pub(crate) fn memory_of(&self, footprint: &Footprint) -> u64 {
        // The account counts schedules with their records; a backend knows nothing of them.
        let and_schedules =
            |bytes: u64| bytes.saturating_add(self.scheduled_bytes.load(Ordering::Relaxed));
        let records = footprint.memory_bytes.map_or_else(|| self.account.bytes(), and_schedules);
        let digest = self.digest_bytes.load(Ordering::Relaxed);
        records.saturating_add(footprint.structure_bytes).saturating_add(digest)
    }
}

impl PersistCounters {
    fn new() -> Self {
        Self {
            changes: Counter::default(),
            changes_saved: AtomicU64::new(0),
            runs: Counter::default(),
            failures: Counter::default(),
            times: Histogram::of(&histogram::RUNS),
            at: AtomicU64::new(0),
        }
    }

    /// Says that changes up to this one are on the disk.
    pub(crate) fn saved(&self, changes: u64) {
        self.changes_saved.fetch_max(changes, Ordering::AcqRel);
    }
}

impl SharedFrontiers {
    fn new(origin: Origin, recovered: Frontier, loose: &LooseSet, floor: Hlc) -> Self {
        let durable = Durable { frontier: recovered.clone(), loose: Arc::new(loose.hashes()) };
        Self {
            others: ArcSwap::from_pointee(recovered),
            own: AtomicU64::new(origin.bits()),
            own_upto: AtomicU64::new(0),
            durable: ArcSwap::from_pointee(durable),
            floor: AtomicU64::new(floor.bits()),
        }
    }

    /// Everything in the state.
    pub(crate) fn applied(&self) -> Frontier {
        let mut frontier = self.others.load().as_ref().clone();
        let own = Origin::from_bits(self.own.load(Ordering::Acquire));
        frontier.advance(own, Hlc::from_bits(self.own_upto.load(Ordering::Acquire)));
        frontier
    }

    /// Up to where ops of `origin` are in the state.
    pub(crate) fn upto(&self, origin: Origin) -> Hlc {
        let upto = self.others.load().get(origin);
        if self.own.load(Ordering::Acquire) == origin.bits() {
            upto.max(self.own_upto())
        } else {
            upto
        }
    }

    pub(crate) fn set_own(&self, origin: Origin, upto: Hlc) {
        // A reader between the two stores sees the new origin at the old one's point, which is below
        // anything the new one mints: true, if pointless.
        self.own.store(origin.bits(), Ordering::Release);
        self.own_upto.store(upto.bits(), Ordering::Release);
    }

    /// What would survive a power cut now: never less than before.
    pub(crate) fn endure(&self, applied: Frontier, loose: Arc<BTreeMap<Origin, u64>>) {
        let applied = Arc::new(Durable { frontier: applied, loose });
        self.durable.rcu(|durable| {
            let later =
                if applied.frontier.covers_all(&durable.frontier) { &applied } else { durable };
            Arc::clone(later)
        });
    }

    /// Nothing is held any more, but for what this node has closed of its own time.
    pub(crate) fn reset(&self) {
        self.floor.store(0, Ordering::Release);
        self.others.store(Arc::default());
        self.durable.store(Arc::default());
    }

    pub(crate) fn own_upto(&self) -> Hlc {
        Hlc::from_bits(self.own_upto.load(Ordering::Acquire))
    }

    pub(crate) fn floor(&self) -> Hlc {
        Hlc::from_bits(self.floor.load(Ordering::Acquire))
    }

    pub(crate) fn raise_floor(&self, floor: Hlc) {
        self.floor.fetch_max(floor.bits(), Ordering::AcqRel);
    }
}

/// Opens a store for a node that runs as `origin`.
///
/// # Errors
/// [`OpenError`] when the backend can not be opened or read.
pub fn open(
    registry: &Registry,
    config: StoreConfig,
    origin: Origin,
    request: &OpenRequest,
) -> Result<Store, OpenError> {
    let failed = |source| OpenError::Backend { store: request.store.clone(), source };
    let wanted = registry.resolve(&config.backend).unwrap_or(&config.backend);
    if let Some(dir) = &request.dir
        && let Some(owner) = owner::of(dir).map_err(failed)?.filter(|owner| owner != wanted)
    {
        let (store, dir, wanted) = (request.store.clone(), dir.clone(), wanted.to_owned());
        return Err(OpenError::OtherBackend { store, owner, wanted, dir });
    }
    let (backend_name, backend, recovered) = registry.open(&config.backend, request)?;
    let promises = backend.promises();
    if let Some(dir) = request.dir.as_deref().filter(|_| promises.persistent) {
        owner::claim(dir, backend_name).map_err(failed)?;
    }
    let watermark = request.dir.as_deref().filter(|_| promises.persistent).map(Watermark::of);
    let was_on_disk = watermark.as_ref().map(Watermark::read).unwrap_or_default();
    let rolled_back = !recovered.frontier.covers_all(&was_on_disk);
    let mut warnings = recovered.warnings;
    if rolled_back {
        warnings.push(format!(
            "store {} lost what it had on the disk before it stopped; peers give it back. Look at the \
             disk: this is not what a power cut does",
            request.store
        ));
    }
    let recovery =
        Recovery::of(backend.as_ref(), &recovered.frontier, recovered.index).map_err(failed)?;
    let is_new = recovery.account.keys == 0 && recovery.account.tombstones == 0;
    let shared = Arc::new(Shared {
        ring: OpRing::new(config.ring_slots),
        changes: ChangeLog::new(origin, config.ring_slots, is_new),
        backend_name,
        backend,
        promises,
        account: SharedAccount::default(),
        operations: OperationCounters::default(),
        applies: ApplyCounters::default(),
        frontiers: SharedFrontiers::new(
            origin,
            recovered.frontier,
            &recovery.loose,
            recovered.floor,
        ),
        loose: LooseView::default(),
        proofs: Proofs::default(),
        expired: Counter::default(),
        purged: Counter::default(),
        scheduled_bytes: AtomicU64::default(),
        digest_bytes: AtomicU64::default(),
        persists: PersistCounters::new(),
        watermark,
        flushing: Mutex::new(()),
        rolled_back,
        poisoned: AtomicBool::new(false),
        damaged: AtomicBool::new(false),
        config,
    });
    Ok(Store {
        writer: StoreWriter::new(Arc::clone(&shared), origin, recovery),
        reader: StoreReader::new(Arc::clone(&shared)),
        flusher: StoreFlusher::new(shared),
        warnings,
    })
}

#[cfg(test)]
#[path = "store_test.rs"]
mod tests;

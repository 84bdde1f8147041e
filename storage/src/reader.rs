//! The end of a store that everyone may hold: reads from the caller's thread, past any mailbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridkv_protocol::digest::Proof;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Record, StoreName, UnixMs, Version};

use crate::backend::{BackendError, Cache, Near, Promises, Room};
use crate::change_log::ChangeLog;
use crate::ring::OpRing;
use crate::stats::{ApplyCounters, CacheCounts, OperationCounters, StoreStats};
use crate::store::Shared;

mod listing;
mod live_walk;
mod paging;

pub use listing::ListWalk;
pub use live_walk::LiveWalk;

/// Reads a store. Cheap to clone.
#[derive(Clone)]
pub struct StoreReader {
    shared: Arc<Shared>,
}

impl StoreReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The live record under `key`. A write that was answered is seen by every later read. It may touch
    /// the disk.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn get(&self, key: &Key, now: UnixMs) -> Result<Option<Record>, BackendError> {
        if !self.shared.promises.hot_tier {
            return self.get_far(key, now); // there is nothing near to look into first
        }
        match self.get_near(key, now)? {
            Near::Known(live) => Ok(live),
            Near::Far => self.get_far(key, now),
        }
    }

    /// The same, as far as it can be had without touching the disk. If it is far, [`Self::get_far`] comes
    /// next.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn get_near(&self, key: &Key, now: UnixMs) -> Result<Near, BackendError> {
        let Shared { backend, operations, promises, .. } = &*self.shared;
        if !promises.hot_tier && !promises.reads_disk {
            return self.get_far(key, now).map(Near::Known); // the usual case: all is in memory
        }
        let near = self.shared.read(backend.get_near(key.as_str()))?;
        let hit = matches!(&near, Near::Known(Some(record)) if record.live_at(now).is_some());
        if promises.hot_tier {
            if hit { &operations.cache_hit } else { &operations.cache_miss }.add(1);
        }
        match near {
            Near::Known(record) => Ok(Near::Known(self.client_read(record, now))),
            Near::Far if promises.reads_disk => Ok(Near::Far),
            Near::Far => self.get_far(key, now).map(Near::Known), // missed, and still in memory
        }
    }

    /// The live record under `key`, from wherever it is, without a look into a tier of hot records.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn get_far(&self, key: &Key, now: UnixMs) -> Result<Option<Record>, BackendError> {
        let record = self.shared.read(self.shared.backend.get(key.as_str()))?;
        Ok(self.client_read(record, now))
    }

    /// The record under `key`, dead ones too, as of the last commit. Not counted, and it makes nothing hot. It
    /// may touch the disk.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn standing(&self, key: &Key) -> Result<Option<Record>, BackendError> {
        self.shared.read(self.shared.backend.get_standing(key.as_str()))
    }

    /// Wishes for room for so many more records: see [`Backend::room`](crate::backend::Backend::room).
    pub fn room(&self, records: usize) -> Option<Box<dyn Room + '_>> {
        self.shared.backend.room(records)
    }

    fn client_read(&self, record: Option<Record>, now: UnixMs) -> Option<Record> {
        let live = record.filter(|record| record.live_at(now).is_some());
        let operations = &self.shared.operations;
        if live.is_some() { &operations.get_hit } else { &operations.get_miss }.add(1);
        live
    }

    /// What is in the state.
    pub fn applied(&self) -> Frontier {
        self.shared.frontiers.applied()
    }

    /// Up to where ops of `origin` are in the state.
    pub fn upto(&self, origin: Origin) -> Hlc {
        self.shared.frontiers.upto(origin)
    }

    /// Up to where ops of `origin` would survive a power cut; on volatile stores, are in the state.
    pub fn durable_upto(&self, origin: Origin) -> Hlc {
        if self.shared.promises.persistent {
            self.shared.frontiers.durable.load().frontier.get(origin)
        } else {
            self.upto(origin)
        }
    }

    /// Whether the op with this version is in the state, or a newer one of its key was.
    pub fn covers(&self, version: Version) -> bool {
        version.hlc <= self.upto(version.origin)
    }

    /// What would survive a power cut; on volatile stores, what is in the state.
    pub fn durable(&self) -> Frontier {
        if self.shared.promises.persistent {
            self.shared.frontiers.durable.load().frontier.clone()
        } else {
            self.applied()
        }
    }

    /// Hashes of the loose records, per origin.
    pub fn loose(&self) -> Arc<BTreeMap<Origin, u64>> {
        self.shared.loose.load()
    }

    /// What the state amounts to; `None` for a cache, while a record is loose, and until all records that
    /// it was opened with are known.
    pub fn proof(&self) -> Option<Proof> {
        self.shared.proofs.latest()
    }

    /// The root of the digest when the applied frontier had this fingerprint, if that was lately.
    pub fn root_at(&self, frontier: u64) -> Option<u64> {
        self.shared.proofs.root_at(frontier)
    }

    /// Below this, absent keys may have been deleted and forgotten.
    pub fn floor(&self) -> Hlc {
        self.shared.frontiers.floor()
    }

    /// What this store tells peers.
    pub fn report(&self) -> StoreReport {
        // What is loose first: beside a frontier that was read before it, a record that was settled meanwhile
        // would be missing, and members would agree on what none of them has.
        let loose = self.loose();
        let applied = self.applied();
        let (durable, durable_loose) = if self.shared.promises.persistent {
            let durable = self.shared.frontiers.durable.load();
            (durable.frontier.clone(), Arc::clone(&durable.loose))
        } else {
            (applied.clone(), Arc::clone(&loose))
        };
        StoreReport {
            store: self.name().clone(),
            applied,
            durable,
            floor: self.floor(),
            loose: loose.as_ref().clone(),
            durable_loose: durable_loose.as_ref().clone(),
            proof: self.proof(),
            keys: self.keys(),
        }
    }

    /// Keys that have a value.
    pub fn keys(&self) -> u64 {
        let Shared { backend, account, .. } = &*self.shared;
        backend.as_cache().map_or_else(|| account.keys(), Cache::keys)
    }

    /// The store's name.
    pub fn name(&self) -> &StoreName {
        &self.shared.config.name
    }

    /// The backend's registered name.
    pub fn backend(&self) -> &'static str {
        self.shared.backend_name
    }

    /// What the backend promises.
    pub fn promises(&self) -> Promises {
        self.shared.promises
    }

    /// Whether a commit failed: the store takes no more writes.
    pub fn is_poisoned(&self) -> bool {
        self.shared.poisoned.load(Ordering::Acquire)
    }

    /// Whether a read found damage on the disk: some records can not be read any more.
    pub fn is_damaged(&self) -> bool {
        self.shared.damaged.load(Ordering::Acquire)
    }

    /// The way of committed ops to the publisher.
    pub fn ring(&self) -> &OpRing {
        &self.shared.ring
    }

    /// The last changes, for whoever follows the store.
    pub fn changes(&self) -> &ChangeLog {
        &self.shared.changes
    }

    /// Counters of client operations.
    pub fn operations(&self) -> &OperationCounters {
        &self.shared.operations
    }

    /// Counters of what came from peers.
    pub fn applies(&self) -> &ApplyCounters {
        &self.shared.applies
    }

    /// Bytes of all records, without what finds them.
    #[cfg(test)]
    pub(crate) fn record_bytes(&self) -> u64 {
        self.shared.account.bytes()
    }

    /// Bytes of memory that the backend counts itself.
    #[cfg(test)]
    pub(crate) fn backend_memory(&self) -> Option<u64> {
        self.shared.backend.footprint().memory_bytes
    }

    /// Statistics, now.
    pub fn stats(&self) -> StoreStats {
        let Shared {
            config,
            backend,
            ring,
            account,
            persists,
            expired,
            purged,
            operations,
            promises,
            ..
        } = &*self.shared;
        let footprint = backend.footprint(); // once: it may look into a directory
        let cache = promises.hot_tier.then(|| CacheCounts {
            hits: operations.cache_hit.get(),
            misses: operations.cache_miss.get(),
        });
        // In this order: what was saved is never more than what was changed by then.
        let saved = persists.changes_saved.load(Ordering::Acquire);
        let unsaved = persists.changes.get().saturating_sub(saved);
        StoreStats {
            key_count: self.keys(),
            tombstones: footprint.tombstones.unwrap_or_else(|| account.tombstones()),
            sync_buffer_len: ring.len(),
            sync_buffer_capacity: ring.capacity(),
            sync_buffer_overwritten: ring.overwritten(),
            sync_buffer_overflowed_at: ring.overflowed_at(),
            db_size: footprint.disk_bytes,
            memory_bytes: self.shared.memory_of(&footprint),
            memory_limit_bytes: config.memory_limit_bytes,
            persistent: promises.persistent,
            durability: promises.durability,
            expired: expired.get(),
            purged: purged.get(),
            persists: persists.runs.get(),
            persist_failures: persists.failures.get(),
            persist_times: persists.times.measured(),
            persisted_at: Some(UnixMs(persists.at.load(Ordering::Relaxed))).filter(|at| at.0 > 0),
            unsaved: if promises.persistent { unsaved } else { 0 },
            rolled_back: self.shared.rolled_back,
            cache,
            evictions: backend.as_cache().map(Cache::evictions),
            lsm: backend.lsm(),
        }
    }
}

#[cfg(test)]
#[path = "reader_test.rs"]
mod tests;

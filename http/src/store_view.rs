//! A store's statistics as clients see them: the field names of the design, in one place.
//!
//! What cannot apply is null, never a number that looks measured.

use gridkv_actors::handle::StoreHandle;
use gridkv_actors::{ApplyCounters, CacheCounts, OpKind, OperationCounters, StoreStats, Undone};
use serde::Serialize;

use crate::rfc3339;

/// Statistics of one store.
#[derive(Debug, Serialize)]
pub(crate) struct StoreView {
    store: String,
    backend: String,
    /// Whether a configuration names it; if not, it was made while the node ran, and can be dropped.
    configured: bool,
    persistent: bool,
    durability: &'static str,
    key_count: u64,
    tombstones: u64,
    expired: u64,
    purged: u64,
    sync_buffer_len: usize,
    sync_buffer_capacity: usize,
    sync_buffer_overwritten: u64,
    /// When it last was, since the node started.
    sync_buffer_overflowed_at: Option<String>,
    cache_hit_rate: Option<f64>,
    db_size: Option<u64>,
    memory_bytes: u64,
    memory_limit_bytes: Option<u64>,
    cache: Option<Cache>,
    rolled_back: bool,
    operations: Operations,
    applied: Applies,
    persist: Option<Persist>,
}

/// Client reads through a cache, and what a cache evicted; a cache before an engine evicts nothing that
/// is not on the disk.
#[derive(Debug, Serialize)]
struct Cache {
    hits: u64,
    misses: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    evicted_for_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evicted_when_idle: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Operations {
    get_hit: u64,
    get_miss: u64,
    put: u64,
    delete: u64,
    touch: u64,
    list: u64,
    batch: u64,
    precondition_failed: u64,
    memory_limit: u64,
    overloaded: u64,
}

#[derive(Debug, Serialize)]
struct Applies {
    applied: u64,
    stale: u64,
    duplicate: u64,
    conflict_remote_won: u64,
    conflict_local_won: u64,
    collision: u64,
}

#[derive(Debug, Serialize)]
struct Persist {
    runs: u64,
    failures: u64,
    /// When a run last ended well, or the store was opened.
    last_success: Option<String>,
    unsaved_operations: u64,
}

impl StoreView {
    /// The statistics of a store, now.
    pub(crate) fn of(store: &StoreHandle) -> Self {
        let stats = store.stats();
        Self {
            store: store.name().to_string(),
            backend: store.backend().to_owned(),
            configured: store.is_configured(),
            operations: Operations::of(store.operations()),
            applied: Applies::of(store.applies()),
            persist: stats.persistent.then(|| Persist::of(&stats)),
            persistent: stats.persistent,
            durability: stats.durability.as_str(),
            key_count: stats.key_count,
            tombstones: stats.tombstones,
            expired: stats.expired,
            purged: stats.purged,
            sync_buffer_len: stats.sync_buffer_len,
            sync_buffer_capacity: stats.sync_buffer_capacity,
            sync_buffer_overwritten: stats.sync_buffer_overwritten,
            sync_buffer_overflowed_at: stats.sync_buffer_overflowed_at.map(rfc3339::format),
            cache_hit_rate: stats.cache.map(CacheCounts::hit_rate),
            cache: Cache::of(&stats),
            db_size: stats.db_size,
            memory_bytes: stats.memory_bytes,
            memory_limit_bytes: stats.memory_limit_bytes,
            rolled_back: stats.rolled_back,
        }
    }
}

impl Cache {
    fn of(stats: &StoreStats) -> Option<Self> {
        let CacheCounts { hits, misses } = stats.cache?;
        let evictions = stats.evictions;
        Some(Self {
            hits,
            misses,
            evicted_for_size: evictions.map(|evictions| evictions.size),
            evicted_when_idle: evictions.map(|evictions| evictions.idle),
        })
    }
}

impl Operations {
    fn of(counters: &OperationCounters) -> Self {
        Self {
            get_hit: counters.get_hit.get(),
            get_miss: counters.get_miss.get(),
            put: counters.put.get(),
            delete: counters.delete.get(),
            touch: counters.touch.get(),
            list: counters.list.get(),
            batch: counters.batch.get(),
            precondition_failed: counters.all_undone(Undone::Conflict),
            memory_limit: counters.all_undone(Undone::MemoryLimit),
            overloaded: counters
                .all_undone(Undone::Overloaded)
                .saturating_add(counters.undone(OpKind::Batch, Undone::Overloaded)),
        }
    }
}

impl Applies {
    fn of(counters: &ApplyCounters) -> Self {
        Self {
            applied: counters.applied.get(),
            stale: counters.stale.get(),
            duplicate: counters.duplicate.get(),
            conflict_remote_won: counters.conflict_remote_won.get(),
            conflict_local_won: counters.conflict_local_won.get(),
            collision: counters.collision.get(),
        }
    }
}

impl Persist {
    fn of(stats: &StoreStats) -> Self {
        Self {
            runs: stats.persists,
            failures: stats.persist_failures,
            last_success: stats.persisted_at.map(rfc3339::format),
            unsaved_operations: stats.unsaved,
        }
    }
}

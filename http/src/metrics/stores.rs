//! The families of stores: what they hold, what is done with them, and how they reach the disk.

use gridkv_actors::handle::StoreHandle;
use gridkv_actors::{ApplyCounters, OpKind, StoreStats, Undone};

use super::exposition::Exposition;
use super::names;

/// Writes what a store knows of itself.
pub(super) fn collect(store: &StoreHandle, stats: &StoreStats, out: &mut Exposition) {
    let name = store.name().as_str();
    collect_contents(store, stats, out);
    collect_cache(store, stats, out);
    collect_operations(store, out);
    collect_disk(name, stats, out);
    let meters = store.meters();
    out.histogram(&names::COMMIT_SIZE, &[name], &meters.commit_sizes.measured());
    out.histogram(&names::COMMIT_DURATION, &[name], &meters.commit_times.measured());
    out.histogram(&names::SYNC_APPLY_DELAY, &[name], &meters.apply_delays.measured());
    let (changes, capacity) = store.change_log();
    out.count(&names::CHANGE_LOG_CHANGES, &[name], whole(changes));
    out.count(&names::CHANGE_LOG_CAPACITY, &[name], whole(capacity));
    out.count(&names::WATCH_STREAMS, &[name], whole(store.watchers()));
    out.count(&names::WATCH_DROPPED, &[name], store.missed_changes());
    out.count(&names::SYNC_BUFFER_LENGTH, &[name], whole(stats.sync_buffer_len));
    out.count(&names::SYNC_BUFFER_CAPACITY, &[name], whole(stats.sync_buffer_capacity));
    out.count(&names::SYNC_BUFFER_OVERWRITTEN, &[name], stats.sync_buffer_overwritten);
    collect_applies(name, store.applies(), out);
    let acks = store.acks();
    out.count(&names::ACK_WAITS, &[name, "met"], acks.met);
    out.count(&names::ACK_WAITS, &[name, "timeout"], acks.timed_out);
}

pub(super) fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn collect_contents(store: &StoreHandle, stats: &StoreStats, out: &mut Exposition) {
    let name = store.name().as_str();
    let of_store = [name, store.backend()];
    out.count(&names::STORE_KEYS, &of_store, stats.key_count);
    out.count(&names::STORE_MEMORY, &of_store, stats.memory_bytes);
    if let Some(limit) = stats.memory_limit_bytes {
        out.count(&names::STORE_MEMORY_LIMIT, &of_store, limit);
    }
    out.count(&names::STORE_TOMBSTONES, &of_store, stats.tombstones);
    if let Some(size) = stats.db_size {
        out.count(&names::STORE_SIZE, &of_store, size);
    }
    out.count(&names::STORE_EXPIRED, &[name], stats.expired);
}

fn collect_cache(store: &StoreHandle, stats: &StoreStats, out: &mut Exposition) {
    let name = store.name().as_str();
    if let Some(counts) = stats.cache {
        out.count(&names::CACHE_HITS, &[name], counts.hits);
        out.count(&names::CACHE_MISSES, &[name], counts.misses);
        if counts.hits + counts.misses > 0 {
            out.sample(&names::CACHE_HIT_RATIO, &[name], counts.hit_rate());
        }
    }
    if let Some(evictions) = stats.evictions {
        out.count(&names::CACHE_RESETS, &[name], store.catch_up().forgot);
        out.count(&names::STORE_EVICTIONS, &[name, "size"], evictions.size);
        out.count(&names::STORE_EVICTIONS, &[name, "idle"], evictions.idle);
    }
}

/// Why an operation of this kind may not be done.
fn possible(kind: OpKind) -> &'static [(&'static str, Undone)] {
    const NOT_FOUND: (&str, Undone) = ("not_found", Undone::NotFound);
    const CONFLICT: (&str, Undone) = ("conflict", Undone::Conflict);
    const MEMORY_LIMIT: (&str, Undone) = ("memory_limit", Undone::MemoryLimit);
    const OVERLOADED: (&str, Undone) = ("overloaded", Undone::Overloaded);
    const ERROR: (&str, Undone) = ("error", Undone::Error);
    match kind {
        OpKind::Get | OpKind::List => &[ERROR],
        OpKind::Put => &[CONFLICT, MEMORY_LIMIT, OVERLOADED, ERROR],
        OpKind::Delete => &[CONFLICT, OVERLOADED, ERROR],
        OpKind::Touch => &[NOT_FOUND, CONFLICT, OVERLOADED, ERROR],
        OpKind::Batch => &[NOT_FOUND, CONFLICT, MEMORY_LIMIT, OVERLOADED, ERROR],
    }
}

/// The word of a kind, as labels have it.
pub(super) fn word(kind: OpKind) -> &'static str {
    match kind {
        OpKind::Get => "get",
        OpKind::Put => "set",
        OpKind::Delete => "delete",
        OpKind::Touch => "touch",
        OpKind::List => "list",
        OpKind::Batch => "batch",
    }
}

fn collect_operations(store: &StoreHandle, out: &mut Exposition) {
    let (name, counters) = (store.name().as_str(), store.operations());
    for kind in OpKind::ALL {
        let (op, done) = match kind {
            OpKind::Get => {
                let misses = counters.get_miss.get();
                out.count(&names::STORE_OPERATIONS, &[name, "get", "not_found"], misses);
                (word(kind), &counters.get_hit)
            }
            OpKind::Put => (word(kind), &counters.put),
            OpKind::Delete => (word(kind), &counters.delete),
            OpKind::Touch => (word(kind), &counters.touch),
            OpKind::List => (word(kind), &counters.list),
            OpKind::Batch => (word(kind), &counters.batch),
        };
        out.count(&names::STORE_OPERATIONS, &[name, op, "ok"], done.get());
        for (result, why) in possible(kind) {
            let count = counters.undone(kind, *why);
            out.count(&names::STORE_OPERATIONS, &[name, op, result], count);
        }
    }
}

fn collect_disk(name: &str, stats: &StoreStats, out: &mut Exposition) {
    if stats.persistent {
        out.count(&names::PERSIST_RUNS, &[name, "ok"], stats.persists);
        out.count(&names::PERSIST_RUNS, &[name, "error"], stats.persist_failures);
        out.histogram(&names::PERSIST_DURATION, &[name], &stats.persist_times);
        if let Some(at) = stats.persisted_at {
            out.moment(&names::PERSIST_LAST_SUCCESS, &[name], at);
        }
        out.count(&names::PERSIST_UNSAVED, &[name], stats.unsaved);
        out.count(&names::STORE_ROLLED_BACK, &[name], u64::from(stats.rolled_back));
    }
    if let Some(lsm) = &stats.lsm {
        for (level, tables) in lsm.tables.iter().enumerate() {
            out.count(&names::LSM_TABLES, &[name, &level.to_string()], *tables);
        }
        out.count(&names::LSM_SEALED, &[name], lsm.sealed_memtables);
        out.count(&names::LSM_COMPACTIONS, &[name], lsm.compactions);
    }
}

fn collect_applies(name: &str, counters: &ApplyCounters, out: &mut Exposition) {
    let results = [
        ("applied", &counters.applied),
        ("stale", &counters.stale),
        ("duplicate", &counters.duplicate),
        ("rejected", &counters.rejected),
        ("collision", &counters.collision),
    ];
    for (result, counter) in results {
        out.count(&names::SYNC_APPLIED, &[name, result], counter.get());
    }
    out.count(&names::SYNC_CONFLICTS, &[name, "remote"], counters.conflict_remote_won.get());
    out.count(&names::SYNC_CONFLICTS, &[name, "local"], counters.conflict_local_won.get());
}

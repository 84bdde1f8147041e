//! What the stores hold, how fast they are, and what of it is on disk.

use serde_json::{Value, json};

use crate::page::Page;
use crate::panel::{Panel, graph, table};
use crate::rules::Rules;

pub(crate) fn page(rules: &Rules) -> Value {
    Page::new("gridkv-storage", "GridKV / Storage", rules)
        .row("Stores", stores())
        .row("Operations", operations())
        .row("Disk", disk())
        .row("Log-structured engine", engine())
        .into_json()
}

fn stores() -> Vec<Panel> {
    vec![
        table("Stores", "short", "Every store of every node. A store on disk has a size there, a limited one a limit.")
            .ask("sum by (instance, store, backend) (gridkv_store_keys{@store})", "Keys")
            .ask("sum by (instance, store, backend) (gridkv_store_tombstones{@store})", "Tombstones")
            .ask("sum by (instance, store, backend) (gridkv_store_memory_bytes{@store})", "Memory, bytes")
            .ask("sum by (instance, store, backend) (gridkv_store_memory_limit_bytes{@store})", "Limit, bytes")
            .ask("sum by (instance, store, backend) (gridkv_store_size_bytes{@store})", "Disk, bytes"),
        graph("Keys", "short", "Keys that have a value.")
            .ask("gridkv_store_keys{@store}", "{{instance}} {{store}}"),
        graph("Growth", "cps", "Keys that came or went, each second.")
            .ask("deriv(gridkv_store_keys{@store}@rate)", "{{instance}} {{store}}"),
        graph("Tombstones", "short", "Deleted and expired records that are kept until every member knows.")
            .ask("gridkv_store_tombstones{@store}", "{{instance}} {{store}}"),
        graph("Memory of limit", "percentunit", "Bytes in memory, of max_memory_mb. A cache is full by intent.")
            .ask("gridkv_store_memory_bytes{@store} / (gridkv_store_memory_limit_bytes{@store} > 0)", "{{instance}} {{store}}")
            .with("min", json!(0))
            .alert("GridKVMemoryNearLimit"),
        graph("Disk", "bytes", "Bytes on disk of stores that are there.")
            .ask("gridkv_store_size_bytes{@store}", "{{instance}} {{store}}"),
        graph("Gone", "ops", "Keys that came to their deadline, records that a cache let go, and dead records that were purged.")
            .ask("sum by (store) (rate(gridkv_store_expired_keys_total{@store}@rate))", "{{store}} expired")
            .ask("sum by (store, cause) (rate(gridkv_store_evictions_total{@store}@rate))", "{{store}} evicted: {{cause}}")
            .ask("sum by (store) (rate(gridkv_store_purged_records_total{@store}@rate))", "{{store}} purged"),
    ]
}

fn operations() -> Vec<Panel> {
    vec![
        graph("Operations", "ops", "What clients did, by store.")
            .ask("sum by (store, op) (rate(gridkv_store_operations_total{@store}@rate))", "{{store}} {{op}}"),
        graph("Results other than ok", "ops", "not_found and conflict are answers; memory_limit, overloaded and error are refusals.")
            .ask("sum by (store, op, result) (rate(gridkv_store_operations_total{@store, result!=\"ok\"}@rate))", "{{store}} {{op}}: {{result}}"),
        graph("Latency p99", "s", "From asking a store to its answer, its queue and its commit included.")
            .ask("histogram_quantile(0.99, sum by (le, store, op) (rate(gridkv_store_operation_duration_seconds_bucket{@store}@rate)))", "{{store}} {{op}}")
            .alert("GridKVHighLatency"),
        graph("Changes per commit", "short", "How many changes are committed together: more under load is as it should be.")
            .ask(
                "sum by (instance, store) (rate(gridkv_commit_batch_operations_sum{@store}@rate)) \
                 / sum by (instance, store) (rate(gridkv_commit_batch_operations_count{@store}@rate))",
                "{{instance}} {{store}}",
            ),
        graph("Commit p99", "s", "How long commits took, as safe as they had to be: with fsync, the disk's time.")
            .ask("histogram_quantile(0.99, sum by (le, store) (rate(gridkv_commit_duration_seconds_bucket{@store}@rate)))", "{{store}}"),
        graph("Cache hit rate", "percentunit", "Share of clients' reads that the cache answered.")
            .ask(
                "rate(gridkv_cache_hits_total{@store}@rate) \
                 / (rate(gridkv_cache_hits_total{@store}@rate) + rate(gridkv_cache_misses_total{@store}@rate) > 0)",
                "{{instance}} {{store}}",
            )
            .with("min", json!(0))
            .with("max", json!(1))
            .alert("GridKVCacheHitRateLow"),
        graph("Cache since the start", "percentunit", "The same since each node's start, and how often a cache forgot all it had.")
            .ask("gridkv_cache_hit_ratio{@store}", "{{instance}} {{store}}")
            .ask("gridkv_cache_resets_total{@store}", "{{instance}} {{store}} resets"),
        graph("Change log", "percentunit", "How full the log is that followers read: a full one forgets the oldest changes.")
            .ask("gridkv_change_log_changes{@store} / gridkv_change_log_capacity{@store}", "{{instance}} {{store}}")
            .with("max", json!(1)),
        graph("Changes that followers missed", "ops", "Followers that were slower than the log; they are told, and begin anew.")
            .ask("sum by (instance, store) (rate(gridkv_watch_dropped_events_total{@store}@rate))", "{{instance}} {{store}}"),
    ]
}

fn disk() -> Vec<Panel> {
    vec![
        graph("Since the last persist", "s", "How old what is on disk may be.")
            .ask("time() - gridkv_persist_last_success_timestamp_seconds{@store}", "{{instance}} {{store}}")
            .alert("GridKVPersistStale"),
        graph("Not on disk", "short", "Changes that a power cut now could take; the process alone can not lose them.")
            .ask("gridkv_persist_unsaved_operations{@store}", "{{instance}} {{store}}"),
        graph("Persist p99", "s", "How long runs took that ended well.")
            .ask("histogram_quantile(0.99, sum by (le, instance, store) (rate(gridkv_persist_duration_seconds_bucket{@store}@rate)))", "{{instance}} {{store}}"),
        graph("Persist runs", "ops", "Runs by how they ended; error is an alert.")
            .ask("sum by (store, result) (rate(gridkv_persist_runs_total{@store}@rate))", "{{store}}: {{result}}"),
        graph("Rolled back or filled from scratch", "none", "1 while a store has less than it had, or is not filled yet; peers give it back.")
            .ask("sum by (instance, store) (gridkv_store_rolled_back{@store})", "{{instance}} {{store}} rolled back")
            .ask("sum by (instance, store) (gridkv_store_bootstrapping{@store})", "{{instance}} {{store}} from scratch"),
    ]
}

fn engine() -> Vec<Panel> {
    vec![
        graph(
            "Tables",
            "short",
            "Table files by level; growth at level 0 means that compaction is behind.",
        )
        .ask(
            "sum by (instance, store, level) (gridkv_lsm_tables{@store})",
            "{{instance}} {{store}} L{{level}}",
        ),
        graph(
            "Sealed memtables",
            "short",
            "Full ones that are not tables yet; num_memtables of them hold up writes.",
        )
        .ask("gridkv_lsm_sealed_memtables{@store}", "{{instance}} {{store}}"),
        graph("Compactions", "ops", "Runs of the engine, those that found nothing to do included.")
            .ask("rate(gridkv_lsm_compactions_total{@store}@rate)", "{{instance}} {{store}}"),
    ]
}

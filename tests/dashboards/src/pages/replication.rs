//! Does what is written on one node reach the others, how fast, and are they equal?

use serde_json::{Value, json};

use crate::page::Page;
use crate::panel::{Panel, graph, states};
use crate::rules::Rules;

pub(crate) fn page(rules: &Rules) -> Value {
    Page::new("gridkv-replication", "GridKV / Replication", rules)
        .row("Op ring and op log: what waits to be sent", waiting())
        .row("Publisher: what is sent", sent())
        .row("Applier: what is taken", taken())
        .row("Catch-up and equality", equality())
        .row("Peers", peers())
        .into_json()
}

fn waiting() -> Vec<Panel> {
    vec![
        graph("Op ring", "short", "Operations between the commit and the publisher.")
            .ask("gridkv_sync_buffer_length{@store}", "{{instance}} {{store}}")
            .alert("GridKVSyncBufferDeep"),
        graph("Ring fill", "percentunit", "At 100% the ring drops operations, and peers need catch-up.")
            .ask("gridkv_sync_buffer_length{@store} / gridkv_sync_buffer_capacity{@store}", "{{instance}} {{store}}")
            .with("min", json!(0))
            .with("max", json!(1))
            .alert("GridKVSyncBufferNearlyFull"),
        graph("Overflow", "ops", "Operations that the ring dropped. They are in the store, and peers fetch them from there.")
            .ask("rate(gridkv_sync_buffer_overwritten_total{@store}@rate)", "{{instance}} {{store}}"),
        graph("Op log", "short", "Published operations that are kept for peers that lag.")
            .ask("gridkv_op_log_operations{@store}", "{{instance}} {{store}}"),
        graph("Op log fill", "percentunit", "Bytes of the log, of sync.log_bytes: a full log forgets its oldest operations.")
            .ask("gridkv_op_log_bytes{@store} / gridkv_op_log_limit_bytes{@store}", "{{instance}} {{store}}")
            .with("max", json!(1)),
        graph("Op log reaches back", "s", "A peer that has less than this needs catch-up. A log that has everything of this run has no such moment.")
            .ask("time() - gridkv_op_log_floor_timestamp_seconds{@store}", "{{instance}} {{store}}"),
    ]
}

fn sent() -> Vec<Panel> {
    vec![
        graph("Lag by peer", "s", "Age of the oldest operation that the peer does not have, else 0.")
            .ask("max by (instance, peer) (gridkv_replication_lag_seconds{@store})", "{{instance}} to {{peer}}")
            .alert("GridKVReplicationLag"),
        graph("Pending by peer", "short", "Operations that the peer does not have yet.")
            .ask("sum by (instance, peer) (gridkv_sync_peer_pending_operations{@store})", "{{instance}} to {{peer}}"),
        graph("Operations sent", "ops", "Operations given to each peer.")
            .ask("sum by (instance, peer) (rate(gridkv_sync_sent_operations_total{@store}@rate))", "{{instance}} to {{peer}}"),
        graph("Operations per batch", "short", "How well operations are gathered; empty batches close time.")
            .ask(
                "sum by (instance, peer) (rate(gridkv_sync_sent_operations_total{@node}@rate)) \
                 / sum by (instance, peer) (rate(gridkv_sync_batches_total{@node}@rate))",
                "{{instance}} to {{peer}}",
            ),
        graph("Bytes sent", "Bps", "Frames on the wire to each peer.")
            .ask("sum by (instance, peer) (rate(gridkv_sync_sent_bytes_total{@node}@rate))", "{{instance}} to {{peer}}"),
        graph("Batch round trip p99", "s", "From sending a batch to the answer that it is applied.")
            .ask("histogram_quantile(0.99, sum by (le, instance, peer) (rate(gridkv_sync_batch_duration_seconds_bucket{@node}@rate)))", "{{instance}} to {{peer}}"),
        graph("Batches not taken", "ops", "error: the peer has a gap, or can not now. timeout: its link ended before it answered.")
            .ask("sum by (instance, peer, result) (rate(gridkv_sync_batches_total{@node, result!=\"ok\"}@rate))", "{{instance}} to {{peer}}: {{result}}"),
    ]
}

fn taken() -> Vec<Panel> {
    vec![
        graph("Operations of peers by outcome", "ops", "A collision is corruption, and an alert: two records with one version.")
            .ask("sum by (result) (rate(gridkv_sync_applied_operations_total{@store}@rate))", "{{result}}"),
        graph("Conflicts", "ops", "Concurrent writes of one key; the later one stands, the other is lost.")
            .ask("sum by (store, winner) (rate(gridkv_sync_conflicts_total{@store}@rate))", "{{store}}: {{winner}} stands"),
        graph("Delay p99", "s", "From a write at a peer, by that one's clock, to its commit here.")
            .ask("histogram_quantile(0.99, sum by (le, instance) (rate(gridkv_sync_apply_delay_seconds_bucket{@store}@rate)))", "{{instance}}"),
        graph("Frontier", "s", "How old the moment is up to which everything of the member is in the store.")
            .ask("max by (instance, member) (time() - gridkv_frontier_applied_timestamp_seconds{@store})", "{{instance}} of {{member}}"),
        graph("Durable frontier", "s", "How old the moment is up to which everything of the member would survive a power cut here.")
            .ask("max by (instance, member) (time() - gridkv_frontier_durable_timestamp_seconds{@store})", "{{instance}} of {{member}}"),
        graph("Acknowledged writes", "ops", "Writes that asked for acks, by whether the peers had them in time.")
            .ask("sum by (result) (rate(gridkv_ack_waits_total{@store}@rate))", "{{result}}"),
        graph("Wait for acks p99", "s", "From the commit here to the acknowledgement by peers.")
            .ask("histogram_quantile(0.99, sum by (le, result) (rate(gridkv_ack_wait_duration_seconds_bucket{@store}@rate)))", "{{result}}"),
    ]
}

fn equality() -> Vec<Panel> {
    vec![
        graph("Full syncs", "short", "Catch-up sessions that ended, and those that run.")
            .ask("sum by (instance, direction, result) (increase(gridkv_full_syncs_total{@store}@rate))", "{{instance}} {{direction}} {{result}}")
            .ask("sum by (instance) (gridkv_full_sync_in_progress{@store})", "{{instance}} running"),
        graph("Full sync duration p90", "s", "How long sessions took that came to their end.")
            .ask("histogram_quantile(0.90, sum by (le, instance) (rate(gridkv_full_sync_duration_seconds_bucket{@store}@rate)))", "{{instance}}"),
        graph("Pages and records", "ops", "What catch-up brought, and what was given to peers.")
            .ask("sum by (instance, direction) (rate(gridkv_full_sync_pages_total{@store}@rate))", "{{instance}} pages {{direction}}")
            .ask("sum by (instance) (rate(gridkv_full_sync_records_total{@store}@rate))", "{{instance}} records in"),
        graph("Diverged buckets", "none", "Parts of a store that differ although both nodes have seen the same. Repair mends them within seconds.")
            .ask("sum by (instance, peer, store) (gridkv_diverged_buckets{@store})", "{{instance}} and {{peer}}: {{store}}")
            .alert("GridKVBucketsDiverged"),
        graph("Spread of key counts", "short", "How many keys the fullest node has more than the emptiest; caches aside.")
            .ask("job_store:gridkv_store_keys:spread{job=\"$job\", store=~\"$store\"}", "{{store}}")
            .alert("GridKVReplicasDiverged"),
        graph("Stable time", "s", "What died longer ago than this is purged; it grows while a member is away.")
            .ask("max by (instance, store) (time() - gridkv_stable_timestamp_seconds{@store})", "{{instance}} {{store}}")
            .alert("GridKVPurgeHeldBack"),
        graph("Who holds purging back", "none", "The member that is silent, or has the least; somebody always has the least.")
            .ask("sum by (member) (gridkv_purge_held_back{@store})", "{{member}}"),
        graph("Origins", "short", "Runs of members that frontiers list; many open ones come from many restarts.")
            .ask("max by (instance, state) (gridkv_origins{@store})", "{{instance}} {{state}}"),
    ]
}

fn peers() -> Vec<Panel> {
    vec![
        states("Peer up", "up", "down", "Whether a node hears from a peer.")
            .wide(12)
            .ask("gridkv_peer_up{@node}", "{{instance}} hears {{peer}}"),
        graph("Members by state", "none", "The other members as each node sees them.")
            .wide(6)
            .ask("sum by (instance, state) (gridkv_peers{@node})", "{{instance}}: {{state}}"),
        graph("Since last contact", "s", "How long ago a peer was last heard from.").wide(6).ask(
            "time() - gridkv_peer_last_contact_timestamp_seconds{@node}",
            "{{instance}} of {{peer}}",
        ),
    ]
}

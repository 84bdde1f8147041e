//! The one table of metric families: name, type, labels, help.
//!
//! Base units, `_total` on counters and nothing else, labels with few values: never a key. `store` is
//! `_node` for what belongs to no store, because Prometheus drops an empty label.

use prometheus::proto::MetricType;

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: MetricType,
    /// The names of its labels, in the order of their values.
    pub(crate) labels: &'static [&'static str],
    /// What it says.
    pub(crate) help: &'static str,
}

macro_rules! families {
    ($($id:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(
            #[doc = $help]
            pub(crate) const $id: Family = Family {
                name: $name,
                kind: MetricType::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// Every family of this table.
        pub(crate) const ALL: &[Family] = &[$($id),*];
    };
}

families! {
    BUILD_INFO GAUGE "gridkv_build_info" ["version"] "Always 1; the label is the version."
    READY GAUGE "gridkv_ready" [] "Whether the node takes clients, as /readyz says."
    CLOCK_FENCED GAUGE "gridkv_clock_fenced" [] "Whether the node takes no writes because its clock is ahead of most members'."
    CLOCK_STANDING GAUGE "gridkv_clock_standing" ["standing"] "What the node's clock is worth beside its peers': 1 for the one that holds, else 0."
    CLOCK_WALL_OFFSET GAUGE "gridkv_clock_wall_offset_seconds" [] "The node's physical time minus the machine's wall clock."
    CERTIFICATE_EXPIRES GAUGE "gridkv_certificate_expires_in_seconds" ["listener"] "How long the certificate of a listener is still valid, below zero when it has expired; absent without one."
    HTTP_REQUESTS COUNTER "gridkv_http_requests_total" ["method", "route", "code"] "Requests answered."
    HTTP_DURATION HISTOGRAM "gridkv_http_request_duration_seconds" ["method", "route"] "From the end of a request's head to its answer."
    HTTP_IN_FLIGHT GAUGE "gridkv_http_requests_in_flight" [] "Requests that have no answer yet, this one included."
    HTTP_AUTH_FAILURES COUNTER "gridkv_http_auth_failures_total" ["reason"] "Requests refused for who sent them: no token, none that can be one, one that is not known, too many of those, or a role that may do less."
    EXPOSED GAUGE "gridkv_exposed_without_auth" ["listener"] "Whether other machines reach the listener without a proof of who they are, or with one in clear."
    STORE_KEYS GAUGE "gridkv_store_keys" ["store", "backend"] "Keys that have a value."
    STORE_SIZE GAUGE "gridkv_store_size_bytes" ["store", "backend"] "Bytes on disk; absent for volatile stores."
    STORE_MEMORY GAUGE "gridkv_store_memory_bytes" ["store", "backend"] "Bytes of keys, values and records in memory."
    STORE_MEMORY_LIMIT GAUGE "gridkv_store_memory_limit_bytes" ["store", "backend"] "Bytes that the store should hold in memory at most."
    STORE_TOMBSTONES GAUGE "gridkv_store_tombstones" ["store", "backend"] "Tombstones and expired records kept."
    STORE_EXPIRED COUNTER "gridkv_store_expired_keys_total" ["store"] "Keys that came to their deadline."
    STORE_PURGED COUNTER "gridkv_store_purged_records_total" ["store"] "Tombstones and expired records that all members had seen, and that were removed."
    STABLE_TIMESTAMP GAUGE "gridkv_stable_timestamp_seconds" ["store"] "Every member holds everything up to this moment for good: what died before it is purged. Absent for caches."
    PURGE_HELD_BACK GAUGE "gridkv_purge_held_back" ["store", "member"] "1 for the member that holds the stable time back: it is silent, counts others as members, or has the least."
    ORIGINS GAUGE "gridkv_origins" ["store", "state"] "Runs of members that the frontier lists: open ones, and closed ones whose end is still remembered."
    STORE_BOOTSTRAPPING GAUGE "gridkv_store_bootstrapping" ["store"] "Whether the store is filled from scratch, and not ready."
    STORE_OPERATIONS COUNTER "gridkv_store_operations_total" ["store", "op", "result"] "Operations of clients."
    STORE_DURATION HISTOGRAM "gridkv_store_operation_duration_seconds" ["store", "op"] "From asking a store to its answer, its queue included."
    CACHE_HITS COUNTER "gridkv_cache_hits_total" ["store"] "Client reads that the cache answered; absent without one."
    CACHE_MISSES COUNTER "gridkv_cache_misses_total" ["store"] "Client reads that the cache did not answer; absent without one."
    CACHE_HIT_RATIO GAUGE "gridkv_cache_hit_ratio" ["store"] "Share of client reads that the cache answered since the start; absent before the first."
    CACHE_EVICTIONS COUNTER "gridkv_cache_evictions_total" ["store", "cause"] "Records that a cache evicted: no room, or idle for too long."
    CACHE_RESETS COUNTER "gridkv_cache_resets_total" ["store"] "Times that a cache forgot all it had, because operations of a peer were lost to it."
    SYNC_BUFFER_LENGTH GAUGE "gridkv_sync_buffer_length" ["store"] "Operations in the op ring."
    SYNC_BUFFER_CAPACITY GAUGE "gridkv_sync_buffer_capacity" ["store"] "Operations that the op ring holds at most."
    SYNC_BUFFER_OVERWRITTEN COUNTER "gridkv_sync_buffer_overwritten_total" ["store"] "Operations that the op ring lost to overflow; peers fetch them by catch-up."
    SYNC_BATCHES COUNTER "gridkv_sync_batches_total" ["peer", "result"] "Batches sent to a peer."
    SYNC_SENT_OPERATIONS COUNTER "gridkv_sync_sent_operations_total" ["store", "peer"] "Operations sent to a peer."
    SYNC_SENT_BYTES COUNTER "gridkv_sync_sent_bytes_total" ["peer"] "Bytes of frames sent to a peer."
    SYNC_APPLIED COUNTER "gridkv_sync_applied_operations_total" ["store", "result"] "Operations of peers; a collision is corruption."
    SYNC_CONFLICTS COUNTER "gridkv_sync_conflicts_total" ["store", "winner"] "Concurrent writes of one key, by whose stands."
    REPLICATION_LAG GAUGE "gridkv_replication_lag_seconds" ["store", "peer"] "Age of the oldest own operation that the peer does not cover, else 0."
    SYNC_PENDING GAUGE "gridkv_sync_peer_pending_operations" ["store", "peer"] "Own operations that the peer does not cover."
    DIVERGED_BUCKETS GAUGE "gridkv_diverged_buckets" ["store", "peer"] "Buckets of the digest in which the store differs from the peer's although both have seen the same; 0 is as it should be. Absent for caches."
    FULL_SYNCS COUNTER "gridkv_full_syncs_total" ["store", "direction", "result"] "Catch-up sessions that ended."
    FULL_SYNC_RUNNING GAUGE "gridkv_full_sync_in_progress" ["store"] "Whether a catch-up session runs."
    PEER_UP GAUGE "gridkv_peer_up" ["peer"] "Whether the peer was heard from lately."
    PEER_CLOCK_SKEW GAUGE "gridkv_peer_clock_skew_seconds" ["peer"] "The peer's clock minus this node's."
    PEER_LAST_CONTACT GAUGE "gridkv_peer_last_contact_timestamp_seconds" ["peer"] "When the peer was last heard from."
    ACTOR_MAILBOX GAUGE "gridkv_actor_mailbox_messages" ["actor", "store"] "Messages in flight to an actor."
    ACK_WAITS COUNTER "gridkv_ack_waits_total" ["store", "result"] "Writes that waited for peers: all had it, or not in time."
    ACK_WAIT_DURATION HISTOGRAM "gridkv_ack_wait_duration_seconds" ["store", "result"] "From the commit of a write here to its acknowledgement by peers."
    PERSIST_RUNS COUNTER "gridkv_persist_runs_total" ["store", "result"] "Persist runs; absent for volatile stores."
    PERSIST_DURATION SUMMARY "gridkv_persist_duration_seconds" ["store"] "Persist runs that ended well, and what they took together."
    STORE_ROLLED_BACK GAUGE "gridkv_store_rolled_back" ["store"] "Whether the store came back from its disk with less than had been there; peers give it back."
    PERSIST_UNSAVED GAUGE "gridkv_persist_unsaved_operations" ["store"] "Changes that are not on disk yet."
}

/// Upper bounds in seconds of every histogram here: a local read to a write that waits for a disk.
pub(crate) const BUCKETS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_promtool_wants_them() {
        let mut names: Vec<_> = ALL.iter().map(|family| family.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name is taken twice");
        for family in ALL {
            let name = family.name;
            let word = |b: u8| b.is_ascii_lowercase() || b == b'_';
            assert!(name.starts_with("gridkv_") && name.bytes().all(word), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == MetricType::COUNTER, "{name}");
            for suffix in ["_count", "_sum", "_bucket", "_info"] {
                assert!(!name.ends_with(suffix) || name == BUILD_INFO.name, "{name}");
            }
            assert!(family.help.ends_with('.'), "{name}");
            assert!(!family.labels.iter().any(|label| ["le", "quantile", "key"].contains(label)));
        }
        assert!(BUCKETS.is_sorted());
    }
}

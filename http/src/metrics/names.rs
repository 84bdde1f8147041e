//! The one table of metric families: name, type, labels, what it says, and when it is not there.
//!
//! Base units, `_total` on counters and nothing else, labels with few values: never a key. `store` is
//! `_node` for what belongs to no store, because Prometheus drops an empty label. `docs/metrics.md` is made
//! of this table.

use prometheus::proto::MetricType;

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Its place among [`ALL`].
    pub(crate) place: usize,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: MetricType,
    /// Its labels, in the order of their values.
    pub(crate) labels: &'static [Label],
    /// What it says.
    pub(crate) help: &'static str,
    /// Of what it is not there; empty: it always is.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page of the documentation has it"))]
    pub(crate) absent: &'static str,
}

/// A label of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its values, with blanks between them, where they are known in advance; else empty.
    pub(crate) values: &'static str,
}

macro_rules! families {
    ($($topic:literal { $(
        $id:ident $kind:ident $name:literal [$($label:literal $(in $values:literal)?),*]
            $help:literal $(absent $absent:literal)?;
    )* })*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "only to be counted")]
        enum Place { $($($id),*),* }

        $($(
            #[doc = $help]
            pub(crate) const $id: Family = Family {
                place: Place::$id as usize,
                name: $name,
                kind: MetricType::$kind,
                labels: &[$(Label { name: $label, values: concat!($($values)?) }),*],
                help: $help,
                absent: concat!($($absent)?),
            };
        )*)*

        /// Every family of this table.
        pub(crate) const ALL: &[Family] = &[$($($id),*),*];

        /// The same, by what they are about.
        #[cfg(test)]
        pub(crate) const TOPICS: &[(&str, &[Family])] = &[$(($topic, &[$($id),*])),*];
    };
}

families! {
    "The node" {
        BUILD_INFO GAUGE "gridkv_build_info" ["version", "revision", "rustc"]
            "Always 1; the labels say which program runs: its version, the revision of its source, and the compiler.";
        NODE_INFO GAUGE "gridkv_node_info" ["node", "cluster"]
            "Always 1; the labels are the names of the node and of its cluster.";
        READY GAUGE "gridkv_ready" []
            "Whether the node takes clients, as /readyz says.";
        EXPOSED GAUGE "gridkv_exposed_without_auth" ["listener" in "http peers"]
            "Whether other machines reach the listener without a proof of who they are, or with one in clear.";
        CERTIFICATE_EXPIRES GAUGE "gridkv_certificate_expires_in_seconds" ["listener" in "http peers"]
            "How long the certificate of a listener is still valid, below zero when it has expired."
            absent "a listener without a certificate";
    }
    "The clock" {
        CLOCK_STANDING GAUGE "gridkv_clock_standing" ["standing" in "unjudged sound undecided behind fenced"]
            "What the node's clock is worth beside its peers': 1 for the one that holds, else 0.";
        CLOCK_FENCED GAUGE "gridkv_clock_fenced" []
            "Whether the node takes no writes because its clock is ahead of most members'.";
        CLOCK_WALL_OFFSET GAUGE "gridkv_clock_wall_offset_seconds" []
            "The node's physical time minus the machine's wall clock.";
        CLOCK_PEERS_OFFSET GAUGE "gridkv_clock_peers_offset_seconds" []
            "The node's physical time minus the middle of its peers'."
            absent "a node that hears no peer";
        CLOCK_CORRECTED GAUGE "gridkv_clock_corrected_seconds" []
            "What slews and steps towards the wall clock have added to the node's physical time since it started.";
        CLOCK_HYBRID_AHEAD GAUGE "gridkv_clock_hybrid_ahead_seconds" []
            "How far the latest moment that this node has minted, or taken from a peer, is ahead of its physical time, else 0.";
    }
    "HTTP" {
        HTTP_REQUESTS COUNTER "gridkv_http_requests_total" ["method", "route", "code"]
            "Requests answered; a path that is not served counts as unmatched, a method without a place as other."
            absent "what was not asked for yet";
        HTTP_DURATION HISTOGRAM "gridkv_http_request_duration_seconds" ["method", "route"]
            "From the end of a request's head to its answer."
            absent "what was not asked for yet";
        HTTP_IN_FLIGHT GAUGE "gridkv_http_requests_in_flight" []
            "Requests that have no answer yet, this one included.";
        HTTP_REQUEST_BODY COUNTER "gridkv_http_request_body_bytes_total" []
            "Bytes of request bodies that were read.";
        HTTP_RESPONSE_BODY COUNTER "gridkv_http_response_body_bytes_total" []
            "Bytes of bodies that were given out as answers; of a stream, each piece when it is made.";
        HTTP_AUTH_FAILURES COUNTER "gridkv_http_auth_failures_total" ["reason" in "missing malformed unknown rate_limited role"]
            "Requests refused for who sent them: no token, none that can be one, one that is not known, too many of those, or a role that may do less."
            absent "a node that asks nobody who they are";
        WATCH_STREAMS GAUGE "gridkv_watch_streams" ["store"]
            "Streams of changes and long polls that are open.";
        WATCH_DROPPED COUNTER "gridkv_watch_dropped_events_total" ["store"]
            "Changes that the log had dropped before a stream or long poll under way had read them; it is told and ends.";
    }
    "Stores" {
        STORE_KEYS GAUGE "gridkv_store_keys" ["store", "backend"]
            "Keys that have a value.";
        STORE_SIZE GAUGE "gridkv_store_size_bytes" ["store", "backend"]
            "Bytes on disk."
            absent "volatile stores";
        STORE_MEMORY GAUGE "gridkv_store_memory_bytes" ["store", "backend"]
            "Bytes of keys, values and records in memory.";
        STORE_MEMORY_LIMIT GAUGE "gridkv_store_memory_limit_bytes" ["store", "backend"]
            "Bytes that the store should hold in memory at most."
            absent "stores without a limit";
        STORE_TOMBSTONES GAUGE "gridkv_store_tombstones" ["store", "backend"]
            "Tombstones and expired records kept.";
        STORE_OPERATIONS COUNTER "gridkv_store_operations_total" ["store", "op" in "get set delete touch list batch", "result" in "ok not_found conflict memory_limit overloaded error"]
            "Operations of clients, by what became of them; those within a batch count too, and the batch once more. A write counts as ok once it is committed."
            absent "results that an operation can not have";
        STORE_DURATION HISTOGRAM "gridkv_store_operation_duration_seconds" ["store", "op" in "get set delete touch list batch"]
            "From asking a store to its answer: its queue and its commit are in it, a wait for peers is not.";
        COMMIT_SIZE HISTOGRAM "gridkv_commit_batch_operations" ["store"]
            "Changes that were committed together, of clients, peers and deadlines; commits without any are not counted.";
        COMMIT_DURATION HISTOGRAM "gridkv_commit_duration_seconds" ["store"]
            "How long commits with changes took, as safe as they had to be.";
        STORE_EXPIRED COUNTER "gridkv_store_expired_keys_total" ["store"]
            "Keys that came to their deadline.";
        STORE_EVICTIONS COUNTER "gridkv_store_evictions_total" ["store", "cause" in "size idle"]
            "Records that a cache let go: no room, or idle for too long."
            absent "stores that are no caches";
        CACHE_HITS COUNTER "gridkv_cache_hits_total" ["store"]
            "Client reads that the cache answered."
            absent "stores without a cache";
        CACHE_MISSES COUNTER "gridkv_cache_misses_total" ["store"]
            "Client reads that the cache did not answer."
            absent "stores without a cache";
        CACHE_HIT_RATIO GAUGE "gridkv_cache_hit_ratio" ["store"]
            "Share of client reads that the cache answered since the start."
            absent "stores without a cache, and before the first read";
        CACHE_RESETS COUNTER "gridkv_cache_resets_total" ["store"]
            "Times that a cache forgot all it had, because operations of a peer were lost to it."
            absent "stores that are no caches";
        CHANGE_LOG_CHANGES GAUGE "gridkv_change_log_changes" ["store"]
            "Changes that are kept for those who follow the store: who has read the one before can go on.";
        CHANGE_LOG_CAPACITY GAUGE "gridkv_change_log_capacity" ["store"]
            "Changes that are kept at most.";
    }
    "The disk" {
        PERSIST_RUNS COUNTER "gridkv_persist_runs_total" ["store", "result" in "ok error"]
            "Runs that bring a store to the disk."
            absent "volatile stores";
        PERSIST_DURATION HISTOGRAM "gridkv_persist_duration_seconds" ["store"]
            "How long the runs took that ended well."
            absent "volatile stores";
        PERSIST_LAST_SUCCESS GAUGE "gridkv_persist_last_success_timestamp_seconds" ["store"]
            "When a run last ended well; the opening of the store counts as one, because nothing was unsaved then."
            absent "volatile stores";
        PERSIST_UNSAVED GAUGE "gridkv_persist_unsaved_operations" ["store"]
            "Changes that a power cut now could take."
            absent "volatile stores";
        STORE_ROLLED_BACK GAUGE "gridkv_store_rolled_back" ["store"]
            "Whether the store came back from its disk with less than had been there; peers give it back."
            absent "volatile stores";
        LSM_TABLES GAUGE "gridkv_lsm_tables" ["store", "level" in "0 1 2 3 4 5 6"]
            "Table files of the engine, by level."
            absent "stores that are not on fjall";
        LSM_SEALED GAUGE "gridkv_lsm_sealed_memtables" ["store"]
            "Memtables that are full and not yet a table: as many as `num_memtables` says hold up writes."
            absent "stores that are not on fjall";
        LSM_COMPACTIONS COUNTER "gridkv_lsm_compactions_total" ["store"]
            "Compaction runs that the engine ended, as it counts them: those that found nothing to do too."
            absent "stores that are not on fjall";
    }
    "Replication: what this node sends" {
        SYNC_BUFFER_LENGTH GAUGE "gridkv_sync_buffer_length" ["store"]
            "Operations in the op ring.";
        SYNC_BUFFER_CAPACITY GAUGE "gridkv_sync_buffer_capacity" ["store"]
            "Operations that the op ring holds at most.";
        SYNC_BUFFER_OVERWRITTEN COUNTER "gridkv_sync_buffer_overwritten_total" ["store"]
            "Operations that the op ring lost to overflow; peers fetch them by catch-up.";
        OP_LOG_OPERATIONS GAUGE "gridkv_op_log_operations" ["store"]
            "Own operations of this run that the op log behind the ring still has, for peers that lag.";
        OP_LOG_BYTES GAUGE "gridkv_op_log_bytes" ["store"]
            "Bytes of keys and values of those operations.";
        OP_LOG_LIMIT GAUGE "gridkv_op_log_limit_bytes" ["store"]
            "Bytes that the op log keeps at most.";
        OP_LOG_FLOOR GAUGE "gridkv_op_log_floor_timestamp_seconds" ["store"]
            "Operations up to this moment may be missing from the op log: a peer that has less needs catch-up."
            absent "a log that has every operation of this run";
        SYNC_BATCHES COUNTER "gridkv_sync_batches_total" ["peer", "result" in "ok error timeout"]
            "Batches sent to a peer: it took them, it did not (a gap, or it can not now), or its link ended before it answered.";
        SYNC_BATCH_DURATION HISTOGRAM "gridkv_sync_batch_duration_seconds" ["peer"]
            "From sending a batch to the peer's answer that it is applied.";
        SYNC_SENT_OPERATIONS COUNTER "gridkv_sync_sent_operations_total" ["store", "peer"]
            "Operations sent to a peer.";
        SYNC_SENT_BYTES COUNTER "gridkv_sync_sent_bytes_total" ["peer"]
            "Bytes of frames sent to a peer.";
        SYNC_PENDING GAUGE "gridkv_sync_peer_pending_operations" ["store", "peer"]
            "Own operations that the peer does not cover.";
        REPLICATION_LAG GAUGE "gridkv_replication_lag_seconds" ["store", "peer"]
            "Age of the oldest own operation that the peer does not cover, else 0.";
        ACK_WAITS COUNTER "gridkv_ack_waits_total" ["store", "result" in "met timeout"]
            "Writes that waited for peers: all had it, or not in time.";
        ACK_WAIT_DURATION HISTOGRAM "gridkv_ack_wait_duration_seconds" ["store", "result" in "met timeout"]
            "From the commit of a write here to its acknowledgement by peers.";
    }
    "Replication: what this node takes" {
        SYNC_APPLIED COUNTER "gridkv_sync_applied_operations_total" ["store", "result" in "applied stale duplicate rejected collision"]
            "Operations and records of peers: newer than what stood, older, the same, in a batch that was not taken (it comes again), or the same version with another content, which is corruption.";
        SYNC_CONFLICTS COUNTER "gridkv_sync_conflicts_total" ["store", "winner" in "local remote"]
            "Concurrent writes of one key, by whose stands.";
        SYNC_APPLY_DELAY HISTOGRAM "gridkv_sync_apply_delay_seconds" ["store"]
            "From the moment of a write at a peer, by that one's clock, to its commit here; the oldest operation of each batch.";
        FRONTIER_APPLIED GAUGE "gridkv_frontier_applied_timestamp_seconds" ["store", "member"]
            "Everything that the member wrote in its present run up to this moment is in the store."
            absent "members of whose present run the store has nothing, and those that do not hold it";
        FRONTIER_DURABLE GAUGE "gridkv_frontier_durable_timestamp_seconds" ["store", "member"]
            "Everything that the member wrote in its present run up to this moment would survive a power cut here."
            absent "the same, and volatile stores";
        FULL_SYNCS COUNTER "gridkv_full_syncs_total" ["store", "direction" in "in out", "result" in "completed aborted"]
            "Catch-up sessions that ended; out: those whose last page was given to a peer."
            absent "caches, and aborted ones of peers, which a donor does not hear of";
        FULL_SYNC_RUNNING GAUGE "gridkv_full_sync_in_progress" ["store", "direction" in "in"]
            "Whether a catch-up session runs."
            absent "caches, and sessions of peers: a donor answers each page and keeps no session";
        FULL_SYNC_DURATION HISTOGRAM "gridkv_full_sync_duration_seconds" ["store", "direction" in "in"]
            "How long the catch-up sessions took that came to their end."
            absent "caches, and sessions of peers";
        FULL_SYNC_PAGES COUNTER "gridkv_full_sync_pages_total" ["store", "direction" in "in out"]
            "Pages of records: in, those of catch-up sessions; out, all that were given to peers, also for repairs."
            absent "caches";
        FULL_SYNC_RECORDS COUNTER "gridkv_full_sync_records_total" ["store", "direction" in "in"]
            "Records that catch-up sessions brought."
            absent "caches, and what was given to peers";
        STORE_BOOTSTRAPPING GAUGE "gridkv_store_bootstrapping" ["store"]
            "Whether the store is filled from scratch, and not ready."
            absent "caches";
        DIVERGED_BUCKETS GAUGE "gridkv_diverged_buckets" ["store", "peer"]
            "Buckets of the digest in which the store differs from the peer's although both have seen the same; 0 is as it should be."
            absent "caches";
        STABLE_TIMESTAMP GAUGE "gridkv_stable_timestamp_seconds" ["store"]
            "Every member holds everything up to this moment for good: what died before it is purged."
            absent "caches";
        PURGE_HELD_BACK GAUGE "gridkv_purge_held_back" ["store", "member"]
            "1 for the member that holds the stable time back: it is silent, counts others as members, or has the least."
            absent "caches, and all members but one";
        STORE_PURGED COUNTER "gridkv_store_purged_records_total" ["store"]
            "Tombstones and expired records that all members had seen, and that were removed."
            absent "caches";
        ORIGINS GAUGE "gridkv_origins" ["store", "state" in "open closed"]
            "Runs of members that the frontier lists: open ones, and closed ones whose end is still remembered."
            absent "caches";
    }
    "Peers" {
        PEERS GAUGE "gridkv_peers" ["state" in "up suspect down"]
            "The other members, by when they were last heard from.";
        PEER_UP GAUGE "gridkv_peer_up" ["peer"]
            "Whether the peer was heard from lately.";
        PEER_LAST_CONTACT GAUGE "gridkv_peer_last_contact_timestamp_seconds" ["peer"]
            "When the peer was last heard from."
            absent "peers that were not heard from in this run";
        PEER_CLOCK_SKEW GAUGE "gridkv_peer_clock_skew_seconds" ["peer"]
            "The peer's clock minus this node's, as the quickest of its reports of some seconds tells."
            absent "peers that were not heard from in this run";
    }
    "Actors" {
        ACTOR_MAILBOX GAUGE "gridkv_actor_mailbox_messages" ["actor" in "storage sync-publisher catch-up convergence cluster peer-applier", "store"]
            "What is in flight to an actor: to a storage actor the operations of clients that it has not answered, which is what its capacity bounds; to any other the messages in its mailbox.";
        ACTOR_CAPACITY GAUGE "gridkv_actor_mailbox_capacity" ["actor" in "storage", "store"]
            "Operations of clients that may be in flight to a storage actor; more are refused."
            absent "the other actors: their senders bound what they send";
        ACTOR_MESSAGES COUNTER "gridkv_actor_messages_total" ["actor" in "storage sync-publisher catch-up convergence cluster peer-applier", "store"]
            "Messages that an actor has taken from its mailbox; a group of writes is one.";
        ACTOR_FULL COUNTER "gridkv_actor_mailbox_full_total" ["actor" in "storage", "store"]
            "Requests that were refused because too much was in flight to a storage actor."
            absent "the other actors";
        ACTOR_WAIT HISTOGRAM "gridkv_actor_mailbox_wait_seconds" ["actor" in "storage sync-publisher catch-up convergence cluster peer-applier"]
            "How long messages were in a mailbox.";
        ACTOR_RESTARTS COUNTER "gridkv_actor_restarts_total" ["actor" in "peer-applier", "store"]
            "Times that an actor was begun anew: a peer applier for each connection of a peer that had one before."
            absent "the other actors: when one of them dies, the node ends";
        ACTOR_LAST_TURN GAUGE "gridkv_actor_last_turn_timestamp_seconds" ["actor" in "storage sync-publisher catch-up convergence cluster", "store"]
            "When the actor last took a message or looked at its timers, which it does several times a second, or at each heartbeat."
            absent "peer appliers, which only answer";
        STUCK_ACTORS GAUGE "gridkv_watchdog_stuck_actors" []
            "Actors that died, or have shown no sign of life for ten seconds: /livez says which.";
        WATCHDOG_LOOK GAUGE "gridkv_watchdog_last_look_timestamp_seconds" []
            "When the watchdog last looked at the actors.";
    }
}

impl Label {
    /// Whether it may have this value.
    pub(crate) fn allows(&self, value: &str) -> bool {
        self.values.is_empty() || self.values.split(' ').any(|known| known == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_promtool_wants_them() {
        assert!(ALL.iter().enumerate().all(|(place, family)| family.place == place));
        let mut names: Vec<_> = ALL.iter().map(|family| family.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name is taken twice");
        for family in ALL {
            let name = family.name;
            let word = |b: u8| b.is_ascii_lowercase() || b == b'_';
            assert!(name.starts_with("gridkv_") && name.bytes().all(word), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == MetricType::COUNTER, "{name}");
            for suffix in ["_count", "_sum", "_bucket", "_info"] {
                let tells = [BUILD_INFO.name, NODE_INFO.name].contains(&name);
                assert!(!name.ends_with(suffix) || tells, "{name}");
            }
            assert!(family.help.ends_with('.'), "{name}");
            let taken = ["le", "quantile", "key"];
            assert!(!family.labels.iter().any(|label| taken.contains(&label.name)), "{name}");
        }
    }
}

//! The collector: at each scrape, snapshots of the node become samples.
//!
//! It counts nothing itself and keeps nothing between two scrapes, so it can not disagree with what
//! `/v1/stats` and `/v1/cluster` say.

use std::collections::HashMap;
use std::sync::Arc;

use gridkv_actors::StoreStats;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::node::NodeHandle;
use gridkv_actors::views::{ClockView, PeerState, PeerView, StableView};
use gridkv_protocol::StoreName;
use gridkv_protocol::fence::Standing;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::exposition::{Exposition, as_f64};
use super::operations::Timers;
use super::requests::Requests;
use super::{MetricsError, access, certificates, names};
use crate::operating::Operating;
use crate::routes::node::VERSION;

/// Everything of a node but its process.
pub(super) struct NodeCollector {
    node: NodeHandle,
    operating: Operating,
    requests: Arc<Requests>,
    timers: Arc<Timers>,
    descriptions: Vec<Desc>,
}

impl NodeCollector {
    /// Collects from these.
    ///
    /// # Errors
    /// When a name or a label is not valid, which is a mistake in the table.
    pub(super) fn new(
        node: NodeHandle,
        operating: Operating,
        requests: Arc<Requests>,
        timers: Arc<Timers>,
    ) -> Result<Self, MetricsError> {
        let describe = |family: &names::Family| {
            let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(family.name.to_owned(), family.help.to_owned(), labels, HashMap::new())
        };
        let descriptions = names::ALL.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self { node, operating, requests, timers, descriptions })
    }
}

impl Collector for NodeCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut out = Exposition::default();
        out.count(&names::BUILD_INFO, &[VERSION], 1);
        out.count(&names::READY, &[], u64::from(self.node.readiness().ready));
        collect_clock(self.node.clock(), &mut out);
        self.requests.collect(&mut out);
        access::collect(&self.operating.access, &mut out);
        certificates::collect(&self.operating.certificates, self.node.now(), &mut out);
        let stores = self.node.stores();
        let names: Vec<StoreName> = stores.iter().map(|store| store.name().clone()).collect();
        self.timers.collect(&names, &mut out);
        for store in &stores {
            collect_store(store, &mut out);
            if let Some(stable) = self.node.stable(store.name()) {
                collect_stable(store, &stable, &mut out);
            }
        }
        for peer in &self.node.cluster().peers {
            collect_peer(peer, &mut out);
        }
        for actor in self.node.actors() {
            let labels = [actor.actor, actor.store.as_str()];
            out.count(&names::ACTOR_MAILBOX, &labels, actor.messages);
        }
        out.into_families()
    }
}

fn collect_clock(clock: ClockView, out: &mut Exposition) {
    out.count(&names::CLOCK_FENCED, &[], u64::from(clock.standing == Standing::Fenced));
    for standing in Standing::ALL {
        let holds = u64::from(clock.standing == standing);
        out.count(&names::CLOCK_STANDING, &[standing.as_str()], holds);
    }
    out.sample(&names::CLOCK_WALL_OFFSET, &[], signed_seconds(clock.ahead_of_wall_ms));
}

/// Milliseconds as seconds.
pub(super) fn signed_seconds(ms: i64) -> f64 {
    let size = as_f64(ms.unsigned_abs()) / 1_000.0;
    if ms < 0 { -size } else { size }
}

fn collect_store(store: &StoreHandle, out: &mut Exposition) {
    let name = store.name().as_str();
    let stats = store.stats();
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
    collect_cache(store, &stats, out);
    out.count(&names::STORE_EXPIRED, &[name], stats.expired);
    collect_ring(name, &stats, out);
    collect_operations(store, out);
    collect_applies(store, out);
    if stats.persistent {
        out.count(&names::PERSIST_RUNS, &[name, "ok"], stats.persists);
        out.count(&names::PERSIST_RUNS, &[name, "error"], stats.persist_failures);
        let seconds = as_f64(stats.persist_ms) / 1_000.0;
        out.summary(&names::PERSIST_DURATION, &[name], stats.persists, seconds);
        out.count(&names::PERSIST_UNSAVED, &[name], stats.unsaved);
        out.count(&names::STORE_ROLLED_BACK, &[name], u64::from(stats.rolled_back));
    }
}

fn collect_stable(store: &StoreHandle, stable: &StableView, out: &mut Exposition) {
    let name = store.name().as_str();
    out.count(&names::STORE_PURGED, &[name], store.stats().purged);
    out.sample(&names::STABLE_TIMESTAMP, &[name], as_f64(stable.upto.0) / 1_000.0);
    if let Some(member) = &stable.held_back_by {
        out.count(&names::PURGE_HELD_BACK, &[name, member], 1);
    }
    out.count(&names::ORIGINS, &[name, "open"], stable.open_origins);
    out.count(&names::ORIGINS, &[name, "closed"], stable.closed_origins);
    let bootstrapping = store.catch_up().bootstrapping;
    out.count(&names::STORE_BOOTSTRAPPING, &[name], u64::from(bootstrapping));
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
        out.count(&names::CACHE_EVICTIONS, &[name, "size"], evictions.size);
        out.count(&names::CACHE_EVICTIONS, &[name, "idle"], evictions.idle);
    }
}

fn collect_ring(name: &str, stats: &StoreStats, out: &mut Exposition) {
    let whole = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    out.count(&names::SYNC_BUFFER_LENGTH, &[name], whole(stats.sync_buffer_len));
    out.count(&names::SYNC_BUFFER_CAPACITY, &[name], whole(stats.sync_buffer_capacity));
    out.count(&names::SYNC_BUFFER_OVERWRITTEN, &[name], stats.sync_buffer_overwritten);
}

fn collect_operations(store: &StoreHandle, out: &mut Exposition) {
    let counters = store.operations();
    let results = [
        ("get", "hit", &counters.get_hit),
        ("get", "miss", &counters.get_miss),
        ("put", "ok", &counters.put),
        ("delete", "ok", &counters.delete),
        ("touch", "ok", &counters.touch),
        ("list", "ok", &counters.list),
        ("batch", "ok", &counters.batch),
        ("write", "precondition_failed", &counters.precondition_failed),
        ("write", "memory_limit", &counters.memory_limit),
        ("write", "overloaded", &counters.overloaded),
    ];
    for (operation, result, counter) in results {
        let labels = [store.name().as_str(), operation, result];
        out.count(&names::STORE_OPERATIONS, &labels, counter.get());
    }
}

fn collect_applies(store: &StoreHandle, out: &mut Exposition) {
    let name = store.name().as_str();
    let counters = store.applies();
    let results = [
        ("applied", &counters.applied),
        ("stale", &counters.stale),
        ("duplicate", &counters.duplicate),
        ("collision", &counters.collision),
    ];
    for (result, counter) in results {
        out.count(&names::SYNC_APPLIED, &[name, result], counter.get());
    }
    out.count(&names::SYNC_CONFLICTS, &[name, "remote"], counters.conflict_remote_won.get());
    out.count(&names::SYNC_CONFLICTS, &[name, "local"], counters.conflict_local_won.get());
    let acks = store.acks();
    out.count(&names::ACK_WAITS, &[name, "met"], acks.met);
    out.count(&names::ACK_WAITS, &[name, "timeout"], acks.timed_out);
    let sessions = store.catch_up();
    out.count(&names::FULL_SYNCS, &[name, "in", "completed"], sessions.completed);
    out.count(&names::FULL_SYNCS, &[name, "in", "aborted"], sessions.aborted);
    out.count(&names::FULL_SYNC_RUNNING, &[name], u64::from(sessions.running));
}

fn collect_peer(peer: &PeerView, out: &mut Exposition) {
    let name = peer.name.as_str();
    out.count(&names::PEER_UP, &[name], u64::from(peer.state == PeerState::Up));
    if let Some(moment) = peer.last_contact {
        out.sample(&names::PEER_LAST_CONTACT, &[name], as_f64(moment.0) / 1_000.0);
    }
    if let Some(skew) = peer.clock_skew_ms {
        out.sample(&names::PEER_CLOCK_SKEW, &[name], signed_seconds(skew));
    }
    out.count(&names::SYNC_BATCHES, &[name, "ok"], peer.link.batches_ok);
    out.count(&names::SYNC_BATCHES, &[name, "error"], peer.link.batches_error);
    out.count(&names::SYNC_SENT_BYTES, &[name], peer.link.sent_bytes);
    for (store, view) in &peer.stores {
        let labels = [store.as_str(), name];
        out.sample(&names::REPLICATION_LAG, &labels, as_f64(view.lag_ms) / 1_000.0);
        out.count(&names::SYNC_PENDING, &labels, view.pending);
        if let Some(agreement) = view.agreement {
            out.count(&names::DIVERGED_BUCKETS, &labels, agreement.diverged_buckets);
        }
        out.count(&names::SYNC_SENT_OPERATIONS, &labels, view.sent_operations);
    }
}

#[cfg(test)]
#[path = "node_test.rs"]
mod tests;

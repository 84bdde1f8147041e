//! The families of replication: what a store has of the members, and what the peers have of it.

use gridkv_actors::StoreStats;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::node::NodeHandle;
use gridkv_actors::views::{
    CatchUpCounts, FrontierView, OpLogView, PeerState, PeerView, StableView,
};

use super::exposition::{Exposition, as_f64};
use super::names;
use super::node::signed_seconds;

/// Writes what a store has of the mesh.
pub(super) fn collect_store(
    node: &NodeHandle,
    store: &StoreHandle,
    stats: &StoreStats,
    out: &mut Exposition,
) {
    let name = store.name().as_str();
    if let Some(log) = node.op_log(store) {
        collect_log(name, log, out);
    }
    collect_frontiers(name, &node.frontiers(store), out);
    if let Some(stable) = node.stable(store.name()) {
        collect_stable(name, &stable, out);
        out.count(&names::STORE_PURGED, &[name], stats.purged);
    }
    if !store.is_cache() {
        collect_catch_up(name, &store.catch_up(), out);
    }
}

fn collect_log(name: &str, log: OpLogView, out: &mut Exposition) {
    out.count(&names::OP_LOG_OPERATIONS, &[name], log.operations);
    out.count(&names::OP_LOG_BYTES, &[name], log.bytes);
    out.count(&names::OP_LOG_LIMIT, &[name], log.limit_bytes);
    if let Some(floor) = log.floor {
        out.moment(&names::OP_LOG_FLOOR, &[name], floor);
    }
}

fn collect_frontiers(name: &str, frontiers: &[FrontierView], out: &mut Exposition) {
    for FrontierView { member, applied, durable } in frontiers {
        out.moment(&names::FRONTIER_APPLIED, &[name, member], *applied);
        if let Some(durable) = durable {
            out.moment(&names::FRONTIER_DURABLE, &[name, member], *durable);
        }
    }
}

fn collect_stable(name: &str, stable: &StableView, out: &mut Exposition) {
    out.moment(&names::STABLE_TIMESTAMP, &[name], stable.upto);
    if let Some(member) = &stable.held_back_by {
        out.count(&names::PURGE_HELD_BACK, &[name, member], 1);
    }
    out.count(&names::ORIGINS, &[name, "open"], stable.open_origins);
    out.count(&names::ORIGINS, &[name, "closed"], stable.closed_origins);
}

fn collect_catch_up(name: &str, sessions: &CatchUpCounts, out: &mut Exposition) {
    out.count(&names::FULL_SYNCS, &[name, "in", "completed"], sessions.completed);
    out.count(&names::FULL_SYNCS, &[name, "in", "aborted"], sessions.aborted);
    out.count(&names::FULL_SYNCS, &[name, "out", "completed"], sessions.sessions_served);
    out.count(&names::FULL_SYNC_RUNNING, &[name, "in"], u64::from(sessions.running));
    out.histogram(&names::FULL_SYNC_DURATION, &[name, "in"], &sessions.times);
    out.count(&names::FULL_SYNC_PAGES, &[name, "in"], sessions.pages_taken);
    out.count(&names::FULL_SYNC_PAGES, &[name, "out"], sessions.pages_served);
    out.count(&names::FULL_SYNC_RECORDS, &[name, "in"], sessions.records);
    out.count(&names::STORE_BOOTSTRAPPING, &[name], u64::from(sessions.bootstrapping));
}

/// Writes what is known of the peers.
pub(super) fn collect_peers(peers: &[PeerView], out: &mut Exposition) {
    for state in [PeerState::Up, PeerState::Suspect, PeerState::Down] {
        let count = peers.iter().filter(|peer| peer.state == state).count();
        out.count(&names::PEERS, &[state.as_str()], super::stores::whole(count));
    }
    for peer in peers {
        collect_peer(peer, out);
    }
}

fn collect_peer(peer: &PeerView, out: &mut Exposition) {
    let name = peer.name.as_str();
    out.count(&names::PEER_UP, &[name], u64::from(peer.state == PeerState::Up));
    if let Some(moment) = peer.last_contact {
        out.moment(&names::PEER_LAST_CONTACT, &[name], moment);
    }
    if let Some(skew) = peer.clock_skew_ms {
        out.sample(&names::PEER_CLOCK_SKEW, &[name], signed_seconds(skew));
    }
    out.count(&names::SYNC_BATCHES, &[name, "ok"], peer.link.batches_ok);
    out.count(&names::SYNC_BATCHES, &[name, "error"], peer.link.batches_error);
    out.count(&names::SYNC_BATCHES, &[name, "timeout"], peer.link.batches_timeout);
    out.histogram(&names::SYNC_BATCH_DURATION, &[name], &peer.link.batch_times);
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
#[path = "mesh_test.rs"]
mod tests;

//! The metrics of peers, as Prometheus reads them.

use std::collections::BTreeMap;

use gridkv_actors::views::{LinkCounts, PeerStoreView};
use gridkv_protocol::convergence::Agreement;
use gridkv_protocol::{Origin, StoreName, UnixMs};

use super::*;

fn peer(last_contact: Option<u64>, clock_skew_ms: Option<i64>) -> PeerView {
    let store = PeerStoreView {
        pending: 2,
        lag_ms: 1_500,
        sent_operations: 9,
        agreement: Some(Agreement { identical_since: None, diverged_buckets: 3 }),
        ..Default::default()
    };
    let cache = PeerStoreView::default();
    PeerView {
        name: "n2".to_owned(),
        origin: Origin::from_bits(1),
        addr: "127.0.0.1:7502".to_owned(),
        state: PeerState::Up,
        last_contact: last_contact.map(UnixMs),
        clock_skew_ms,
        ready: Some(true),
        trouble: None,
        stores: [("main", store), ("hot", cache)]
            .map(|(name, view)| (StoreName::new(name).unwrap(), view))
            .into(),
        missing_stores: vec![],
        other_backends: BTreeMap::new(),
        link: LinkCounts {
            batches_ok: 3,
            batches_error: 1,
            batches_timeout: 2,
            sent_bytes: 77,
            ..LinkCounts::default()
        },
    }
}

fn shown(peer: &PeerView) -> String {
    let mut out = Exposition::default();
    collect_peers(std::slice::from_ref(peer), &mut out);
    out.into_text()
}

#[test]
fn a_peer_as_prometheus_sees_it() {
    let text = shown(&peer(Some(2_500), Some(-250)));
    for line in [
        "gridkv_peers{state=\"up\"} 1",
        "gridkv_peers{state=\"down\"} 0",
        "gridkv_sync_batches_total{peer=\"n2\",result=\"timeout\"} 2",
        "gridkv_sync_batch_duration_seconds_count{peer=\"n2\"} 0",
        "gridkv_peer_up{peer=\"n2\"} 1",
        "gridkv_peer_last_contact_timestamp_seconds{peer=\"n2\"} 2.5",
        "gridkv_peer_clock_skew_seconds{peer=\"n2\"} -0.25",
        "gridkv_sync_batches_total{peer=\"n2\",result=\"ok\"} 3",
        "gridkv_sync_sent_bytes_total{peer=\"n2\"} 77",
        "gridkv_replication_lag_seconds{store=\"main\",peer=\"n2\"} 1.5",
        "gridkv_sync_peer_pending_operations{store=\"main\",peer=\"n2\"} 2",
        "gridkv_sync_sent_operations_total{store=\"main\",peer=\"n2\"} 9",
        "gridkv_diverged_buckets{store=\"main\",peer=\"n2\"} 3",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_is_not_known_is_absent() {
    let text = shown(&peer(None, None));
    assert!(!text.contains("gridkv_diverged_buckets{store=\"hot\""), "a cache");
    assert!(!text.contains("gridkv_peer_last_contact") && !text.contains("gridkv_peer_clock_skew"));
}

#[test]
fn the_logs_and_frontiers_of_a_store() {
    let mut out = Exposition::default();
    let floor = Some(UnixMs(1_500));
    collect_log(
        "main",
        OpLogView { operations: 4, bytes: 99, limit_bytes: 1_000, floor },
        &mut out,
    );
    let frontiers = [
        FrontierView { member: "n1".to_owned(), applied: UnixMs(3_000), durable: None },
        FrontierView { member: "n2".to_owned(), applied: UnixMs(2_000), durable: floor },
    ];
    collect_frontiers("main", &frontiers, &mut out);
    let text = out.into_text();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "gridkv_frontier_applied_timestamp_seconds{store=\"main\",member=\"n1\"} 3",
            "gridkv_frontier_applied_timestamp_seconds{store=\"main\",member=\"n2\"} 2",
            "gridkv_frontier_durable_timestamp_seconds{store=\"main\",member=\"n2\"} 1.5",
            "gridkv_op_log_bytes{store=\"main\"} 99",
            "gridkv_op_log_floor_timestamp_seconds{store=\"main\"} 1.5",
            "gridkv_op_log_limit_bytes{store=\"main\"} 1000",
            "gridkv_op_log_operations{store=\"main\"} 4",
        ]
    );
}

//! The metrics of a node and its peers, as Prometheus reads them.

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
        stores: [("main", store), ("hot", cache)]
            .map(|(name, view)| (StoreName::new(name).unwrap(), view))
            .into(),
        missing_stores: vec![],
        other_backends: BTreeMap::new(),
        link: LinkCounts { batches_ok: 3, batches_error: 1, sent_bytes: 77 },
    }
}

fn shown(peer: &PeerView) -> String {
    let mut out = Exposition::default();
    collect_peer(peer, &mut out);
    prometheus::TextEncoder::new().encode_to_string(&out.into_families()).unwrap()
}

#[test]
fn a_peer_as_prometheus_sees_it() {
    let text = shown(&peer(Some(2_500), Some(-250)));
    for line in [
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
fn the_clock_as_prometheus_sees_it() {
    let mut out = Exposition::default();
    let clock = ClockView {
        standing: Standing::Fenced,
        ahead_of_wall_ms: -1_500,
        ahead_of_peers_ms: Some(900),
    };
    collect_clock(clock, &mut out);
    let text = prometheus::TextEncoder::new().encode_to_string(&out.into_families()).unwrap();
    for line in [
        "gridkv_clock_fenced 1",
        "gridkv_clock_standing{standing=\"fenced\"} 1",
        "gridkv_clock_standing{standing=\"sound\"} 0",
        "gridkv_clock_wall_offset_seconds -1.5",
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
fn a_summary_has_a_sum_and_a_count() {
    let mut out = Exposition::default();
    out.summary(&names::PERSIST_DURATION, &["main"], 4, 0.5);
    let text = prometheus::TextEncoder::new().encode_to_string(&out.into_families()).unwrap();
    assert!(text.contains("# TYPE gridkv_persist_duration_seconds summary"));
    assert!(text.contains("gridkv_persist_duration_seconds_sum{store=\"main\"} 0.5"));
    assert!(text.contains("gridkv_persist_duration_seconds_count{store=\"main\"} 4"));
}

//! The metrics of real nodes: every family of the page is told by some of them, what replication counts is exact, and
//! what belongs to a member that is forgotten goes.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "what fails here fails the test, and counts are floats"
)]

mod mesh;

use std::collections::{BTreeMap, BTreeSet};

use gridkv_cluster::{Cluster, Node, wait_until};

use mesh::{Model, NAMES, PATIENCE, STORES, agree, all, builder, puts, ready, settle, write};

/// Families that a healthy cluster in clear and without tokens has no place for, and the tests that see them.
const ELSEWHERE: [&str; 2] = [
    "gridkv_certificate_expires_in_seconds", // http/tests/api/tls.rs
    "gridkv_http_auth_failures_total",       // http/tests/api/access.rs
];

type Samples = BTreeMap<String, f64>;

fn scrape(node: &Node) -> Samples {
    let reply = node.client().request("GET", "/metrics").send().unwrap();
    let text = reply.expect_status(200).unwrap().text().into_owned();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

/// The value of a series; 0 when it is absent.
fn of(samples: &Samples, series: &str) -> f64 {
    samples.get(series).copied().unwrap_or_default()
}

fn sum(samples: &Samples, beginning: &str) -> f64 {
    let all = samples.iter().filter(|(series, _)| series.starts_with(beginning));
    all.map(|(_, value)| value).sum()
}

/// The families that a scrape shows.
fn families(samples: &Samples) -> BTreeSet<String> {
    let names = samples.keys().map(|series| {
        let name = series.split('{').next().unwrap_or_default();
        let of_histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| {
            let name = name.strip_suffix(suffix)?;
            samples.keys().any(|other| other.starts_with(&format!("{name}_bucket"))).then_some(name)
        });
        of_histogram.unwrap_or(name).to_owned()
    });
    names.filter(|name| name.starts_with("gridkv_")).collect()
}

/// The families that the page of the documentation names.
fn on_the_page() -> BTreeSet<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));
    let page = page.unwrap();
    let names = page.lines().filter_map(|line| line.strip_prefix("**`")?.split('`').next());
    names.map(str::to_owned).collect()
}

fn cluster(directory: &std::path::Path) -> Cluster {
    // The least log: what it had to let go of shows.
    ready(builder(directory).stores(STORES).env("GRIDKV_SYNC__LOG_BYTES", "1048576"))
}

#[test]
fn every_family_is_told_and_replication_is_counted_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster(dir.path());
    let nodes = all(&cluster);
    settle(&nodes);
    let mut model = Model::new();
    for store in NAMES {
        mesh::write_and_note(&nodes[0].client(), store, &mut model, &puts("k", 100, "v"));
        nodes[1].client().get(store, "k000000").unwrap();
        nodes[1].client().get(store, "k000000").unwrap();
    }
    agree(&nodes, "main", &model);
    let (first, second) = (scrape(nodes[0]), scrape(nodes[1]));
    let applied = "gridkv_sync_applied_operations_total{store=\"main\",result=";
    assert_eq!(of(&second, &format!("{applied}\"applied\"}}")), 100.0);
    assert_eq!(of(&second, &format!("{applied}\"collision\"}}")), 0.0);
    let delays = of(&second, "gridkv_sync_apply_delay_seconds_count{store=\"main\"}");
    assert!((1.0..=100.0).contains(&delays), "one for each batch: {delays}");
    let sent = "gridkv_sync_sent_operations_total{store=\"main\",peer=\"n2\"}";
    assert!(of(&first, sent) >= 100.0);
    let ok = of(&first, "gridkv_sync_batches_total{peer=\"n2\",result=\"ok\"}");
    assert!(ok >= 5.0, "{ok}");
    assert!(of(&first, "gridkv_sync_batch_duration_seconds_count{peer=\"n2\"}") >= 5.0);
    assert_eq!(of(&first, "gridkv_peers{state=\"up\"}"), 2.0);
    for member in ["n1", "n2", "n3"] {
        let frontier = format!(
            "gridkv_frontier_applied_timestamp_seconds{{store=\"main\",member=\"{member}\"}}"
        );
        assert!(of(&second, &frontier) > 1.0, "{member}");
    }

    // More than the op log keeps while a peer is away: it has to catch up.
    nodes[2].kill().unwrap();
    let large = "x".repeat(200_000);
    let changes: Vec<_> = (0..10).map(|n| (format!("large{n}"), Some(large.clone()))).collect();
    write(&nodes[0].client(), "main", &changes);
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    settle(&nodes);
    let all: Vec<Samples> = nodes.iter().map(|node| scrape(node)).collect();
    let floor = of(&all[0], "gridkv_op_log_floor_timestamp_seconds{store=\"main\"}");
    assert!(floor > 1.0, "the log let something go");
    assert!(of(&all[0], "gridkv_op_log_bytes{store=\"main\"}") <= f64::from(1 << 20));
    let caught_up = "gridkv_full_syncs_total{store=\"main\",direction=\"in\",result=\"completed\"}";
    let sessions = of(&all[2], caught_up);
    assert!(sessions >= 1.0);
    let timed = "gridkv_full_sync_duration_seconds_count{store=\"main\",direction=\"in\"}";
    assert_eq!(of(&all[2], timed), sessions);
    assert!(sum(&all[2], "gridkv_full_sync_pages_total{store=\"main\",direction=\"in\"}") >= 1.0);
    let given = "gridkv_full_syncs_total{store=\"main\",direction=\"out\",result=\"completed\"}";
    assert!(of(&all[0], given) + of(&all[1], given) >= 1.0);
    let again = "gridkv_actor_restarts_total{actor=\"peer-applier\",store=\"_node\"}";
    assert!(of(&all[0], again) >= 1.0, "n3 came again");
    assert_eq!(of(&all[2], again), 0.0, "n1 and n2 came once");

    let told: BTreeSet<String> = all.iter().flat_map(families).collect();
    let mut page = on_the_page();
    assert!(page.len() > 80, "{}", page.len());
    let unknown: Vec<_> = told.difference(&page).collect();
    assert!(unknown.is_empty(), "not on the page: {unknown:?}");
    page.retain(|name| !ELSEWHERE.contains(&name.as_str()));
    let missing: Vec<_> = page.difference(&told).collect();
    assert!(missing.is_empty(), "told by no node: {missing:?}");

    // What belongs to a member goes with it.
    nodes[2].kill().unwrap();
    let about = |samples: &Samples| samples.keys().any(|series| series.contains("=\"n3\""));
    assert!(about(&scrape(nodes[0])));
    let forgotten = || {
        let reply = nodes[0].client().request("DELETE", "/v1/cluster/peers/n3").send().unwrap();
        assert!((200..300).contains(&reply.status), "{}", reply.quoted());
    };
    forgotten();
    for node in &nodes[..2] {
        wait_until(PATIENCE, "the series of n3 to go", || !about(&scrape(node))).unwrap();
    }
}

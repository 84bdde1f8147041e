//! The orderly end: a signal under load, exit status 0, and everything that was acknowledged is there afterwards.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod mesh;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gridkv_cluster::{Node, wait_until};

use mesh::{Model, PATIENCE, builder, contents, ready, signal};

/// Writes until the node does not take it any more; returns what was acknowledged last for each key.
fn write_until_refused(node: &Node, writer: usize, acknowledged: &AtomicUsize) -> Model {
    let (client, mut model) = (node.client(), Model::new());
    for n in 0_usize.. {
        let (key, value) = (format!("w{writer}-{}", n % 500), format!("v{n}"));
        match client.put("main", &key, value.as_bytes()) {
            Ok(reply) if matches!(reply.status, 201 | 204) => {
                model.insert(key, value);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{}", reply.quoted());
                return model;
            }
            // The node is gone, or the connection was closed before the answer: not acknowledged.
            Err(_) => {
                model.remove(&key);
                return model;
            }
        }
    }
    model
}

fn ends_in_order_at(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let start = || builder(dir.path()).nodes(1).env("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "1h");
    let start = || start().env("GRIDKV_STORES__MAIN__BACKEND", "file");
    let cluster = ready(start());
    let (node, acknowledged) = (cluster.node(1), AtomicUsize::new(0));
    let models: Vec<Model> = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let acknowledged = &acknowledged;
                scope.spawn(move || write_until_refused(node, writer, acknowledged))
            })
            .collect();
        wait_until(PATIENCE, "a load", || acknowledged.load(Ordering::Relaxed) > 1_000).unwrap();
        signal(node, name);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let status = node.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(0), "{status}\n{}", node.log_tail(20));
    let cluster = ready(start());
    let found: BTreeMap<String, String> = contents(&cluster.node(1).client(), "main")
        .into_iter()
        .map(|(key, (_, value))| (key, value))
        .collect();
    let lost: Vec<_> =
        models.iter().flatten().filter(|(key, value)| found.get(*key) != Some(value)).collect();
    assert!(lost.is_empty(), "{} acknowledged writes are lost: {:?}", lost.len(), lost.first());
}

#[test]
fn sigterm_under_load_loses_nothing() {
    ends_in_order_at("TERM");
}

#[test]
fn sigint_under_load_loses_nothing() {
    ends_in_order_at("INT");
}

#[test]
fn a_node_of_three_that_stops_leaves_nothing_behind_that_only_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(["main=memory"]));
    let nodes: Vec<&Node> = cluster.nodes().iter().collect();
    mesh::settle(&nodes);
    let mut model = Model::new();
    mesh::write_and_note(&nodes[1].client(), "main", &mut model, &mesh::puts("k", 3_000, "v"));
    assert_eq!(nodes[1].stop(PATIENCE).unwrap().code(), Some(0));
    mesh::agree(&[nodes[0], nodes[2]], "main", &model);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(1).env("GRIDKV_HTTP__SHUTDOWN_TIMEOUT", "60s"));
    let node = cluster.node(1);
    // A request that does not end keeps the first one waiting.
    let mut open = std::net::TcpStream::connect(("127.0.0.1", node.address().http)).unwrap();
    let head = b"PUT /v1/kv/main/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";
    std::io::Write::write_all(&mut open, head).unwrap();
    wait_until(PATIENCE, "the request to be seen", || {
        let metrics = node.client().request("GET", "/metrics").send().unwrap();
        metrics.text().lines().any(|line| line == "gridkv_http_requests_in_flight 2")
    })
    .unwrap();
    node.terminate().unwrap();
    let stopping = || node.client().readyz().is_err();
    wait_until(PATIENCE, "it to stop listening", stopping).unwrap();
    signal(node, "INT");
    assert_eq!(node.wait_exit(PATIENCE).unwrap().code(), Some(130));
}

//! What clients get from frontiers, out of real processes: acknowledgement by peers, reads of what was
//! written on another node, and receipts.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Node, Reply, wait_until};
use serde_json::{Value, json};

use mesh::{NAMES, PATIENCE, STORES, all, builder, ready, settle, slow_to_suspect, wait_state};

/// A client that waits for longer than any request here asks to.
fn client(node: &Node) -> Client {
    Client::with_timeout(&node.base_url(), PATIENCE * 2)
}

fn put(node: &Node, store: &str, key: &str, query: &[(&str, &str)]) -> Reply {
    let client = client(node);
    let mut request = client.at_key("PUT", store, key).body(b"v");
    for (name, value) in query {
        request = request.query(name, value);
    }
    request.send().unwrap()
}

fn get_at(node: &Node, store: &str, key: &str, version: &str, timeout: &str) -> Reply {
    let client = client(node);
    let request = client.at_key("GET", store, key).query("min_version", version);
    request.query("timeout", timeout).send().unwrap()
}

/// Which nodes have a version, as one of them says.
fn receipts(node: &Node, store: &str, version: &str) -> Value {
    let path = format!("/v1/stores/{store}/receipts/{version}");
    let reply = node.client().request("GET", &path).send().unwrap();
    let reply = reply.expect_status(200).unwrap().json().unwrap();
    assert_eq!(reply["version"], version);
    reply["nodes"].clone()
}

fn all_have(node: &Node, store: &str, version: &str) {
    let expected = json!({"n1": true, "n2": true, "n3": true});
    wait_until(PATIENCE, "all nodes to have the version", || {
        receipts(node, store, version) == expected
    })
    .unwrap();
}

/// A cluster whose third node hangs.
fn one_hangs(directory: &Path) -> Cluster {
    let cluster = ready(slow_to_suspect(directory));
    settle(&all(&cluster));
    cluster.node(3).pause().unwrap();
    cluster
}

/// Waits until a write that waits for peers is made on its own node.
fn wait_made(node: &Node, key: &str) {
    wait_until(PATIENCE, "the write to be made", || {
        node.client().get("main", key).unwrap().status == 200
    })
    .unwrap();
}

#[test]
fn peers_acknowledge_what_can_be_read_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    for store in NAMES {
        for round in 0..20 {
            let key = format!("k{round}");
            let reply = put(nodes[round % 3], store, &key, &[("acks", "2")]);
            assert_eq!((reply.status, reply.header("gridkv-acks")), (201, Some("2/2")), "{store}");
            for node in &nodes {
                let got = node.client().get(store, &key).unwrap();
                assert_eq!(got.version(), reply.version(), "{store} on {}", node.name());
            }
        }
        let gone = client(nodes[0]);
        let gone = gone.at_key("DELETE", store, "k0").query("acks", "all").send().unwrap();
        assert_eq!((gone.status, gone.header("gridkv-acks")), (204, Some("2/2")));
        for node in &nodes {
            assert_eq!(node.client().get(store, "k0").unwrap().status, 404);
            all_have(node, store, gone.version().unwrap());
        }
        let ops = json!({"ops": [{"op": "put", "key": "b1", "value": "v"},
                                 {"op": "put", "key": "b2", "value": "v"}]});
        let path = format!("/v1/stores/{store}/batch?acks=majority");
        let batch = client(nodes[1]);
        let batch = batch.request("POST", &path).body(ops.to_string().as_bytes()).send().unwrap();
        assert_eq!((batch.status, batch.header("gridkv-acks")), (200, Some("1/1")));
    }
}

#[test]
fn a_read_on_another_node_waits_for_what_was_just_written() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    for store in NAMES {
        for round in 0..50 {
            let key = format!("k{round}");
            let reply = put(nodes[round % 3], store, &key, &[]);
            let version = reply.version().unwrap();
            let got = get_at(nodes[(round + 1) % 3], store, &key, version, "30s");
            assert_eq!((got.status, got.version()), (200, Some(version)), "{store} {key}");
        }
    }
    let never = "01a2088455220000-0000beef6a000000";
    let got = get_at(nodes[0], "main", "k0", never, "100ms");
    assert_eq!((got.status, got.code().as_deref()), (504, Some("version_not_reached")));
}

#[test]
fn a_peer_that_hangs_holds_up_only_who_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = one_hangs(dir.path());
    let nodes = all(&cluster);
    let late = put(nodes[0], "main", "late", &[("acks", "2"), ("ack_timeout", "300ms")]);
    assert_eq!((late.status, late.code().as_deref()), (504, Some("ack_timeout")));
    let said = late.json().unwrap();
    assert_eq!(said["applied_locally"], true);
    assert_eq!(said["acks"], json!({"asked": 2, "met": 1, "missing": ["n3"]}));
    let version = said["version"].as_str().unwrap();
    assert_eq!(nodes[0].client().get("main", "late").unwrap().version(), Some(version));
    let expected = json!({"n1": true, "n2": true, "n3": false});
    assert_eq!(receipts(nodes[0], "main", version), expected);
    let one = put(nodes[0], "main", "one", &[("acks", "majority")]);
    assert_eq!((one.status, one.header("gridkv-acks")), (201, Some("1/1")));
    let ops =
        br#"{"ops":[{"op":"put","key":"b","value":"v"},{"op":"touch","key":"x","ttl":"1s"}]}"#;
    let batch = client(nodes[0]);
    let batch = batch.request("POST", "/v1/stores/main/batch?acks=all&ack_timeout=100ms");
    let batch = batch.body(ops).send().unwrap();
    assert_eq!((batch.status, batch.code().as_deref()), (504, Some("ack_timeout")));
    let results = batch.json().unwrap()["results"].clone();
    assert_eq!((&results[0]["status"], &results[1]["status"]), (&json!(201), &json!(404)));

    thread::scope(|scope| {
        let waits = scope
            .spawn(|| put(nodes[0], "main", "patient", &[("acks", "all"), ("ack_timeout", "2m")]));
        wait_made(nodes[0], "patient");
        assert!(!waits.is_finished(), "n3 hangs");
        nodes[2].resume().unwrap();
        let reply = waits.join().unwrap();
        assert_eq!((reply.status, reply.header("gridkv-acks")), (201, Some("2/2")));
        assert_eq!(nodes[2].client().get("main", "patient").unwrap().version(), reply.version());
    });
    all_have(nodes[1], "main", version);
}

#[test]
fn what_can_not_be_acknowledged_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path()).env("GRIDKV_PEERS__SUSPECT_AFTER", "1s");
    let cluster = ready(builder);
    let nodes = all(&cluster);
    settle(&nodes);
    nodes[2].kill().unwrap();
    wait_state(nodes[0], "n3", "suspect");
    for (acks, status) in [("2", 503), ("all", 503), ("9", 503), ("majority", 201), ("1", 204)] {
        let reply = put(nodes[0], "main", "k", &[("acks", acks)]);
        assert_eq!(reply.status, status, "{acks}: {}", reply.quoted());
        if status == 503 {
            assert_eq!(reply.code().as_deref(), Some("not_enough_peers"));
            assert_eq!(reply.json().unwrap()["down"], json!(["n3"]));
            assert_eq!(nodes[0].client().get("main", "k").unwrap().status, 404, "{acks}");
        }
    }
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    settle(&nodes);
    let reply = put(nodes[0], "main", "k", &[("acks", "all")]);
    assert_eq!((reply.status, reply.header("gridkv-acks")), (204, Some("2/2")));
}

#[test]
fn a_peer_that_ended_is_not_waited_for_although_it_was_heard_a_moment_ago() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(slow_to_suspect(dir.path()));
    let nodes = all(&cluster);
    settle(&nodes);
    nodes[2].stop(PATIENCE).unwrap();
    let refused = || {
        let reply = put(nodes[0], "main", "k", &[("acks", "all"), ("ack_timeout", "100ms")]);
        assert!(matches!(reply.status, 503 | 504), "{}", reply.quoted());
        reply.status == 503 && reply.json().unwrap()["down"] == json!(["n3"])
    };
    wait_until(Duration::from_secs(20), "the end of n3 to be noticed", refused).unwrap();
    let n3 = mesh::peer(nodes[0], "n3").unwrap();
    assert_eq!(n3["state"], "up", "it is its silence that makes it suspect, and that is short");
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    settle(&nodes);
    let reply = put(nodes[0], "main", "k", &[("acks", "all")]);
    assert_eq!(reply.header("gridkv-acks"), Some("2/2"), "{}", reply.quoted());
}

#[test]
fn a_node_that_stops_answers_who_waits_for_peers() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = one_hangs(dir.path());
    let nodes = all(&cluster);
    thread::scope(|scope| {
        let waits =
            scope.spawn(|| put(nodes[0], "main", "k", &[("acks", "2"), ("ack_timeout", "2m")]));
        wait_made(nodes[0], "k");
        nodes[0].terminate().unwrap();
        let reply = waits.join().unwrap();
        assert_eq!((reply.status, reply.code().as_deref()), (504, Some("ack_timeout")));
        assert_eq!(reply.json().unwrap()["acks"]["missing"], json!(["n3"]));
    });
    assert!(nodes[0].wait_exit(Duration::from_secs(30)).unwrap().success());
    nodes[2].resume().unwrap();
}

#[test]
fn a_client_that_goes_while_it_waits_for_peers_keeps_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = one_hangs(dir.path());
    let node = all(&cluster)[0];
    let in_flight = || {
        let reply = node.client().request("GET", "/metrics").send().unwrap();
        let text = reply.text().into_owned();
        let mut lines = text.lines();
        let shown = lines.find_map(|line| line.strip_prefix("gridkv_http_requests_in_flight "));
        shown.unwrap().parse::<u32>().unwrap()
    };
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, node.address().http)).unwrap();
    let put = "PUT /v1/kv/main/k?acks=2&ack_timeout=10m HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nv";
    client.write_all(put.as_bytes()).unwrap();
    wait_made(node, "k");
    wait_until(PATIENCE, "it to wait, beside the request that asks", || in_flight() == 2).unwrap();
    drop(client);
    wait_until(Duration::from_secs(20), "its end", || in_flight() == 1).unwrap();
    cluster.node(3).resume().unwrap();
}

//! A running mesh: what is written anywhere is everywhere, with one winner, while nodes die, hang and come back.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::thread;
use std::time::Duration;

use gridkv_cluster::{Node, Reply, wait_until};
use serde_json::{Value, json};

use mesh::{
    Model, NAMES, PATIENCE, STORES, agree, all, builder, puts, ready, same, wait_state, write,
    write_and_note,
};

#[test]
fn three_writers_of_the_same_keys_end_with_one_winner_each() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    for store in NAMES {
        thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(move || {
                    for round in 0..6 {
                        let value = format!("{}-{round}", node.name());
                        write(&node.client(), store, &puts("k", 150, &value));
                        let gone = mesh::deletes("k", 150, 7 + round);
                        write(&node.client(), store, &gone);
                    }
                    write(&node.client(), store, &puts("k", 150, node.name()));
                });
            }
        });
        let found = same(&nodes, store);
        assert_eq!(found.len(), 150, "each writer's last word was a put");
        for node in &nodes {
            assert_eq!(node.client().key_count(store).unwrap(), Some(150));
        }
    }
}

#[test]
fn bytes_and_types_of_a_value_are_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    let every_byte: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let values = [("empty", vec![]), ("zeros", vec![0; 7]), ("a/b//c?é \n", every_byte)];
    for (key, value) in &values {
        let client = nodes[0].client();
        let put = client.at_key("PUT", "main", key).header("Content-Type", "image/x-odd");
        let version = put.body(value).send().unwrap().expect_status(201).unwrap();
        let version = version.version().unwrap();
        for node in &nodes {
            wait_until(PATIENCE, "the value to arrive", || {
                node.client().get("main", key).unwrap().version() == Some(version)
            })
            .unwrap();
            let got = node.client().get("main", key).unwrap();
            assert!(got.body == *value, "{key} on {}", node.name());
            assert_eq!(got.header("content-type"), Some("image/x-odd"));
        }
    }
}

#[test]
fn what_expires_expires_on_all_nodes_alike() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    let put = |node: &Node, store: &str, key: &str, ttl: &str| {
        let request = node.client();
        let request = request.at_key("PUT", store, key).query("ttl", ttl).body(b"v");
        let reply = request.send().unwrap().expect_status(201).unwrap();
        reply.header("gridkv-expires-at").map(str::to_owned)
    };
    for store in NAMES {
        for (number, node) in nodes.iter().enumerate() {
            put(node, store, &format!("short{number}"), "2s").unwrap();
            let deadline = put(node, store, &format!("long{number}"), "1h").unwrap();
            assert_eq!(put(node, store, &format!("for-ever{number}"), "0"), None);
            for other in &nodes {
                wait_until(PATIENCE, "the deadline to be the same everywhere", || {
                    let got = other.client().get(store, &format!("long{number}")).unwrap();
                    got.header("gridkv-expires-at") == Some(&deadline)
                })
                .unwrap();
            }
        }
        for node in &nodes {
            wait_until(PATIENCE, "the short ones to be gone", || {
                let gone =
                    |n| node.client().get(store, &format!("short{n}")).unwrap().status == 404;
                (0..3).all(gone) && node.client().key_count(store).unwrap() == Some(6)
            })
            .unwrap();
        }
        assert_eq!(same(&nodes, store).len(), 6);
    }
}

#[test]
fn a_killed_peer_is_shown_suspect_then_down_then_up() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path())
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "1s")
        .env("GRIDKV_PEERS__DOWN_AFTER", "4s");
    let cluster = ready(builder);
    mesh::settle(&all(&cluster));
    cluster.node(2).kill().unwrap();
    for watcher in [1, 3] {
        wait_state(cluster.node(watcher), "n2", "suspect");
    }
    for watcher in [1, 3] {
        wait_state(cluster.node(watcher), "n2", "down");
    }
    assert_eq!(cluster.node(1).client().put("main", "k", b"v").unwrap().status, 201);
    cluster.node(2).start().unwrap();
    for watcher in [1, 3] {
        wait_state(cluster.node(watcher), "n2", "up");
    }
    cluster.node(2).wait_ready(PATIENCE).unwrap();
    assert_eq!(cluster.node(2).client().get("main", "k").unwrap().status, 200);
}

#[test]
fn a_node_that_hung_for_a_while_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path())
        .stores(STORES)
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "1s")
        .env("GRIDKV_PEERS__DOWN_AFTER", "3s")
        .env("GRIDKV_SYNC__BUFFER_SIZE", "64")
        .env("GRIDKV_SYNC__LOG_BYTES", "8192");
    let cluster = ready(builder);
    let nodes = all(&cluster);
    let mut models = [Model::new(), Model::new()];
    let stores = NAMES;
    for (store, model) in stores.iter().zip(&mut models) {
        write_and_note(&nodes[1].client(), store, model, &puts("k", 300, "before"));
        agree(&nodes, store, model);
    }
    nodes[1].pause().unwrap();
    for (store, model) in stores.iter().zip(&mut models) {
        write_and_note(&nodes[0].client(), store, model, &puts("k", 200, "while"));
        write_and_note(&nodes[2].client(), store, model, &mesh::deletes("k", 300, 3));
    }
    wait_state(nodes[0], "n2", "down");
    wait_state(nodes[2], "n2", "down");
    nodes[1].resume().unwrap();
    for (store, model) in stores.iter().zip(&models) {
        agree(&nodes, store, model);
    }
    nodes[1].must_run().unwrap();
    let patient = Duration::from_secs(10);
    nodes[1].wait_ready(patient).unwrap();
}

/// What a node says of a store's convergence with its peers.
fn convergence(node: &Node, store: &str) -> Reply {
    let path = format!("/v1/stores/{store}/convergence");
    node.client().request("GET", &path).send().unwrap()
}

/// Waits until each node says of each of its peers that a store is the same there.
fn wait_identical(nodes: &[&Node], store: &str) {
    let mut last = String::new();
    let waited = wait_until(PATIENCE, "all nodes to know that they hold the same", || {
        nodes.iter().all(|node| {
            let found = convergence(node, store).expect_status(200).unwrap().json().unwrap();
            last = found.to_string();
            let peers = found["peers"].as_array().unwrap();
            let same = |peer: &Value| {
                peer["identical_since"].is_string()
                    && peer["diverged_buckets"] == 0
                    && peer["behind_ops"] == 0
            };
            peers.len() == nodes.len() - 1 && peers.iter().all(same)
        })
    });
    assert!(waited.is_ok(), "{waited:?} in {store}: {last}\n{}", mesh::logs(nodes));
}

#[test]
fn nodes_know_that_they_hold_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    let compared = ["main", "sessions", "big", "scratch"];
    for store in compared {
        write(&nodes[0].client(), store, &puts("a", 2_000, "from n1"));
        write(&nodes[1].client(), store, &mesh::deletes("a", 2_000, 7));
        let short = nodes[2].client();
        let short = short.at_key("PUT", store, "short").query("ttl", "1s").body(b"v").send();
        short.unwrap().expect_status(201).unwrap();
    }
    for store in compared {
        wait_identical(&nodes, store);
    }
    // It reads what it has again, and then it knows.
    cluster.node(2).kill().unwrap();
    write(&nodes[0].client(), "main", &puts("while", 100, "v"));
    cluster.node(2).start().unwrap();
    cluster.node(2).wait_ready(PATIENCE).unwrap();
    for store in compared {
        wait_identical(&nodes, store);
    }
    let beside = nodes[0].client().request("GET", "/v1/stores/main/convergence/n2").send().unwrap();
    let mut beside = beside.expect_status(200).unwrap().json().unwrap();
    assert!(beside["identical_since"].take().is_string());
    let expected = json!({
        "store": "main", "name": "n2", "identical_since": null, "diverged_buckets": 0, "behind_ops": 0,
        "found_at": null, "differing": [], "more": 0,
    });
    assert_eq!(beside, expected, "no repair has run");
    let cache = convergence(nodes[0], "hot").json().unwrap();
    assert_eq!((&cache["status"], &cache["code"]), (&json!(501), &json!("not_supported")));
}

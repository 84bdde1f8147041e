//! Full syncs on an operator's word, out of real processes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use gridkv_cluster::{Node, Reply, wait_for};
use serde_json::{Value, json};

use mesh::{Model, PATIENCE, agree, all, builder, logs, puts, ready, settle, write_and_note};

fn full_sync(node: &Node, peer: &str, query: &str) -> Reply {
    let path = format!("/v1/cluster/peers/{peer}/full-sync?{query}");
    node.client().request("POST", &path).send().unwrap()
}

/// Waits until an operation has ended, and returns it.
fn ended(node: &Node, location: &str) -> Value {
    let found = wait_for(PATIENCE, "the operation to end", || {
        let reply = node.client().request("GET", location).send().unwrap();
        let operation = reply.expect_status(200).unwrap().json().unwrap();
        (operation["state"] != "running").then_some(operation)
    });
    found.unwrap_or_else(|error| panic!("{error}\n{}", node.log_tail(30)))
}

#[test]
fn a_store_is_merged_with_or_rebuilt_from_a_peer() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(["main=file", "big=fjall", "hot=moka"]));
    let nodes = all(&cluster);
    for store in ["main", "big"] {
        let mut model = Model::new();
        for node in &nodes {
            let changes = puts(&format!("{}/", node.name()), 300, "v");
            write_and_note(&node.client(), store, &mut model, &changes);
        }
        agree(&nodes, store, &model);
        for mode in ["merge", "rebuild"] {
            let begun = full_sync(nodes[0], "n2", &format!("store={store}&mode={mode}"));
            assert_eq!(begun.status, 202, "{}", begun.quoted());
            let said = begun.json().unwrap();
            assert_eq!((&said["mode"], &said["peer"]), (&json!(mode), &json!("n2")));
            let operation = ended(nodes[0], begun.header("location").unwrap());
            assert_eq!(operation["state"], "done", "{operation}\n{}", logs(&nodes));
            assert_eq!(operation["error"], Value::Null);
            assert!(operation["done"].as_u64().unwrap() >= 900, "{operation}");
            assert_eq!(operation["done"], operation["total"]);
            nodes[0].wait_ready(PATIENCE).unwrap();
            let more = puts(&format!("after/{mode}/"), 50, "v");
            write_and_note(&nodes[0].client(), store, &mut model, &more);
            agree(&nodes, store, &model);
        }
    }
    let known = nodes[0].client().request("GET", "/v1/operations").send().unwrap();
    assert_eq!(known.json().unwrap()["operations"].as_array().unwrap().len(), 4);
}

#[test]
fn what_can_not_be_synced_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(["main=file", "hot=moka"]));
    let nodes = all(&cluster);
    settle(&nodes);
    for (peer, query, status, code) in [
        ("n9", "store=main", 404, "peer_not_found"),
        ("n1", "store=main", 404, "peer_not_found"),
        ("n2", "store=none", 404, "store_not_found"),
        ("n2", "", 400, "invalid_parameter"),
        ("n2", "store=main&mode=clear", 400, "invalid_parameter"),
        ("n2", "store=hot", 501, "not_supported"),
    ] {
        let refused = full_sync(nodes[0], peer, query);
        assert_eq!((refused.status, refused.code().as_deref()), (status, Some(code)), "{query}");
    }
    nodes[1].kill().unwrap();
    let refused = wait_for(PATIENCE, "the link to be gone", || {
        Some(full_sync(nodes[0], "n2", "store=main")).filter(|reply| reply.status != 202)
    });
    assert_eq!(refused.unwrap().code().as_deref(), Some("peer_unreachable"));
    let none = nodes[0].client().request("GET", "/v1/operations/99").send().unwrap();
    assert_eq!((none.status, none.code().as_deref()), (404, Some("operation_not_found")));
}

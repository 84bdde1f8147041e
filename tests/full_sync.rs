//! Full syncs on an operator's word, out of real processes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use gridkv_cluster::{Node, Reply, wait_for, wait_until};
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
    // One that begins before the end of the link is noticed stands in the way of the next for a moment.
    wait_until(PATIENCE, "the peer to be unreachable, the link being gone", || {
        full_sync(nodes[0], "n2", "store=main").code().as_deref() == Some("peer_unreachable")
    })
    .unwrap();
    let none = nodes[0].client().request("GET", "/v1/operations/99").send().unwrap();
    assert_eq!((none.status, none.code().as_deref()), (404, Some("operation_not_found")));
}

#[test]
fn two_nodes_that_are_rebuilt_from_each_other_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2));
    let nodes = all(&cluster);
    let mut model = Model::new();
    write_and_note(&nodes[0].client(), "main", &mut model, &puts("k/", 200, "v"));
    agree(&nodes, "main", &model);
    for _ in 0..3 {
        let begun: Vec<Reply> = std::thread::scope(|scope| {
            let ask = |(node, peer)| {
                scope.spawn(move || full_sync(node, peer, "store=main&mode=rebuild"))
            };
            let asked = [(nodes[0], "n2"), (nodes[1], "n1")].map(ask);
            asked.map(|thread| thread.join().unwrap()).into()
        });
        for (node, begun) in nodes.iter().zip(begun).filter(|(_, begun)| begun.status == 202) {
            let operation = ended(node, begun.header("location").unwrap());
            assert_eq!(operation["waits_for"], json!([]), "{operation}");
        }
        for node in &nodes {
            node.wait_ready(PATIENCE).unwrap();
        }
        agree(&nodes, "main", &model);
    }
}

#[test]
fn a_rebuild_says_what_it_waits_for_and_ends_when_that_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let patient = builder(dir.path()).nodes(2).env("GRIDKV_PEERS__DOWN_AFTER", "60s");
    let cluster = ready(patient);
    let nodes = all(&cluster);
    let begun = wait_for(PATIENCE, "the link of n1 to n2", || {
        Some(full_sync(nodes[0], "n2", "store=main")).filter(|reply| reply.status == 202)
    });
    ended(nodes[0], begun.unwrap().header("location").unwrap());
    nodes[1].pause().unwrap();
    let put = nodes[0].client().put("main", "only-here", b"v").unwrap();
    assert_eq!(put.status, 201, "{}", put.quoted());
    let begun = full_sync(nodes[0], "n2", "store=main&mode=rebuild");
    assert_eq!(begun.status, 202, "{}", begun.quoted());
    let location = begun.header("location").unwrap();
    wait_until(PATIENCE, "it to say what it waits for", || {
        let operation = nodes[0].client().request("GET", location).send().unwrap().json().unwrap();
        assert_eq!(operation["state"], "running", "{operation}");
        operation["waits_for"].as_array().unwrap().iter().any(|it| it.to_string().contains("n2 "))
    })
    .unwrap();
    let said = nodes[0].client().readyz().unwrap();
    assert_eq!(said.status, 503);
    let waits = "waits to be emptied and filled from n2, see operation ";
    assert!(said.text().contains(waits), "{}", said.quoted());

    let forgotten = nodes[0].client().request("DELETE", "/v1/cluster/peers/n2").send().unwrap();
    assert_eq!(forgotten.status, 204, "{}", forgotten.quoted());
    let operation = ended(nodes[0], location);
    assert_eq!((&operation["state"], &operation["waits_for"]), (&json!("failed"), &json!([])));
    let why = operation["error"].as_str().unwrap();
    assert!(why.contains("n2 was forgotten before the store was emptied"), "{why}");
    nodes[0].wait_ready(PATIENCE).unwrap();
    assert_eq!(nodes[0].client().keys("main", "").unwrap(), ["only-here"]);
}

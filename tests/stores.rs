//! Stores that are made and dropped while nodes run: what peers give them, what peers keep, what a restart finds.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::fs;
use std::path::Path;

use gridkv_cluster::{Client, Cluster, Node, Reply, wait_until};
use serde_json::json;

use mesh::{
    Model, PATIENCE, agree, all, builder, deletes, no_panic, peer, puts, ready, settle,
    write_and_note,
};

fn send(node: &Node, method: &str, path: &str, body: &str) -> Reply {
    let client = Client::with_timeout(&node.base_url(), PATIENCE);
    let request = client.request(method, path);
    if body.is_empty() { request.send() } else { request.body(body.as_bytes()).send() }.unwrap()
}

/// A cluster whose nodes have one store, and have found each other.
fn settled(directory: &Path, nodes: u16) -> Cluster {
    let cluster = ready(builder(directory).nodes(nodes).stores(["main=memory"]));
    settle(&all(&cluster));
    cluster
}

fn make(node: &Node, store: &str, backend: &str) {
    let body = json!({ "backend": backend }).to_string();
    let reply = send(node, "PUT", &format!("/v1/stores/{store}"), &body);
    assert_eq!(reply.status, 201, "{}", reply.quoted());
}

fn drop_store(node: &Node, store: &str) -> Reply {
    send(node, "DELETE", &format!("/v1/stores/{store}?confirm={store}"), "")
}

fn stores(node: &Node) -> Vec<String> {
    let all = node.client().store_stats().unwrap();
    all.into_iter().map(|stats| stats.name).collect()
}

/// Whether a node says of all others that they hold the same as it does.
fn identical(node: &Node, store: &str) -> bool {
    let said = send(node, "GET", &format!("/v1/stores/{store}/convergence"), "").json().unwrap();
    let peers = said["peers"].as_array().unwrap().clone();
    !peers.is_empty() && peers.iter().all(|peer| !peer["identical_since"].is_null())
}

fn has_files(node: &Node, store: &str) -> bool {
    node.data_dir().join("stores").join(store).try_exists().unwrap()
}

fn wait_identical(nodes: &[&Node], store: &str) {
    wait_until(PATIENCE, format!("{store} to be identical on all nodes"), || {
        nodes.iter().all(|node| identical(node, store))
    })
    .unwrap();
}

#[test]
fn nodes_that_make_a_store_get_what_others_have_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = settled(dir.path(), 3);
    let nodes = all(&cluster);
    let mut model = Model::new();
    make(nodes[0], "new", "file");
    write_and_note(&nodes[0].client(), "new", &mut model, &puts("k", 1_000, "v"));
    write_and_note(&nodes[0].client(), "new", &mut model, &deletes("k", 1_000, 2));
    make(nodes[1], "new", "fjall");
    agree(&nodes[..2], "new", &model);
    // Written while the third makes it, and at once on the third too.
    make(nodes[2], "new", "memory");
    for (node, prefix) in nodes.iter().zip(["x", "y", "z"]) {
        write_and_note(&node.client(), "new", &mut model, &puts(prefix, 200, "v"));
    }
    agree(&nodes, "new", &model);
    wait_identical(&nodes, "new");
    let acked = send(nodes[2], "PUT", "/v1/kv/new/acked?acks=all", "v");
    assert_eq!(acked.status, 201, "{}", acked.quoted());
    no_panic(&nodes);
}

#[test]
fn what_was_made_is_there_after_a_restart_and_what_was_dropped_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(1).stores(["main=file"]));
    let node = &cluster.nodes()[0];
    for (store, backend) in [("a", "file"), ("b", "fjall"), ("c", "file")] {
        make(node, store, backend);
        assert_eq!(node.client().put(store, "k", b"v").unwrap().status, 201);
    }
    let said = send(node, "PUT", "/v1/stores/d", r#"{"backend":"file","persist_interval":"soon"}"#);
    assert_eq!(said.code().as_deref(), Some("invalid_definition"));
    assert!(
        said.text().contains("configuration: stores.d.persist_interval = "),
        "{}",
        said.quoted()
    );
    let said = send(node, "PUT", "/v1/stores/d", r#"{"backend":"file","sync":{"bufer_size":9}}"#);
    assert!(said.text().contains("stores.d.sync.buffer_size"), "{}", said.quoted());
    let large = r#"{"backend":"memory","max_memory_mb":7,"sync":{"buffer_size":64}}"#;
    assert_eq!(send(node, "PUT", "/v1/stores/e", large).status, 201);
    assert_eq!(drop_store(node, "c").status, 204);
    assert!(!has_files(node, "c"));
    node.kill().unwrap();
    node.start().unwrap();
    node.wait_ready(PATIENCE).unwrap();
    assert_eq!(stores(node), ["a", "b", "e", "main"]);
    for store in ["a", "b"] {
        assert_eq!(node.client().get(store, "k").unwrap().body, b"v");
    }
    let stats = send(node, "GET", "/v1/stores/e/stats", "").json().unwrap();
    assert_eq!(
        (&stats["memory_limit_bytes"], &stats["sync_buffer_capacity"]),
        (&json!(7 << 20), &json!(64))
    );
    make(node, "c", "fjall");
    assert_eq!(node.client().get("c", "k").unwrap().status, 404, "another one of the same name");
    for store in ["a", "b", "c", "e"] {
        assert_eq!(drop_store(node, store).status, 204, "{store}");
    }
    assert_eq!(drop_store(node, "main").code().as_deref(), Some("store_configured"));
    node.restart(PATIENCE).unwrap();
    node.wait_ready(PATIENCE).unwrap();
    assert_eq!(stores(node), ["main"]);
    no_panic(&[node]);
}

#[test]
fn a_node_that_drops_a_store_leaves_it_to_its_peers_and_may_make_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = settled(dir.path(), 3);
    let nodes = all(&cluster);
    let mut model = Model::new();
    for node in &nodes {
        make(node, "new", "file");
    }
    for round in 0..3 {
        for (n, node) in nodes.iter().enumerate() {
            let keys = puts(&format!("r{round}n{n}"), 100, "v");
            write_and_note(&node.client(), "new", &mut model, &keys);
        }
        let dropped = drop_store(nodes[2], "new");
        assert_eq!(dropped.status, 204, "{}", dropped.quoted());
        assert_eq!(
            nodes[2].client().get("new", "k").unwrap().code().as_deref(),
            Some("store_not_found")
        );
        agree(&nodes[..2], "new", &model);
        wait_until(PATIENCE, "its peers to know", || {
            let seen = peer(nodes[0], "n3").unwrap();
            seen["stores"].get("new").is_none()
        })
        .unwrap();
        let gone = deletes(&format!("r{round}n2"), 100, 2);
        write_and_note(&nodes[0].client(), "new", &mut model, &gone);
        make(nodes[2], "new", if round == 1 { "memory" } else { "file" });
        agree(&nodes, "new", &model);
        wait_identical(&nodes, "new");
    }
    assert_eq!(nodes[2].client().put("main", "k", b"v").unwrap().status, 201);
    no_panic(&nodes);
}

#[test]
fn who_let_go_of_a_store_does_not_keep_others_from_purging_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = settled(dir.path(), 3);
    let nodes = all(&cluster);
    let mut model = Model::new();
    for node in &nodes {
        make(node, "new", "memory");
    }
    write_and_note(&nodes[2].client(), "new", &mut model, &puts("k", 100, "v"));
    agree(&nodes, "new", &model);
    assert_eq!(drop_store(nodes[2], "new").status, 204);
    write_and_note(&nodes[0].client(), "new", &mut model, &deletes("k", 100, 1));
    wait_until(PATIENCE, "tombstones to go", || {
        nodes[..2].iter().all(|node| {
            let stats = send(node, "GET", "/v1/stores/new/stats", "").json().unwrap();
            stats["tombstones"] == 0 && stats["key_count"] == 0
        })
    })
    .unwrap();
    make(nodes[2], "new", "memory");
    agree(&nodes, "new", &model);
    wait_identical(&nodes, "new");
    no_panic(&nodes);
}

#[test]
fn a_cache_on_one_node_is_a_cache_on_all() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = settled(dir.path(), 2);
    let nodes = all(&cluster);
    make(nodes[0], "new", "moka");
    let known = || {
        let seen = peer(nodes[1], "n1").unwrap();
        let refused = send(nodes[1], "PUT", "/v1/stores/new", r#"{"backend":"memory"}"#);
        if refused.status == 201 {
            drop_store(nodes[1], "new"); // it had not heard yet
            return false;
        }
        assert_eq!(refused.code().as_deref(), Some("cache_mismatch"), "{seen}");
        true
    };
    wait_until(PATIENCE, "the other to know that it is a cache", known).unwrap();
    make(nodes[1], "new", "moka");
    settle(&nodes);
    no_panic(&nodes);
}

#[test]
fn a_store_is_not_dropped_while_a_peer_that_is_up_lacks_what_was_written_here() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(
        builder(dir.path())
            .nodes(2)
            .stores(["main=memory"])
            .env("GRIDKV_PEERS__SUSPECT_AFTER", "20s")
            .env("GRIDKV_PEERS__DOWN_AFTER", "40s"),
    );
    let nodes = all(&cluster);
    settle(&nodes);
    let mut model = Model::new();
    for node in &nodes {
        make(node, "new", "memory");
    }
    agree(&nodes, "new", &model);
    let known = || mesh::peer(nodes[0], "n2").is_some_and(|n2| n2["stores"]["new"].is_object());
    wait_until(PATIENCE, "n1 to know that n2 holds the store", known).unwrap();
    nodes[1].pause().unwrap();
    write_and_note(&nodes[0].client(), "new", &mut model, &puts("k", 10, "v"));
    let refused = drop_store(nodes[0], "new");
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("peers_behind")));
    assert_eq!(refused.json().unwrap()["peers"], json!(["n2"]));
    assert_eq!(
        nodes[0].client().get("new", "k000000").unwrap().status,
        200,
        "it goes on as it was"
    );
    nodes[1].resume().unwrap();
    agree(&nodes, "new", &model);
    assert_eq!(drop_store(nodes[0], "new").status, 204);
    agree(&nodes[1..], "new", &model);
    no_panic(&nodes);
}

#[test]
fn a_store_is_not_dropped_while_the_only_other_node_that_holds_it_is_down_and_may_lack_some_of_it()
{
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path()).stores(["main=memory"]);
    let cluster = ready(
        builder.env("GRIDKV_PEERS__SUSPECT_AFTER", "1s").env("GRIDKV_PEERS__DOWN_AFTER", "2s"),
    );
    let nodes = all(&cluster);
    settle(&nodes);
    let mut model = Model::new();
    for node in &nodes[..2] {
        make(node, "new", "file");
    }
    write_and_note(&nodes[0].client(), "new", &mut model, &puts("before", 10, "v"));
    agree(&nodes[..2], "new", &model);
    nodes[1].kill().unwrap();
    mesh::wait_state(nodes[0], "n2", "down");
    write_and_note(&nodes[0].client(), "new", &mut model, &puts("while", 10, "v"));
    let refused = drop_store(nodes[0], "new");
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("peers_behind")));
    assert_eq!(refused.json().unwrap()["peers"], json!(["n2"]));
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    agree(&nodes[..2], "new", &model);
    assert_eq!(drop_store(nodes[0], "new").status, 204);
    agree(&nodes[1..2], "new", &model);
    // The last copy goes when that is asked for.
    assert_eq!(drop_store(nodes[1], "new").status, 204);
    no_panic(&nodes);
}

#[test]
fn a_store_moves_from_one_node_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = settled(dir.path(), 2);
    let nodes = all(&cluster);
    make(nodes[0], "new", "memory");
    let mut model = Model::new();
    write_and_note(&nodes[0].client(), "new", &mut model, &puts("k", 100, "v"));
    for (from, to) in [(0, 1), (1, 0), (0, 1), (1, 0)] {
        make(nodes[to], "new", "memory");
        // At once: that the other one made it may still be on its way.
        let dropped = drop_store(nodes[from], "new");
        assert_eq!(dropped.status, 204, "{}", dropped.quoted());
        agree(&[nodes[to]], "new", &model);
    }
    no_panic(&nodes);
}

#[test]
fn what_is_left_of_a_dropped_store_goes_at_the_next_start_and_a_damaged_list_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(1).stores(["main=file"]));
    let node = &cluster.nodes()[0];
    make(node, "a", "file");
    assert_eq!(node.client().put("a", "k", b"v").unwrap().status, 201);
    assert!(node.stop(PATIENCE).unwrap().success());
    let list = node.data_dir().join("made-stores.toml");
    let kept = fs::read_to_string(&list).unwrap();
    fs::write(&list, "leaving = [\"a\"]\n").unwrap();
    node.start().unwrap();
    node.wait_ready(PATIENCE).unwrap();
    assert!(!has_files(node, "a"));
    assert_eq!(fs::read_to_string(&list).unwrap().matches("\"a\"").count(), 0);
    assert!(node.stop(PATIENCE).unwrap().success());
    for (text, why) in [
        ("stores = 7\n", "damaged"),
        ("[stores.A]\nbackend = \"file\"\n", "damaged"),
        ("[stores.a]\nbackend = \"files\"\n", "made-stores.toml"),
    ] {
        fs::write(&list, text).unwrap();
        node.start().unwrap();
        assert!(!node.wait_exit(PATIENCE).unwrap().success());
        assert!(node.log_tail(12).contains(why), "{}", node.log_tail(12));
        assert_eq!(fs::read_to_string(&list).unwrap(), text, "nothing was changed");
    }
    fs::write(&list, kept).unwrap();
    node.start().unwrap();
    node.wait_ready(PATIENCE).unwrap();
    assert_eq!(stores(node), ["a", "main"]);
}

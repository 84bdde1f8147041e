//! Members that come and go while all run: who is added by its address, and who is forgotten.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use gridkv_cluster::{Address, Node, Reply, wait_until};
use serde_json::{Value, json};

use mesh::{
    Model, PATIENCE, agree, all, builder, logs, mesh as mesh_of, peer, puts, ready, settle,
    wait_state, write_and_note,
};

const PEERS: &str = "/v1/cluster/peers";

fn forget(node: &Node, name: &str) -> Reply {
    node.client().request("DELETE", &format!("{PEERS}/{name}")).send().unwrap()
}

fn add(node: &Node, addr: &str) -> Reply {
    let body = json!({ "addr": addr }).to_string();
    node.client().request("POST", PEERS).body(body.as_bytes()).send().unwrap()
}

fn addr(node: &Node) -> String {
    format!("127.0.0.1:{}", node.address().peers)
}

fn names(node: &Node) -> Vec<String> {
    let mesh = mesh_of(&node.client());
    let name = |peer: &Value| peer["name"].as_str().unwrap().to_owned();
    mesh["peers"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_forgotten_node_comes_back_only_empty() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()));
    let nodes = all(&cluster);
    let mut model = Model::new();
    write_and_note(&nodes[2].client(), "main", &mut model, &puts("k", 200, "v"));
    agree(&nodes, "main", &model);
    let id = peer(nodes[0], "n3").unwrap()["id"].as_str().unwrap().to_owned();
    nodes[2].kill().unwrap();
    let reply = forget(nodes[0], "n3");
    assert_eq!(reply.status, 204, "{}", reply.quoted());
    for node in &nodes[..2] {
        assert!(!names(node).contains(&"n3".to_owned()), "{} has stored it", node.name());
    }
    let again = forget(nodes[1], "n3");
    assert_eq!((again.status, again.code().as_deref()), (404, Some("peer_not_found")));
    assert_eq!(forget(nodes[1], &id).status, 204, "its identity is forgotten already");
    // Who asks for everyone is not held up by who is gone.
    let put = nodes[0].client();
    let put = put.at_key("PUT", "main", "after").query("acks", "all").body(b"v").send().unwrap();
    assert_eq!((put.status, put.header("gridkv-acks")), (201, Some("1/1")));
    model.insert("after".to_owned(), "v".to_owned());

    nodes[2].start().unwrap();
    // It dials the others, which refuse it, or one of them finds it first, and tells it to end.
    wait_until(PATIENCE, "the forgotten node to be told", || {
        nodes[2].log_tail(20).contains("was forgotten")
    })
    .unwrap();
    assert!(!nodes[2].is_ready().unwrap_or(false));
    drop((nodes[2].kill(), nodes[2].ended())); // it may have ended by itself
    nodes[0].restart(PATIENCE).unwrap();
    nodes[0].wait_ready(PATIENCE).unwrap();
    assert_eq!(names(nodes[0]), ["n2"], "it is remembered");
    fs::remove_dir_all(nodes[2].data_dir()).unwrap();
    nodes[2].start().unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    assert_ne!(peer(nodes[0], "n3").unwrap()["id"], id.as_str());
    agree(&nodes, "main", &model);
}

#[test]
fn a_forgotten_node_that_is_up_hands_over_what_it_wrote_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()));
    let nodes = all(&cluster);
    settle(&nodes);
    let acknowledged = thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let client = nodes[2].client();
            let mut acknowledged = Model::new();
            for n in 0.. {
                let key = format!("k{n}");
                match client.put("main", &key, b"v") {
                    Ok(reply) if reply.status == 201 => acknowledged.insert(key, "v".to_owned()),
                    Ok(_) | Err(_) => break,
                };
            }
            acknowledged
        });
        wait_until(PATIENCE, "some writes", || {
            nodes[2].client().key_count("main").unwrap() > Some(50)
        })
        .unwrap();
        let reply = forget(nodes[0], "n3");
        assert_eq!(reply.status, 204, "{}", reply.quoted());
        writes.join().unwrap()
    });
    let ended = nodes[2].wait_exit(PATIENCE).unwrap();
    assert!(!ended.success());
    assert!(nodes[2].log_tail(20).contains("was forgotten by its cluster"), "{}", logs(&nodes));
    let left = &nodes[..2];
    wait_until(PATIENCE, "what was acknowledged to be on the others", || {
        let has = |node: &&Node| node.client().keys("main", "").unwrap();
        left.iter().map(has).all(|keys| acknowledged.keys().all(|key| keys.contains(key)))
    })
    .unwrap();
    settle(left);
    // It wrote down that it was forgotten: started again, it says so before it has a port.
    let Address { http, peers } = nodes[2].address();
    let taken = [http, peers].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    nodes[2].start().unwrap();
    assert!(!nodes[2].wait_exit(PATIENCE).unwrap().success());
    let said = "gridkv: can not start: this identity was forgotten by its cluster; move";
    assert!(nodes[2].log_tail(1).contains(said), "{}", logs(&nodes));
    drop(taken);
}

#[test]
fn a_forgotten_node_is_told_of_when_somebody_can_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path()).env("GRIDKV_PEERS__SUSPECT_AFTER", "1s");
    let cluster = ready(builder);
    let nodes = all(&cluster);
    settle(&nodes);
    nodes[1].kill().unwrap();
    nodes[2].kill().unwrap();
    wait_state(nodes[0], "n2", "suspect");
    let reply = forget(nodes[0], "n3");
    assert_eq!(reply.status, 202, "{}", reply.quoted());
    let said = reply.json().unwrap();
    assert_eq!((&said["forgotten"], &said["not_reached"]), (&json!("n3"), &json!(["n2"])));
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    wait_until(PATIENCE, "n2 to hear of it", || names(nodes[1]) == ["n1"]).unwrap();
    assert_eq!(forget(nodes[0], "n2").status, 204, "the last one is told to nobody");
    assert_eq!(names(nodes[0]), Vec::<String>::new());
    assert!(!nodes[1].wait_exit(PATIENCE).unwrap().success(), "it was up");
}

#[test]
fn a_node_is_added_by_its_address() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = ready(builder(here.path()).nodes(1));
    let first = first.node(1);
    let mut model = Model::new();
    write_and_note(&first.client(), "main", &mut model, &puts("a", 100, "v"));
    // It has a seed that is not there, and waits for it.
    let other = builder(there.path()).nodes(2).build().unwrap();
    let second = other.node(2);
    second.start().unwrap();
    wait_until(PATIENCE, "it to wait", || {
        second.client().readyz().is_ok_and(|ready| ready.text().contains("is silent"))
    })
    .unwrap();
    let refused = add(first, &addr(second));
    assert_eq!((refused.status, refused.code().as_deref()), (409, Some("peer_not_joined")));
    let added = add(second, &addr(first));
    assert_eq!(added.status, 201, "{}", added.quoted());
    assert_eq!(added.header("location"), Some("/v1/cluster/peers/n1"));
    assert_eq!(added.json().unwrap()["name"], "n1");
    second.wait_ready(PATIENCE).unwrap();
    agree(&[first, second], "main", &model);
    let known = add(first, &addr(second));
    assert_eq!((known.status, &known.json().unwrap()["name"]), (200, &json!("n2")));
    let own = add(first, &addr(first));
    assert_eq!((own.status, own.code().as_deref()), (409, Some("peer_is_self")));
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = add(first, &mute.local_addr().unwrap().to_string());
    assert_eq!((silent.status, silent.code().as_deref()), (504, Some("peer_unreachable")));
}

#[test]
fn a_member_with_other_stores_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path())
        .nodes(2)
        .node_args(1, ["--store", "main=file", "--store", "big=memory"])
        .node_args(2, ["--store", "main=memory", "--store", "extra=memory"]);
    let cluster = ready(builder);
    let nodes = all(&cluster);
    settle(&nodes);
    let seen = peer(nodes[0], "n2").unwrap();
    assert_eq!(seen["missing_stores"], json!(["big"]));
    assert_eq!(seen["other_backends"], json!({"main": "memory"}));
    let put = |store: &str, acks: &str| {
        let client = nodes[0].client();
        client.at_key("PUT", store, "k").query("acks", acks).body(b"v").send().unwrap()
    };
    assert_eq!(put("main", "all").header("gridkv-acks"), Some("1/1"));
    let refused = put("big", "majority");
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("not_enough_peers")));
    assert_eq!(refused.json().unwrap()["without_store"], json!(["n2"]));
}

/// Waits until all is well again between a node and a peer.
fn reaches(node: &Node, name: &str) {
    wait_state(node, name, "up");
    let what = format!("{} to reach {name}", node.name());
    wait_until(PATIENCE, what, || peer(node, name).unwrap()["trouble"].is_null()).unwrap();
}

/// Waits until a node says why it does not reach a peer, in each of these words in turn; returns the last.
fn troubles(node: &Node, name: &str, words: &[&str]) -> Value {
    let mut seen = Vec::new();
    for word in words {
        let what = format!("{name} to be {word} in the eyes of {}", node.name());
        let waited = wait_until(PATIENCE, what, || {
            let now = peer(node, name).unwrap();
            if seen.last() != Some(&now["trouble"]) {
                seen.push(now["trouble"].clone());
            }
            now["trouble"]["reason"] == *word
        });
        assert!(waited.is_ok(), "{waited:?}: {seen:?}\n{}", node.log_tail(15));
    }
    seen.pop().unwrap()
}

#[test]
fn a_peer_that_hangs_is_told_from_one_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let quick = builder(dir.path())
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "1s")
        .env("GRIDKV_PEERS__DOWN_AFTER", "5s");
    let cluster = ready(quick);
    let nodes = all(&cluster);
    reaches(nodes[0], "n2");
    let is_ready = || peer(nodes[0], "n2").unwrap()["ready"] == true;
    wait_until(PATIENCE, "n2 to say that it is ready", is_ready).unwrap();

    // What all have went over the link, which is open at first; then it is dialled again, and takes the connection.
    let put = nodes[0].client();
    let put = put.at_key("PUT", "main", "k").query("acks", "all").body(b"v").send().unwrap();
    assert_eq!(put.status, 201, "{}", put.quoted());
    nodes[1].pause().unwrap();
    let hung = troubles(nodes[0], "n2", &["silent", "hung"]);
    assert!(hung["detail"].as_str().unwrap().contains("the process hangs"), "{hung}");
    assert_eq!(peer(nodes[0], "n2").unwrap()["state"], "down");
    reaches(nodes[0], "n3");
    nodes[1].resume().unwrap();
    reaches(nodes[0], "n2");

    nodes[1].kill().unwrap();
    let gone = troubles(nodes[0], "n2", &["connection_refused"]);
    assert!(gone["detail"].as_str().unwrap().ends_with("start it"), "{gone}");
    wait_state(nodes[0], "n2", "down");
    let later = peer(nodes[0], "n2").unwrap()["trouble"].clone();
    assert_eq!(later["since"], gone["since"], "it is as old as its first time");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    let peers = command.args(["peers", "--url", &nodes[0].base_url()]).output().unwrap();
    let (table, told) =
        (String::from_utf8_lossy(&peers.stdout), String::from_utf8_lossy(&peers.stderr));
    assert!(table.lines().any(|row| row.starts_with("n2") && row.ends_with("connection_refused")));
    assert!(told.contains("n2: its address refuses connections"), "{told}");
    nodes[1].start().unwrap();
    reaches(nodes[0], "n2");
}

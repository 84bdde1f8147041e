//! How clusters form, out of real processes: who joins, who waits, who is refused, and who replaces whom.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use gridkv_cluster::{Cluster, Node, free_port, wait_until};
use gridkv_protocol::frame::{Format, HEADER_BYTES};
use serde_json::Value;

use mesh::{
    Model, PATIENCE, agree, all, builder, mesh as mesh_of, peer, puts, ready, settle,
    write_and_note,
};

/// All nodes, for the functions that look at several.
/// Waits until `/readyz` says no, and says all of these.
fn wait_not_ready(node: &Node, saying: &[&str]) {
    let mut last = String::new();
    let waited = wait_until(PATIENCE, format!("/readyz to say {saying:?}"), || {
        let Ok(reply) = node.client().readyz() else { return false };
        last = reply.text().into_owned();
        assert_eq!(reply.status, 503, "it became ready: {last}");
        saying.iter().all(|words| last.contains(words))
    });
    assert!(waited.is_ok(), "{waited:?}: {last}\n{}", node.log_tail(20));
}

fn takes_no_writes(node: &Node) {
    let reply = node.client().put("main", "k", b"v").unwrap();
    assert_eq!((reply.status, reply.code().as_deref()), (503, Some("not_ready")));
}

#[test]
fn three_fresh_nodes_started_at_once_form_one_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()));
    settle(&all(&cluster));
    let identities = |node: &Node| -> BTreeSet<String> {
        let mesh = mesh_of(&node.client());
        assert_eq!(mesh["self"]["joined"], true);
        assert_eq!(mesh["self"]["name"], node.name());
        let peers = mesh["peers"].as_array().unwrap().iter().chain([&mesh["self"]]);
        peers.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = identities(cluster.node(1));
    assert_eq!(first.len(), 3);
    assert!(cluster.nodes().iter().all(|node| identities(node) == first));
    let mut model = Model::new();
    for (number, node) in cluster.nodes().iter().enumerate() {
        let changes = puts(&format!("from{number}/"), 10, "v");
        write_and_note(&node.client(), "main", &mut model, &changes);
    }
    agree(&all(&cluster), "main", &model);
}

#[test]
fn a_fresh_node_with_silent_seeds_waits_and_says_for_whom() {
    let dir = tempfile::tempdir().unwrap();
    // One address where nobody listens, one where somebody takes the call and says nothing.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mute = (mute.local_addr().unwrap().to_string(), mute);
    let gone = format!("127.0.0.1:{}", free_port().unwrap());
    let lonely = || builder(dir.path()).nodes(1).args(["--join", &gone, "--join", &mute.0]);
    let cluster = lonely().start().unwrap();
    let node = cluster.node(1);
    wait_not_ready(node, &[&gone, &mute.0, "refused", "--bootstrap"]);
    takes_no_writes(node);
    wait_not_ready(node, &["no answer within the time of a handshake", "--bootstrap"]);
    takes_no_writes(node);
    assert_eq!(node.client().get("main", "k").unwrap().status, 404, "reads are served");
    node.stop(PATIENCE).unwrap();
    let forced = ready(lonely().args(["--bootstrap"]));
    assert_eq!(forced.node(1).client().put("main", "k", b"v").unwrap().status, 201);
}

#[test]
fn a_node_of_another_cluster_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = builder(dir.path())
        .nodes(2)
        .node_args(1, ["--bootstrap"])
        .node_args(2, ["--cluster", "other"])
        .start()
        .unwrap();
    cluster.node(1).wait_ready(PATIENCE).unwrap();
    wait_not_ready(cluster.node(2), &["this is cluster", "gridkv", "other"]);
    takes_no_writes(cluster.node(2));
    assert_eq!(mesh_of(&cluster.node(1).client())["peers"], Value::Array(vec![]));
}

#[test]
fn an_empty_directory_under_an_old_name_replaces_the_old_identity() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).env("GRIDKV_PEERS__DOWN_AFTER", "3s"));
    let nodes = all(&cluster);
    let mut model = Model::new();
    write_and_note(&nodes[1].client(), "main", &mut model, &puts("k", 200, "v"));
    agree(&nodes, "main", &model);
    let identity = |node: &Node| peer(node, "n2").map(|peer| peer["id"].clone());
    let old = identity(nodes[0]).unwrap();
    nodes[1].kill().unwrap();
    fs::remove_dir_all(nodes[1].data_dir()).unwrap();
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    for node in [nodes[0], nodes[2]] {
        wait_until(PATIENCE, "the new identity to be known", || {
            identity(node).is_some_and(|new| new != old)
        })
        .unwrap();
        assert_eq!(
            mesh_of(&node.client())["peers"].as_array().unwrap().len(),
            2,
            "the old one left"
        );
    }
    agree(&nodes, "main", &model);
    write_and_note(&nodes[1].client(), "main", &mut model, &puts("new", 50, "v"));
    agree(&nodes, "main", &model);
}

/// Sets the epoch that a node file says was used last.
fn set_epoch(data: &Path, epoch: u32) {
    const FORMAT: Format = Format { magic: *b"GKVN", version: 1 };
    const FIELD: &[u8] = b"\xa5epoch\xce";
    let path = data.join("node");
    let bytes = fs::read(&path).unwrap();
    let mut payload = bytes[HEADER_BYTES..].to_vec();
    let at = payload.windows(FIELD.len()).position(|bytes| bytes == FIELD).unwrap() + FIELD.len();
    payload[at..at + 4].copy_from_slice(&epoch.to_be_bytes());
    let frame = FORMAT.wrap(bytes[5], &payload, 1 << 20).unwrap();
    fs::write(path, frame).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Four nodes, of which the fourth starts on a copy of the third's directory.
fn with_a_copy(dir: &Path) -> Cluster {
    let cluster = builder(dir).nodes(4).node_args(1, ["--bootstrap"]).build().unwrap();
    for number in 1..=3 {
        cluster.node(number).start().unwrap();
    }
    for number in 1..=3 {
        cluster.node(number).wait_ready(PATIENCE).unwrap();
    }
    cluster.node(3).stop(PATIENCE).unwrap();
    cluster
}

fn the_copy_is_refused(cluster: &Cluster) {
    cluster.node(3).start().unwrap();
    cluster.node(3).wait_ready(PATIENCE).unwrap();
    settle(&[cluster.node(1), cluster.node(2), cluster.node(3)]);
    cluster.node(4).start().unwrap();
    let refused = "copies of one data directory";
    wait_until(PATIENCE, "the copy to be told", || {
        let said = |path| fs::read_to_string(path).unwrap_or_default().contains(refused);
        let ready = cluster.node(4).client().readyz();
        said(cluster.node(4).log_path()) || ready.is_ok_and(|reply| reply.text().contains(refused))
    })
    .unwrap_or_else(|error| {
        let four = [cluster.node(1), cluster.node(2), cluster.node(3), cluster.node(4)];
        panic!("{error}\n{}", mesh::logs(&four))
    });
    settle(&[cluster.node(1), cluster.node(2), cluster.node(3)]);
    let addr = format!("127.0.0.1:{}", cluster.node(3).address().peers);
    assert_eq!(peer(cluster.node(1), "n3").unwrap()["addr"], addr.as_str(), "the first one stays");
}

#[test]
fn the_second_node_on_a_copied_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = with_a_copy(dir.path());
    copy(&cluster.node(3).data_dir(), &cluster.node(4).data_dir());
    the_copy_is_refused(&cluster);
}

#[test]
fn a_copy_that_comes_to_the_same_epoch_is_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = with_a_copy(dir.path());
    // A clock that was wrong once, or two starts within one second, make both take the same epoch.
    set_epoch(&cluster.node(3).data_dir(), u32::MAX - 100);
    copy(&cluster.node(3).data_dir(), &cluster.node(4).data_dir());
    the_copy_is_refused(&cluster);
}

#[test]
fn a_directory_that_another_process_uses_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(&dir.path().join("a")).nodes(1));
    let data = cluster.node(1).data_dir();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_gridkv"))
        .args(["serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{error}");
    let named = error.contains("another node uses the data directory");
    assert!(named && error.contains(data.to_str().unwrap()), "{error}");
    assert_eq!(cluster.node(1).client().put("main", "k", b"v").unwrap().status, 201);
}

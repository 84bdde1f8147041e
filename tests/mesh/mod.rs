//! What the process tests share: how their clusters are made, when a cluster has settled, and what it then holds.

#![allow(dead_code, reason = "every test program uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gridkv_cluster::{Builder, Client, Cluster, Node, wait_for, wait_until};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy with other tests; no test waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Operations of a batch, as many as a node takes.
const BATCH: usize = 1_000;

/// A store of every kind.
pub(crate) const STORES: [&str; 5] =
    ["main=file", "sessions=memory", "hot=moka", "big=fjall", "scratch=fjall-memory"];
/// Their names.
pub(crate) const NAMES: [&str; 5] = ["main", "sessions", "hot", "big", "scratch"];

/// A cluster of this build's nodes.
pub(crate) fn builder(directory: &Path) -> Builder {
    Cluster::builder(env!("CARGO_BIN_EXE_gridkv"), directory).env("GRIDKV_HTTP__WORKERS", "2")
}

/// One in which a node that hangs counts as up all the time: what it does not have can only be waited for.
pub(crate) fn slow_to_suspect(directory: &Path) -> Builder {
    builder(directory)
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "2m")
        .env("GRIDKV_PEERS__DOWN_AFTER", "4m")
}

/// Starts what was built, and waits until all of it is ready.
pub(crate) fn ready(builder: Builder) -> Cluster {
    let cluster = builder.start().unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    cluster
}

/// The nodes of a cluster, in order.
pub(crate) fn all(cluster: &Cluster) -> Vec<&Node> {
    cluster.nodes().iter().collect()
}

/// Keys and values, as they should be.
pub(crate) type Model = BTreeMap<String, String>;

/// Does a batch of puts (`Some`) and deletes (`None`) that all must succeed.
pub(crate) fn write(client: &Client, store: &str, changes: &[(String, Option<String>)]) {
    for chunk in changes.chunks(BATCH) {
        let ops: Vec<Value> = chunk
            .iter()
            .map(|(key, value)| match value {
                Some(value) => json!({"op": "put", "key": key, "value": value}),
                None => json!({"op": "delete", "key": key}),
            })
            .collect();
        let reply = client.batch(store, &json!({ "ops": ops })).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.quoted());
        assert_eq!(reply.json().unwrap()["errors"], 0, "{}", reply.quoted());
    }
}

/// The same, kept in the model.
pub(crate) fn write_and_note(
    client: &Client,
    store: &str,
    model: &mut Model,
    changes: &[(String, Option<String>)],
) {
    write(client, store, changes);
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

/// Every live record of a store on a node: key, version, value.
pub(crate) fn contents(client: &Client, store: &str) -> BTreeMap<String, (String, String)> {
    let mut contents = BTreeMap::new();
    for keys in client.keys(store, "").unwrap().chunks(BATCH) {
        let ops: Vec<Value> = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
        let reply = client.batch(store, &json!({ "ops": ops })).unwrap();
        let results = reply.expect_status(200).unwrap().json().unwrap();
        for (key, result) in keys.iter().zip(results["results"].as_array().unwrap()) {
            if result["status"] == 200 {
                let text = |field: &str| result[field].as_str().unwrap().to_owned();
                contents.insert(key.clone(), (text("version"), text("value")));
            }
        }
    }
    contents
}

/// Waits until every node sees all others up, covers them and is covered by them.
pub(crate) fn settle(nodes: &[&Node]) {
    let mut last = String::new();
    let waited = wait_until(PATIENCE, "the cluster to settle", || {
        last = nodes.iter().filter_map(|node| unsettled(node, nodes.len() - 1)).collect();
        last.is_empty()
    });
    assert!(waited.is_ok(), "{waited:?}: {last}\n{}", logs(nodes));
}

fn unsettled(node: &Node, peers: usize) -> Option<String> {
    let cluster = mesh(&node.client());
    let is_settled = |peer: &Value| {
        let stores = peer["stores"].as_object().unwrap();
        let covered = |store: &Value| store["pending"] == 0 && store["frontier_covered"] == true;
        peer["state"] == "up" && stores.values().all(covered)
    };
    let up = cluster["peers"].as_array().unwrap().iter().filter(|peer| is_settled(peer)).count();
    (up < peers).then(|| format!("{}: {cluster}\n", node.name()))
}

/// `/v1/cluster`.
pub(crate) fn mesh(client: &Client) -> Value {
    client.cluster().unwrap().expect_status(200).unwrap().json().unwrap()
}

/// What a node says of one of its peers.
pub(crate) fn peer(node: &Node, name: &str) -> Option<Value> {
    let mesh = mesh(&node.client());
    mesh["peers"].as_array().unwrap().iter().find(|peer| peer["name"] == name).cloned()
}

/// Waits until a node sees a peer in a state.
pub(crate) fn wait_state(node: &Node, name: &str, state: &str) {
    let what = format!("{} to see {name} {state}", node.name());
    let seen = || peer(node, name).is_some_and(|peer| peer["state"] == state);
    wait_until(PATIENCE, what, seen).unwrap();
}

/// Waits until every node holds exactly what the model says, in equal versions.
pub(crate) fn agree(nodes: &[&Node], store: &str, model: &Model) {
    settle(nodes);
    let mut difference = String::new();
    let waited = wait_until(PATIENCE, "all nodes to hold what was written", || {
        let all: Vec<_> = nodes.iter().map(|node| contents(&node.client(), store)).collect();
        difference =
            nodes.iter().zip(&all).filter_map(|(node, has)| differs(node, has, model)).collect();
        difference.is_empty() && all.windows(2).all(|pair| pair[0] == pair[1])
    });
    assert!(waited.is_ok(), "{waited:?}: {difference}\n{}", logs(nodes));
    for node in nodes {
        assert_eq!(node.client().key_count(store).unwrap(), Some(model.len() as u64));
    }
}

fn differs(node: &Node, has: &BTreeMap<String, (String, String)>, model: &Model) -> Option<String> {
    let wrong: Vec<&String> = model
        .iter()
        .filter(|(key, value)| has.get(*key).is_none_or(|(_, has)| has != *value))
        .map(|(key, _)| key)
        .collect();
    let stray: Vec<&String> = has.keys().filter(|key| !model.contains_key(*key)).collect();
    (!wrong.is_empty() || !stray.is_empty()).then(|| {
        let some = |keys: &[&String]| format!("{} {:?}", keys.len(), &keys[..keys.len().min(5)]);
        format!("{}: missing or wrong {}, stray {}\n", node.name(), some(&wrong), some(&stray))
    })
}

/// Waits until every node holds the same, whatever it is, and returns it.
pub(crate) fn same(nodes: &[&Node], store: &str) -> BTreeMap<String, (String, String)> {
    settle(nodes);
    let found = wait_for(PATIENCE, "all nodes to hold the same", || {
        let mut all: Vec<_> = nodes.iter().map(|node| contents(&node.client(), store)).collect();
        all.windows(2).all(|pair| pair[0] == pair[1]).then(|| all.pop()).flatten()
    });
    found.unwrap_or_else(|error| panic!("{error}\n{}", logs(nodes)))
}

/// The ends of the logs, for messages.
pub(crate) fn logs(nodes: &[&Node]) -> String {
    let ends: Vec<String> =
        nodes.iter().map(|node| format!("-- {}\n{}\n", node.name(), node.log_tail(15))).collect();
    ends.concat()
}

/// Fails when a node's log tells of a panic.
pub(crate) fn no_panic(nodes: &[&Node]) {
    for node in nodes {
        let log = std::fs::read_to_string(node.log_path()).unwrap();
        assert!(!log.contains("panicked"), "{} panicked:\n{log}", node.name());
    }
}

/// Sends a signal that the harness has no word for.
pub(crate) fn signal(node: &Node, name: &str) {
    let pid = node.pid().unwrap().to_string();
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &pid]);
    assert!(kill.status().unwrap().success());
}

/// `count` puts of keys that begin with `prefix`.
pub(crate) fn puts(prefix: &str, count: usize, value: &str) -> Vec<(String, Option<String>)> {
    (0..count).map(|n| (format!("{prefix}{n:06}"), Some(format!("{value}-{n}")))).collect()
}

/// Deletes of those keys of [`puts`] whose number is a multiple of `step`.
pub(crate) fn deletes(prefix: &str, count: usize, step: usize) -> Vec<(String, Option<String>)> {
    (0..count).step_by(step).map(|n| (format!("{prefix}{n:06}"), None)).collect()
}

//! What is deleted or expires goes for good once every member has seen it, and not before; and whoever was away
//! meanwhile brings nothing of it back.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::path::Path;

use gridkv_cluster::{Builder, Node, wait_until};
use serde_json::json;

use mesh::{
    Model, PATIENCE, agree, all, builder, deletes, puts, ready, same, wait_state, write,
    write_and_note,
};

const STORES: [&str; 3] = ["main=file", "sessions=memory", "archive=fjall"];
const NAMES: [&str; 3] = ["main", "sessions", "archive"];
const KEYS: usize = 300;

fn quick(directory: &Path) -> Builder {
    builder(directory)
        .stores(STORES)
        .env("GRIDKV_STORES__MAIN__DURABILITY", "interval")
        .env("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "200ms")
        .env("GRIDKV_STORES__ARCHIVE__PERSIST_INTERVAL", "200ms")
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "1s")
        .env("GRIDKV_PEERS__DOWN_AFTER", "3s")
}

fn tombstones(node: &Node, store: &str) -> u64 {
    let path = format!("/v1/stores/{store}/stats");
    let stats = node.client().request("GET", &path).send().unwrap().json().unwrap();
    stats["tombstones"].as_u64().unwrap()
}

fn wait_purged(nodes: &[&Node]) {
    for store in NAMES {
        let waited = wait_until(PATIENCE, format!("{store} to be purged"), || {
            nodes.iter().all(|node| tombstones(node, store) == 0)
        });
        let left: Vec<_> = nodes.iter().map(|node| tombstones(node, store)).collect();
        assert!(waited.is_ok(), "{store}: {left:?}\n{}", mesh::logs(nodes));
    }
}

/// Writes the same into every store, and waits for nothing.
fn filled(nodes: &[&Node]) -> [Model; NAMES.len()] {
    NAMES.map(|store| {
        let mut model = Model::new();
        write_and_note(&nodes[0].client(), store, &mut model, &puts("k", KEYS, "first"));
        model
    })
}

/// Waits until the nodes hold what the models say, in every store.
fn agree_on_all(nodes: &[&Node], models: &[Model]) {
    for (store, model) in NAMES.iter().zip(models) {
        agree(nodes, store, model);
    }
}

#[test]
fn what_is_dead_goes_once_all_members_have_seen_it_and_a_member_that_is_down_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(quick(dir.path()));
    let nodes = all(&cluster);
    let mut models = filled(&nodes);
    for (store, model) in NAMES.iter().zip(&mut models) {
        write_and_note(&nodes[1].client(), store, model, &deletes("k", KEYS, 3));
        let brief = json!({"ops": [{"op": "put", "key": "brief", "value": "v", "ttl": "200ms"}]});
        assert_eq!(nodes[2].client().batch(store, &brief).unwrap().status, 200);
        let left = Some(model.len() as u64);
        wait_until(PATIENCE, "what is brief to be over", || {
            nodes.iter().all(|node| node.client().key_count(store).unwrap() == left)
        })
        .unwrap();
        agree(&nodes, store, model);
    }
    wait_purged(&nodes);

    nodes[2].kill().unwrap();
    wait_state(nodes[0], "n3", "suspect");
    for (store, model) in NAMES.iter().zip(&mut models) {
        write_and_note(&nodes[0].client(), store, model, &deletes("k", KEYS, 2));
        agree(&nodes[..2], store, model);
        // n3 still has these keys alive on its disk: nobody may forget that they were deleted.
        assert!(tombstones(nodes[1], store) >= 100, "{store}");
    }
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    agree_on_all(&nodes, &models);
    wait_purged(&nodes);
    agree_on_all(&nodes, &models);
}

#[test]
fn a_disk_from_before_the_deletion_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(quick(dir.path()));
    let nodes = all(&cluster);
    let mut models = filled(&nodes);
    agree_on_all(&nodes, &models);
    nodes[2].stop(PATIENCE).unwrap();
    let (data, aside) = (nodes[2].data_dir(), dir.path().join("aside"));
    copy(&data, &aside);
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    for (store, model) in NAMES.iter().zip(&mut models) {
        write_and_note(&nodes[0].client(), store, model, &deletes("k", KEYS, 2));
        agree(&nodes, store, model);
    }
    wait_purged(&nodes);

    // The disk is rolled back to where all of it was alive, and the others have forgotten that it died.
    nodes[2].kill().unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&aside, &data);
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    agree_on_all(&nodes, &models);
    let log = std::fs::read_to_string(nodes[2].log_path()).unwrap();
    assert!(log.contains("from_scratch"), "it was filled from scratch");
    for store in NAMES {
        write(&nodes[2].client(), store, &puts("again", 10, "v"));
        assert_eq!(same(&nodes, store).len(), KEYS / 2 + 10);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

//! Nodes that were away, and come back to exactly what the others have: nothing lost, and nothing risen from the dead.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod mesh;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gridkv_cluster::{Builder, Node, wait_until};

use mesh::{
    Model, PATIENCE, agree, all, builder, deletes, puts, ready, settle, wait_state, write_and_note,
};

const STORES: [&str; 2] = ["main=file", "sessions=memory"];
const NAMES: [&str; 2] = ["main", "sessions"];

/// Rings and logs that a few hundred operations overflow.
fn small(directory: &Path) -> Builder {
    builder(directory)
        .stores(STORES)
        .env("GRIDKV_SYNC__BUFFER_SIZE", "32")
        .env("GRIDKV_SYNC__LOG_BYTES", "4096")
        .env("GRIDKV_PEERS__SUSPECT_AFTER", "1s")
        .env("GRIDKV_PEERS__DOWN_AFTER", "3s")
}

#[test]
fn killed_under_load_and_back_beyond_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(small(dir.path()).env("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "300ms"));
    let nodes = all(&cluster);
    let stop = AtomicBool::new(false);
    // Two writers per store, each with keys of its own, so that what was acknowledged last is what must be there.
    let models: Vec<Model> = thread::scope(|scope| {
        let writers: Vec<_> = NAMES
            .iter()
            .flat_map(|store| [(store, nodes[0]), (store, nodes[2])])
            .map(|(store, node)| {
                let stop = &stop;
                scope.spawn(move || {
                    let (mut model, client) = (Model::new(), node.client());
                    for round in 0.. {
                        let (prefix, value) = (format!("{}/", node.name()), format!("r{round}"));
                        write_and_note(&client, store, &mut model, &puts(&prefix, 120, &value));
                        write_and_note(
                            &client,
                            store,
                            &mut model,
                            &deletes(&prefix, 120, 2 + round % 9),
                        );
                        if stop.load(Ordering::Relaxed) {
                            return model;
                        }
                    }
                    model
                })
            })
            .collect();
        // Under way on n2 as well before it dies.
        for store in NAMES {
            wait_until(PATIENCE, "writes to reach n2", || {
                nodes[1].client().key_count(store).unwrap() > Some(100)
            })
            .unwrap();
        }
        nodes[1].kill().unwrap();
        wait_state(nodes[0], "n2", "suspect");
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let before = caught_up(nodes[1]);
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    for (store, pair) in NAMES.iter().zip(models.chunks(2)) {
        let model =
            pair.iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        agree(&nodes, store, &model);
    }
    assert!(caught_up(nodes[1]) > before, "it came back without a catch-up: the test is too small");
}

#[test]
fn tens_of_thousands_of_operations_with_the_settings_that_everybody_has() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    let mut models = [Model::new(), Model::new()];
    for (store, model) in NAMES.iter().zip(&mut models) {
        write_and_note(&nodes[1].client(), store, model, &puts("k", 2_000, "first"));
        agree(&nodes, store, model);
    }
    nodes[1].kill().unwrap();
    let before = caught_up(nodes[1]);
    for (store, model) in NAMES.iter().zip(&mut models) {
        write_and_note(&nodes[0].client(), store, model, &puts("k", 12_000, "second"));
        write_and_note(&nodes[2].client(), store, model, &deletes("k", 12_000, 4));
    }
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    for (store, model) in NAMES.iter().zip(&models) {
        agree(&nodes, store, model);
    }
    assert!(
        caught_up(nodes[1]) > before + 2_000,
        "a memory store lost more than the log may bring"
    );
}

/// How many records catch-ups brought to a node so far, as its log tells: batches alone would bring none.
fn caught_up(node: &Node) -> u64 {
    let log = std::fs::read_to_string(node.log_path()).unwrap();
    let sessions = log.lines().filter(|line| line.contains("caught up"));
    let of_a_peer =
        |line: &str| ["n1", "n2", "n3"].iter().any(|name| line.contains(&format!("peer={name} ")));
    let records = sessions
        .inspect(|line| assert!(of_a_peer(line), "a peer is called by its name: {line}"))
        .filter_map(|line| line.split_once("records=")?.1.trim().parse::<u64>().ok());
    records.sum()
}

/// Cuts the journals of a store to half: commits that were acknowledged are gone without a trace.
fn lose_tail(node: &Node, store: &str) {
    let dir = node.data_dir().join("stores").join(store);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal-")) {
            let journal = fs::OpenOptions::new().write(true).open(path).unwrap();
            journal.set_len(journal.metadata().unwrap().len() / 2).unwrap();
        }
    }
}

#[test]
fn what_was_deleted_does_not_come_back_with_a_node_that_still_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(small(dir.path()));
    let nodes = all(&cluster);
    let mut model = Model::new();
    write_and_note(&nodes[0].client(), "main", &mut model, &puts("keep", 20, "v"));
    write_and_note(&nodes[2].client(), "main", &mut model, &puts("gone", 20, &"x".repeat(5_000)));
    agree(&nodes, "main", &model);
    nodes[2].kill().unwrap();
    write_and_note(&nodes[0].client(), "main", &mut model, &deletes("gone", 20, 1));
    // Beyond the ring and the log: a catch-up must bring the tombstones.
    write_and_note(&nodes[0].client(), "main", &mut model, &puts("more", 500, "v"));
    agree(&nodes[..2], "main", &model);
    nodes[2].start().unwrap();
    nodes[2].wait_ready(PATIENCE).unwrap();
    agree(&nodes, "main", &model);
    // And not with a restart of one that was told, either.
    for node in [nodes[0], nodes[1]] {
        node.restart(PATIENCE).unwrap();
        node.wait_ready(PATIENCE).unwrap();
    }
    agree(&nodes, "main", &model);
}

#[test]
fn a_node_gets_its_own_lost_tail_back_from_its_peers() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(small(dir.path()));
    let nodes = all(&cluster);
    let mut models = [Model::new(), Model::new()];
    for round in 0..3 {
        for (store, model) in NAMES.iter().zip(&mut models) {
            let client = nodes[1].client();
            write_and_note(&client, store, model, &puts(&format!("r{round}-"), 90, "v"));
            write_and_note(&client, store, model, &deletes(&format!("r{round}-"), 90, 3));
            // Over what an earlier run of it had written.
            write_and_note(&client, store, model, &puts("r0-", 10, &format!("round{round}")));
            agree(&nodes, store, model);
        }
        nodes[1].kill().unwrap();
        lose_tail(nodes[1], "main"); // of `sessions` nothing is left anyway
        nodes[1].start().unwrap();
        nodes[1].wait_ready(PATIENCE).unwrap();
        for (store, model) in NAMES.iter().zip(&models) {
            let mine = mesh::contents(&nodes[1].client(), store);
            assert_eq!(mine.len(), model.len(), "what it had written is there once it is ready");
            agree(&nodes, store, model);
        }
    }
}

#[test]
fn the_whole_cluster_killed_at_once_comes_back_with_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(small(dir.path()));
    let nodes = all(&cluster);
    let mut model = Model::new();
    for node in &nodes {
        let prefix = format!("{}-", node.name());
        write_and_note(&node.client(), "main", &mut model, &puts(&prefix, 30, &"y".repeat(1_000)));
    }
    agree(&nodes, "main", &model);
    for node in &nodes {
        node.kill().unwrap();
    }
    for node in &nodes {
        node.start().unwrap();
    }
    cluster.wait_ready(PATIENCE).unwrap();
    agree(&nodes, "main", &model);
    agree(&nodes, "sessions", &Model::new());
}

#[test]
fn a_fourth_node_joins_a_loaded_cluster_and_gets_everything() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = small(dir.path()).nodes(4).node_args(1, ["--bootstrap"]).build().unwrap();
    let nodes = all(&cluster);
    for node in &nodes[..3] {
        node.start().unwrap();
    }
    for node in &nodes[..3] {
        node.wait_ready(PATIENCE).unwrap();
    }
    settle(&nodes[..3]);
    let mut models = [Model::new(), Model::new()];
    for (store, model) in NAMES.iter().zip(&mut models) {
        for node in &nodes[..3] {
            let prefix = format!("{}-", node.name());
            write_and_note(&node.client(), store, model, &puts(&prefix, 1_500, "v"));
            write_and_note(&node.client(), store, model, &deletes(&prefix, 1_500, 5));
        }
    }
    nodes[3].start().unwrap();
    // The load goes on while it joins.
    let (node, model) = (nodes[0], &mut models[0]);
    while !nodes[3].is_ready().unwrap() {
        write_and_note(&node.client(), "main", model, &puts("meanwhile", 100, "v"));
    }
    for (store, model) in NAMES.iter().zip(&models) {
        agree(&nodes, store, model);
    }
    write_and_note(&nodes[3].client(), "main", &mut models[0], &puts("mine", 100, "v"));
    agree(&nodes, "main", &models[0]);
}

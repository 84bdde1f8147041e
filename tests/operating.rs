//! What operators do with real nodes: another level of the log, draining, snapshots, and upkeep of stores.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use gridkv_cluster::{Client, Node, Reply, wait_for, wait_until};
use serde_json::{Value, json};

use mesh::{
    Model, NAMES, PATIENCE, STORES, agree, all, builder, contents, no_panic, puts, ready, settle,
    wait_state, write_and_note,
};

fn client(node: &Node) -> Client {
    Client::with_timeout(&node.base_url(), PATIENCE * 2)
}

fn send(node: &Node, method: &str, path: &str, body: &[u8]) -> Reply {
    let client = client(node);
    let request = client.request(method, path);
    if body.is_empty() { request.send().unwrap() } else { request.body(body).send().unwrap() }
}

fn save(node: &Node, store: &str, query: &str) -> Vec<u8> {
    let reply = send(node, "GET", &format!("/v1/stores/{store}/snapshot{query}"), b"");
    assert_eq!(reply.status, 200, "{}", reply.quoted());
    reply.body
}

fn load(node: &Node, store: &str, query: &str, snapshot: &[u8]) -> Value {
    let reply = send(node, "PUT", &format!("/v1/stores/{store}/snapshot{query}"), snapshot);
    assert_eq!(reply.status, 200, "{}", reply.quoted());
    reply.json().unwrap()
}

fn set_level(node: &Node, level: &str) {
    let body = json!({ "level": level }).to_string();
    assert_eq!(send(node, "PUT", "/v1/admin/log-level", body.as_bytes()).status, 204);
    let shown = send(node, "GET", "/v1/node", b"").json().unwrap();
    assert_eq!(shown["config"]["log"]["level"], level);
}

#[test]
fn the_log_tells_more_as_soon_as_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(["main=memory"]));
    let nodes = all(&cluster);
    settle(&nodes);
    let node = nodes[0];
    let before = send(node, "GET", "/v1/node", b"").json().unwrap();
    assert_eq!(before["config"]["log"]["level"], "info");
    let debug = || fs::read_to_string(node.log_path()).unwrap().matches("DEBUG").count();
    nodes[1].kill().unwrap();
    wait_state(node, "n2", "suspect");
    assert_eq!(debug(), 0);
    set_level(node, "debug");
    wait_until(PATIENCE, "the log to tell that a peer can not be reached", || debug() > 0).unwrap();
    set_level(node, "error");
    let (told, writes) = (debug(), node.client());
    for n in 0..20 {
        writes.put("main", &format!("k{n}"), b"v").unwrap();
        std::thread::sleep(gridkv_cluster::POLL_INTERVAL);
    }
    assert!(debug() <= told + 1, "one may have been on its way");
    no_panic(&nodes[..1]);
}

#[test]
fn a_drained_node_hands_over_and_is_read_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    let mut model = Model::new();
    write_and_note(&nodes[0].client(), "main", &mut model, &puts("k", 2_000, "v"));
    assert_eq!(send(nodes[0], "POST", "/v1/admin/drain", b"").status, 202);
    let refused = nodes[0].client().put("main", "late", b"v").unwrap();
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("draining")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    wait_until(PATIENCE, "peers to have everything", || {
        let said = nodes[0].client().readyz().unwrap();
        assert_eq!(said.status, 503);
        said.text().contains("every peer that is up has all that was written here")
    })
    .unwrap();
    let drained = || fs::read_to_string(nodes[0].log_path()).unwrap().contains("drained: every");
    wait_until(PATIENCE, "it to be on the disk", drained).unwrap();
    // It still takes what others write, and is read.
    write_and_note(&nodes[1].client(), "main", &mut model, &puts("more", 500, "v"));
    agree(&nodes, "main", &model);
    assert_eq!(send(nodes[0], "POST", "/v1/admin/drain", b"").status, 202);
    assert!(nodes[0].stop(PATIENCE).unwrap().success());
    nodes[0].start().unwrap();
    nodes[0].wait_ready(PATIENCE).unwrap();
    assert_eq!(nodes[0].client().put("main", "late", b"v").unwrap().status, 201);
    no_panic(&nodes);
}

/// Keys and values, without their versions.
fn values(node: &Node, store: &str) -> Model {
    let found = contents(&node.client(), store);
    found.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

#[test]
fn every_backend_is_saved_and_restored_and_peers_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    for (store, format) in NAMES.iter().zip(["", "?format=ndjson", "", "?format=ndjson", ""]) {
        let mut model = Model::new();
        write_and_note(&nodes[0].client(), store, &mut model, &puts("k", 1_500, "v"));
        let large = vec![b'x'; 900_000];
        for n in 0..4 {
            let put = nodes[0].client().put(store, &format!("large{n}"), &large).unwrap();
            assert_eq!(put.status, 201, "{store}");
            model.insert(format!("large{n}"), String::from_utf8(large.clone()).unwrap());
        }
        settle(&nodes);
        let snapshot = save(nodes[1], store, format);
        assert!(snapshot.len() > 3_600_000, "{store}");
        let after = puts("after", 100, "v").into_iter().chain([("k000001".into(), None)]);
        let mut changed = model.clone();
        let after: Vec<_> = after.collect();
        write_and_note(&nodes[0].client(), store, &mut changed, &after);
        let mut bad = snapshot.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        let path = format!("/v1/stores/{store}/snapshot?mode=replace");
        let refused = send(nodes[0], "PUT", &path, &bad);
        assert_eq!(refused.code().as_deref(), Some("snapshot_corrupt"), "{store}");
        assert_eq!(values(nodes[0], store), changed, "{store}: nothing was applied");
        let said = load(nodes[0], store, "?mode=replace", &snapshot);
        assert_eq!((&said["applied"], &said["deleted"]), (&json!(1), &json!(100)), "{store}");
        agree(&nodes, store, &model);
        // Into a store of another kind.
        if *store != "main" {
            let said = load(nodes[1], "main", "?mode=replace", &snapshot);
            assert_eq!(said["expired"], 0);
            agree(&nodes, "main", &model);
        }
    }
    for node in &nodes {
        let left = fs::read_dir(node.data_dir().join("spool"));
        assert_eq!(left.map_or(0, Iterator::count), 0, "uploads leave nothing behind");
    }
    no_panic(&nodes);
}

#[test]
fn an_empty_cluster_takes_in_what_another_one_saved() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = ready(builder(one.path()).nodes(1));
    let mut model = Model::new();
    write_and_note(&first.node(1).client(), "main", &mut model, &puts("k", 5_000, "v"));
    let snapshot = save(first.node(1), "main", "");
    drop(first);
    let second = ready(builder(other.path()).nodes(2).stores(["main=fjall"]));
    let nodes = all(&second);
    settle(&nodes);
    let trial = load(nodes[0], "main", "?dry_run=true", &snapshot);
    assert_eq!(trial, json!({"applied": 5_000, "skipped_older": 0, "expired": 0}));
    assert_eq!(nodes[0].client().key_count("main").unwrap(), Some(0));
    assert_eq!(load(nodes[0], "main", "", &snapshot), trial);
    agree(&nodes, "main", &model);
    let again = load(nodes[1], "main", "", &snapshot);
    assert_eq!(again, json!({"applied": 0, "skipped_older": 5_000, "expired": 0}));
    // A deletion is newer than the file for as long as it is remembered, here by a member that is away.
    nodes[1].kill().unwrap();
    assert_eq!(nodes[0].client().delete("main", "k000007").unwrap().status, 204);
    assert_eq!(load(nodes[0], "main", "?mode=merge", &snapshot), again);
    let missing = load(nodes[0], "main", "?mode=missing", &snapshot);
    assert_eq!(missing, json!({"applied": 1, "skipped_older": 4_999, "expired": 0}));
}

#[test]
fn a_snapshot_breaks_off_when_its_store_is_emptied_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(["main=memory"]));
    let nodes = all(&cluster);
    settle(&nodes);
    let large = vec![b'x'; 1_000_000];
    for n in 0..60 {
        let put = nodes[0].client().put("main", &format!("large{n:02}"), &large).unwrap();
        assert_eq!(put.status, 201);
    }
    settle(&nodes);
    // Read as far as it takes to begin it; the rest does not fit between here and there.
    let mut stream = TcpStream::connect(("127.0.0.1", nodes[0].address().http)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v1/stores/main/snapshot HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut begun = [0; 4_096];
    stream.read_exact(&mut begun).unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let path = "/v1/cluster/peers/n2/full-sync?store=main&mode=rebuild";
    assert_eq!(send(nodes[0], "POST", path, b"").status, 202);
    // Emptied, and left so: what fills it again is lost.
    wait_until(PATIENCE, "the store to be emptied", || {
        nodes[0].client().readyz().unwrap().text().contains("filled from a peer")
    })
    .unwrap();
    nodes[1].kill().unwrap();
    if nodes[0].is_ready().unwrap() {
        return; // it was filled again before that, and the snapshot goes on with what came back
    }
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(rest.len() < 59_000_000, "{} bytes, {ended:?}", rest.len());
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the end of a whole answer");
    let refused = send(nodes[0], "GET", "/v1/stores/main/snapshot", b"");
    assert_eq!(refused.code().as_deref(), Some("not_ready"), "half of a store is no backup");
    no_panic(&nodes[..1]);
}

#[test]
fn what_was_persisted_survives_and_what_was_overwritten_gives_its_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let slow = builder(dir.path())
        .nodes(1)
        .stores(STORES)
        .env("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "1h");
    let cluster = ready(slow);
    let node = cluster.node(1);
    let mut model = Model::new();
    for store in ["main", "big"] {
        for round in 0..20 {
            let value = format!("{round}-").repeat(500);
            write_and_note(&node.client(), store, &mut model, &puts("k", 200, &value));
        }
        let saved = send(node, "POST", &format!("/v1/stores/{store}/persist"), b"");
        let saved = saved.expect_status(200).unwrap().json().unwrap();
        assert!(saved["bytes"].as_u64().unwrap() > 0 && saved["duration_ms"].is_u64(), "{saved}");
    }
    for store in ["sessions", "hot", "scratch"] {
        let refused = send(node, "POST", &format!("/v1/stores/{store}/persist"), b"");
        assert_eq!(refused.code().as_deref(), Some("not_supported"), "{store}");
    }
    let size = |store: &str| {
        let stats = send(node, "GET", &format!("/v1/stores/{store}/stats"), b"").json().unwrap();
        stats["db_size"].as_u64()
    };
    let before = size("main");
    for store in ["main", "big", "scratch"] {
        let begun = send(node, "POST", &format!("/v1/stores/{store}/compact"), b"");
        assert_eq!(begun.status, 202, "{store}: {}", begun.quoted());
        let location = begun.header("location").unwrap();
        let ended = wait_for(PATIENCE, "the compaction to end", || {
            let operation = send(node, "GET", location, b"").json().unwrap();
            (operation["state"] != "running").then_some(operation)
        });
        assert_eq!(ended.unwrap()["state"], "done", "{store}");
    }
    for store in ["sessions", "hot"] {
        let refused = send(node, "POST", &format!("/v1/stores/{store}/compact"), b"");
        assert_eq!(refused.code().as_deref(), Some("not_supported"), "{store}");
    }
    // The image before the last is kept until there is another one.
    assert_eq!(send(node, "POST", "/v1/stores/main/compact", b"").status, 202);
    wait_until(PATIENCE, "the room to be given back", || size("main") < before.map(|it| it / 4))
        .unwrap();
    node.kill().unwrap();
    node.start().unwrap();
    node.wait_ready(PATIENCE).unwrap();
    for store in ["main", "big"] {
        assert_eq!(values(node, store), model, "{store}");
    }
}

/// In every key and value that the next test sends.
const MARK: &str = "MARKED-7c1f";

/// Requests that are done and requests that are refused, in every way that names a key or holds a value.
fn mention_everywhere(node: &Node) {
    let (key, body) = (format!("{MARK}%2Fkey"), format!("{MARK} value"));
    let at = |store: &str| format!("/v1/kv/{store}/{key}");
    let mut requests = vec![
        ("PUT", at("none"), body.clone(), 404),
        ("GET", format!("/v1/kv/main/%FF{MARK}"), String::new(), 400),
        ("GET", format!("/v1/{MARK}"), String::new(), 404),
        ("GET", format!("/v1/kv/main?cursor={MARK}"), String::new(), 400),
        ("PUT", format!("/v1/kv/main/k?ttl={MARK}"), body.clone(), 400),
        ("PUT", "/v1/stores/main/snapshot?mode=merge".to_owned(), body.clone(), 400),
        ("PUT", format!("/v1/stores/{MARK}"), json!({ "backend": MARK }).to_string(), 400),
        ("PUT", "/v1/stores/new".to_owned(), json!({ "backend": MARK }).to_string(), 400),
    ];
    for store in NAMES {
        let op = |op| json!({"op": op, "key": format!("{MARK}/b"), "value": body});
        let batch = json!({"ops": [op("put"), json!({"op": "get", "key": format!("{MARK}/b")})]});
        let wrong = json!({"ops": [{"op": "put", "key": MARK, "value": body, "encoding": MARK}]});
        requests.extend([
            ("PUT", at(store), body.clone(), 201),
            ("PUT", at(store), "x".repeat(1_048_577), 413),
            ("GET", at(store), String::new(), 200),
            ("GET", format!("{}?durability={MARK}", at(store)), String::new(), 400),
            ("PATCH", format!("{}?ttl=1ms", at(store)), String::new(), 204),
            ("DELETE", at(store), String::new(), 204),
            ("POST", format!("/v1/stores/{store}/batch"), batch.to_string(), 200),
            ("POST", format!("/v1/stores/{store}/batch"), wrong.to_string(), 400),
            ("POST", format!("/v1/stores/{store}/batch"), body.clone(), 400),
            ("GET", format!("/v1/kv/{store}?prefix={MARK}&include=value"), String::new(), 200),
            (
                "GET",
                format!("/v1/stores/{store}/changes?since=0&include=value"),
                String::new(),
                200,
            ),
            ("GET", format!("/v1/stores/{store}/snapshot?format=ndjson"), String::new(), 200),
            ("DELETE", format!("/v1/kv/{store}?prefix={MARK}"), String::new(), 200),
        ]);
    }
    for (method, path, body, status) in requests {
        let reply = send(node, method, &path, body.as_bytes());
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.quoted());
    }
}

#[test]
fn what_clients_store_is_not_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).nodes(2).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    mention_everywhere(nodes[0]);
    // And while the other is away, behind a gap, comes back, and is made to fetch everything.
    nodes[1].kill().unwrap();
    mention_everywhere(nodes[0]);
    write_and_note(&nodes[0].client(), "main", &mut Model::new(), &puts(MARK, 2_000, MARK));
    nodes[1].start().unwrap();
    nodes[1].wait_ready(PATIENCE).unwrap();
    settle(&nodes);
    let asked = send(nodes[1], "POST", "/v1/cluster/peers/n1/full-sync?store=main", b"");
    assert_eq!(asked.status, 202, "{}", asked.quoted());
    settle(&nodes);
    for node in &nodes {
        assert!(node.stop(PATIENCE).unwrap().success());
        let log = fs::read_to_string(node.log_path()).unwrap();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(MARK)).collect();
        assert!(log.contains("ready") && told.is_empty(), "{}: {told:?}", node.name());
    }
    no_panic(&nodes);
}

//! Keys of every shape, conditions under contention, deadlines and whole prefixes, on real processes and every backend.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Node, Reply};
use serde_json::{Value, json};

use mesh::{NAMES, PATIENCE, STORES, all, builder, puts, ready, settle, slow_to_suspect, write};

/// One node with a store of every kind.
fn alone(directory: &Path) -> Cluster {
    ready(builder(directory).nodes(1).stores(STORES))
}

/// Keys that clients, proxies and routers get wrong, and each printable character of ASCII.
fn shapes() -> BTreeSet<String> {
    let odd = [
        "a/b",
        "a%2Fb",
        "a%252Fb",
        "a//b",
        "/",
        "//",
        "a/",
        "é",
        "e\u{301}",
        "\u{10ffff}",
        "+",
        "a+b",
        "a b",
        " ",
        "  ",
        " a ",
        "...",
        ".a",
        "a/./b",
        "a/../b",
        "\t",
        "%",
        "%FF",
        "?a=b&c#d",
        "💾",
    ];
    let mut keys: BTreeSet<String> = odd.into_iter().map(str::to_owned).collect();
    keys.extend(["k".repeat(1_024), "é".repeat(512)]);
    for character in (0x20..0x7f_u8).map(char::from) {
        keys.insert(format!("x{character}"));
        keys.insert(format!("{character}y"));
        if character != '.' {
            keys.insert(character.to_string());
        }
    }
    keys
}

fn page(client: &Client, store: &str, query: &[(&str, &str)]) -> Value {
    let mut request = client.request("GET", &format!("/v1/kv/{store}"));
    for (name, value) in query {
        request = request.query(name, value);
    }
    request.send().unwrap().expect_status(200).unwrap().json().unwrap()
}

fn batch(client: &Client, store: &str, ops: &[Value]) -> Vec<Value> {
    let reply = client.batch(store, &json!({ "ops": ops })).unwrap();
    let reply = reply.expect_status(200).unwrap().json().unwrap();
    assert_eq!(reply["errors"], 0, "{reply}");
    reply["results"].as_array().unwrap().clone()
}

#[test]
fn keys_of_every_shape_come_back_from_every_road() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = alone(dir.path());
    let (client, keys) = (cluster.node(1).client(), shapes());
    for store in NAMES {
        for key in &keys {
            let put = client.put(store, key, key.as_bytes()).unwrap();
            assert_eq!(put.status, 201, "{store} {key:?}: {}", put.quoted());
            let got = client.get(store, key).unwrap();
            assert_eq!((got.status, got.body.as_slice()), (200, key.as_bytes()), "{store} {key:?}");
            let rows = page(&client, store, &[("prefix", key), ("limit", "1")]);
            assert_eq!(rows["keys"][0]["key"], *key, "{store}");
        }
        let listed = client.keys(store, "").unwrap();
        assert!(listed.iter().eq(&keys), "{store}");
        let gets: Vec<Value> = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
        let results = batch(&client, store, &gets);
        assert!(results.iter().map(|result| &result["value"]).eq(keys.iter()), "{store}");
        let puts: Vec<Value> =
            keys.iter().map(|key| json!({"op": "put", "key": key, "value": "2"})).collect();
        batch(&client, store, &puts);
        for key in &keys {
            assert_eq!(client.get(store, key).unwrap().body, b"2", "{store} {key:?}");
        }
        let dots =
            [json!({"op": "put", "key": "..", "value": "v"}), json!({"op": "get", "key": ".."})];
        assert_eq!(batch(&client, store, &dots)[1]["value"], "v", "by batch only");
    }
}

#[test]
fn what_is_no_key_is_refused_on_every_road() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = alone(dir.path());
    let client = cluster.node(1).client();
    let long = "k".repeat(1_025);
    for key in ["", "%FF", "a%C3", "%zz", "%", ".", "..", "%2e", long.as_str()] {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let path =
                format!("/v1/kv/main/{key}{}", if method == "PATCH" { "?ttl=1s" } else { "" });
            let refused = client.request(method, &path).send().unwrap();
            let told = (refused.status, refused.code());
            assert_eq!(told, (400, Some("invalid_key".to_owned())), "{method} {key}");
        }
    }
    for key in ["", long.as_str()] {
        let ops = json!({"ops": [{"op": "put", "key": key, "value": "v"}]});
        let reply = client.batch("main", &ops).unwrap().json().unwrap();
        assert_eq!(reply["results"][0]["code"], "invalid_key");
    }
    assert_eq!(client.key_count("main").unwrap(), Some(0));
}

#[test]
fn one_of_many_creates_a_key() {
    const CLIENTS: usize = 200;
    let dir = tempfile::tempdir().unwrap();
    let cluster = alone(dir.path());
    let start = Barrier::new(CLIENTS);
    for store in ["main", "sessions", "big"] {
        let create = |number: usize| {
            let client = Client::with_timeout(&cluster.node(1).base_url(), PATIENCE);
            start.wait();
            client.put_if_absent(store, "k", number.to_string().as_bytes()).unwrap()
        };
        let replies: Vec<Reply> = thread::scope(|scope| {
            let create = &create;
            let all: Vec<_> =
                (0..CLIENTS).map(|number| scope.spawn(move || create(number))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let created: Vec<usize> =
            (0..CLIENTS).filter(|number| replies[*number].status == 201).collect();
        assert_eq!(created.len(), 1, "{store}: {created:?}");
        assert!(replies.iter().all(|reply| matches!(reply.status, 201 | 412)), "{store}");
        let kept = cluster.node(1).client().get(store, "k").unwrap();
        assert_eq!(kept.body, created[0].to_string().as_bytes());
        assert_eq!(kept.version(), replies[created[0]].version());
    }
}

/// Microseconds that a client leaves the others alone, at most, for the first time that it lost.
const BACK_OFF: u64 = 1_000;
/// How often that doubles.
const DOUBLINGS: u32 = 8;

/// Adds 1 until it was done `times`, whatever others do meanwhile. Who loses comes back later, at random: else
/// most of what sixteen clients do is lose.
fn count_up(client: &Client, times: usize) {
    let (mut done, mut lost, mut known) = (0, 0, None);
    while done < times {
        let (count, version) = known.take().unwrap_or_else(|| {
            let read = client.get("main", "counter").unwrap();
            (read.text().parse().unwrap(), read.version().unwrap().to_owned())
        });
        let next: usize = count + 1;
        let put = client.put_if_match("main", "counter", next.to_string().as_bytes(), &version);
        let put = put.unwrap();
        match put.status {
            204 => {
                (done, lost) = (done + 1, 0);
                known = Some((next, put.version().unwrap().to_owned()));
            }
            412 => {
                let most = BACK_OFF << DOUBLINGS.min(lost);
                thread::sleep(Duration::from_micros(fastrand::u64(..most)));
                lost += 1;
            }
            _ => panic!("{}", put.quoted()),
        }
    }
}

#[test]
fn no_increment_is_lost() {
    const CLIENTS: usize = 16;
    const EACH: usize = 625;
    let dir = tempfile::tempdir().unwrap();
    let cluster = alone(dir.path());
    let node = cluster.node(1);
    node.client().put("main", "counter", b"0").unwrap();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| count_up(&node.client(), EACH));
        }
    });
    let last = node.client().get("main", "counter").unwrap();
    assert_eq!(last.text(), (CLIENTS * EACH).to_string());
}

fn delete_prefix(node: &Node, store: &str, query: &[(&str, &str)]) -> Reply {
    let client = Client::with_timeout(&node.base_url(), PATIENCE * 2);
    let mut request = client.request("DELETE", &format!("/v1/kv/{store}"));
    for (name, value) in query {
        request = request.query(name, value);
    }
    request.send().unwrap()
}

#[test]
fn prefixes_and_deadlines_reach_the_peers_that_acknowledge_them() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(builder(dir.path()).stores(STORES));
    let nodes = all(&cluster);
    settle(&nodes);
    for store in NAMES {
        write(&nodes[0].client(), store, &puts("p/", 1_500, "v"));
        write(&nodes[0].client(), store, &puts("q/", 3, "v"));
        let gone = delete_prefix(nodes[1], store, &[("prefix", "p/0000")]);
        // What n2 has by now; the rest follows when it has it all.
        assert_eq!(gone.status, 200, "{store}: {}", gone.quoted());
        settle(&nodes);
        let gone = delete_prefix(nodes[0], store, &[("prefix", "p/"), ("acks", "all")]);
        assert_eq!((gone.status, gone.header("gridkv-acks")), (200, Some("2/2")), "{store}");
        assert!(gone.json().unwrap()["deleted"].as_u64().unwrap() >= 1_400, "{store}");
        let client = Client::with_timeout(&nodes[0].base_url(), PATIENCE * 2);
        let patched = client.at_key("PATCH", store, "q/000001").query("ttl", "1h");
        let patched = patched.query("acks", "2").send().unwrap();
        assert_eq!((patched.status, patched.header("gridkv-acks")), (204, Some("2/2")), "{store}");
        for node in &nodes {
            let left = node.client().keys(store, "").unwrap();
            assert_eq!(left, ["q/000000", "q/000001", "q/000002"], "{store} on {}", node.name());
            let got = node.client().get(store, "q/000001").unwrap();
            assert_eq!((got.text().as_ref(), got.version()), ("v-1", patched.version()));
            assert_eq!(got.header("gridkv-expires-at"), patched.header("gridkv-expires-at"));
        }
    }
}

#[test]
fn a_prefix_whose_end_is_not_acknowledged_says_what_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = ready(slow_to_suspect(dir.path()));
    let nodes = all(&cluster);
    write(&nodes[0].client(), "main", &puts("p", 600, "v"));
    settle(&nodes);
    nodes[2].pause().unwrap();
    let query = [("prefix", "p"), ("acks", "2"), ("ack_timeout", "300ms")];
    let late = delete_prefix(nodes[0], "main", &query);
    assert_eq!((late.status, late.code().as_deref()), (504, Some("ack_timeout")));
    let said = late.json().unwrap();
    assert_eq!((&said["deleted"], &said["applied_locally"]), (&json!(600), &json!(true)));
    assert_eq!(said["acks"], json!({"asked": 2, "met": 1, "missing": ["n3"]}));
    assert_eq!(nodes[0].client().keys("main", "").unwrap(), Vec::<String>::new());
    nodes[2].resume().unwrap();
}

//! `DELETE` of a prefix: all that has it, nothing else, and never by mistake.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::{Served, serve, serve_unready};

/// Keys that are left.
fn count(node: &Served, store: &str) -> u64 {
    node.get(&format!("/v1/stores/{store}/stats")).json()["key_count"].as_u64().unwrap()
}

fn fill(node: &Served, store: &str, prefix: &str, count: usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(1_000) {
        let put = |n: &usize| json!({"op": "put", "key": format!("{prefix}{n:05}"), "value": "v"});
        let ops = json!({"ops": numbers.iter().map(put).collect::<Vec<_>>()}).to_string();
        let reply = node.send("POST", &format!("/v1/stores/{store}/batch"), &[], ops.as_bytes());
        assert_eq!(reply.json()["errors"], 0);
    }
}

#[test]
fn all_keys_with_a_prefix_are_deleted_and_no_other() {
    let node = serve(HttpConfig::default());
    for (store, durability) in [("main", "memory"), ("disk", "os")] {
        fill(&node, store, "a/", 3_000);
        fill(&node, store, "a", 10);
        fill(&node, store, "b/", 10);
        node.put(&format!("/v1/kv/{store}/a/gone"), b"v");
        node.delete(&format!("/v1/kv/{store}/a/gone"));
        let deleted = node.delete(&format!("/v1/kv/{store}?prefix=a/"));
        assert_eq!((deleted.status, deleted.json()), (200, json!({"deleted": 3_000})));
        assert_eq!(deleted.header("content-type"), "application/json");
        assert_eq!(deleted.header("gridkv-durability"), durability);
        assert_eq!(deleted.header("gridkv-acks"), "0/0");
        assert_eq!(count(&node, store), 20);
        assert_eq!(node.get(&format!("/v1/kv/{store}/a/00007")).code(), "key_not_found");
        assert_eq!(node.get(&format!("/v1/kv/{store}?prefix=a/")).json()["keys"], json!([]));
        let again = node.delete(&format!("/v1/kv/{store}?prefix=a%2F&all=true"));
        assert_eq!((again.status, again.json()), (200, json!({"deleted": 0})));
        let all = node.delete(&format!("/v1/kv/{store}?prefix=&all=true"));
        assert_eq!((all.json(), count(&node, store)), (json!({"deleted": 20}), 0));
    }
    node.put("/v1/kv/disk/a", b"v");
    let synced = node.delete("/v1/kv/disk?prefix=a&durability=fsync");
    assert_eq!(synced.header("gridkv-durability"), "fsync");
}

#[test]
fn nothing_is_deleted_by_mistake() {
    let node = serve(HttpConfig::default());
    fill(&node, "main", "a", 3);
    for query in [
        "",
        "prefix=",
        "prefix",
        "all=true",
        "prefix=&all=false",
        "prefix=&all=yes",
        "prefix=a&prefix=a",
        "prefix=a&limit=1",
        "prefix=a&delimiter=/",
        "prefix=a&acks=x",
        "prefix=%FF",
        "prefx=a",
    ] {
        let refused = node.delete(&format!("/v1/kv/main?{query}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    for name in ["if-match", "if-none-match"] {
        let refused = node.send("DELETE", "/v1/kv/main?prefix=a", &[(name, "*")], b"");
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{name}");
    }
    for (query, refusal) in [
        ("prefix=a&acks=1", (503, "not_enough_peers".to_owned())),
        ("prefix=a&durability=fsync", (400, "durability_unavailable".to_owned())),
        ("prefix=none&durability=fsync", (400, "durability_unavailable".to_owned())),
    ] {
        assert_eq!(node.delete(&format!("/v1/kv/main?{query}")).refusal(), refusal, "{query}");
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(node.send("DELETE", "/v1/kv/main?prefix=a", &foreign, b"").status, 403);
    assert_eq!(node.delete("/v1/kv/none?prefix=a").refusal(), (404, "store_not_found".to_owned()));
    assert_eq!(node.delete("/v1/kv/main/?prefix=a").refusal(), (400, "invalid_key".to_owned()));
    assert_eq!(count(&node, "main"), 3);
    let refused = serve_unready().delete("/v1/kv/main?prefix=a");
    assert_eq!(refused.refusal(), (503, "not_ready".to_owned()));
}

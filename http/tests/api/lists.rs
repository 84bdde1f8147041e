//! Keys in byte order, a page at a time.

use gridkv_http::HttpConfig;
use serde_json::Value as Json;

use crate::node::{Served, serve};

fn keys(page: &Json) -> Vec<String> {
    let rows = page["keys"].as_array().unwrap();
    rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
}

fn page(node: &Served, target: &str) -> Json {
    let answer = node.get(target);
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

#[test]
fn pages_cover_every_key_once_in_byte_order() {
    let node = serve(HttpConfig::default());
    let mut client = node.client();
    for store in ["main", "disk"] {
        let mut expected = Vec::new();
        for number in 0..57 {
            let key = format!("user:{:02}", (number * 31) % 57);
            client.send("PUT", &format!("/v1/kv/{store}/{key}"), &[], b"abc");
            expected.push(key);
        }
        for key in ["a", "user", "user;", "zz%2Fz", "%C3%A9"] {
            client.send("PUT", &format!("/v1/kv/{store}/{key}"), &[], b"");
        }
        client.send("DELETE", &format!("/v1/kv/{store}/user:05"), &[], b"");
        expected.retain(|key| key != "user:05");
        expected.sort();
        let mut seen = Vec::new();
        let mut target = format!("/v1/kv/{store}?prefix=user%3A&limit=10");
        loop {
            let page = page(&node, &target);
            assert_eq!((&page["store"], &page["prefix"]), (&store.into(), &"user:".into()));
            assert_eq!(page["common_prefixes"], serde_json::json!([]));
            seen.extend(keys(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            target = format!("/v1/kv/{store}?prefix=user%3A&limit=10&cursor={cursor}");
        }
        assert_eq!(seen, expected, "{store}");
        let all = keys(&page(&node, &format!("/v1/kv/{store}?limit=1000")));
        assert!(all.is_sorted() && all.len() == 61, "{all:?}");
        assert_eq!(all.last().unwrap(), "é");
    }
}

#[test]
fn a_row_says_what_its_key_has() {
    let node = serve(HttpConfig::default());
    let put = node.put("/v1/kv/main/a?ttl=1h", b"abc");
    let row = &page(&node, "/v1/kv/main")["keys"][0];
    assert_eq!(row["size"], 3);
    assert_eq!(row["version"], put.header("gridkv-version"));
    assert_eq!(row["expires_at"], put.header("gridkv-expires-at"));
    node.put("/v1/kv/main/a", b"");
    assert!(page(&node, "/v1/kv/main")["keys"][0].get("expires_at").is_none());
    assert_eq!(page(&node, "/v1/kv/main?prefix=none")["next_cursor"], Json::Null);
}

#[test]
fn lists_refuse_what_they_do_not_know() {
    let node = serve(HttpConfig::default());
    for key in ["a", "b", "c"] {
        node.put(&format!("/v1/kv/main/{key}"), b"");
        node.put(&format!("/v1/kv/disk/{key}"), b"");
    }
    let first = page(&node, "/v1/kv/main?limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    for target in [
        format!("/v1/kv/disk?limit=1&cursor={cursor}"),
        format!("/v1/kv/main?prefix=b&cursor={cursor}"),
        "/v1/kv/main?cursor=nonsense".to_owned(),
        "/v1/kv/main?cursor=".to_owned(),
    ] {
        assert_eq!(node.get(&target).refusal(), (400, "bad_cursor".to_owned()), "{target}");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "delimiter=/", "include=value", "prefix=%FF"]
    {
        let refused = node.get(&format!("/v1/kv/main?{query}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    for method in ["PUT", "DELETE", "POST", "PATCH"] {
        let refused = node.send(method, "/v1/kv/main", &[], b"");
        assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()));
        assert_eq!(refused.header("allow"), "GET, HEAD");
    }
}

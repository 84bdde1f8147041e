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
        format!("/v1/kv/main?delimiter=/&cursor={cursor}"),
        "/v1/kv/main?cursor=nonsense".to_owned(),
        "/v1/kv/main?cursor=".to_owned(),
    ] {
        assert_eq!(node.get(&target).refusal(), (400, "bad_cursor".to_owned()), "{target}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "delimiter=",
        "delimiter=%FF",
        "delimiter=aaaaaaaaaaaaaaaaa",
        "include=",
        "include=values",
        "include=meta,,value",
        "prefix=%FF",
        "all=true",
    ] {
        let refused = node.get(&format!("/v1/kv/main?{query}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    for method in ["PUT", "POST", "PATCH"] {
        let refused = node.send(method, "/v1/kv/main", &[], b"");
        assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()));
        assert_eq!(refused.header("allow"), "GET, HEAD, DELETE");
    }
}

#[test]
fn keys_are_rolled_up_at_a_delimiter_once_in_a_whole_walk() {
    let node = serve(HttpConfig::default());
    let mut client = node.client();
    let names = ["a", "a/", "a/b/c", "a/d", "b/x", "c", "c::d", "é/f", "é/g", "z"];
    for store in ["main", "disk"] {
        for name in names {
            let name = name.replace('é', "%C3%A9");
            client.send("PUT", &format!("/v1/kv/{store}/{name}"), &[], b"v");
        }
        client.send("DELETE", &format!("/v1/kv/{store}/b/x"), &[], b"");
        let table: [(&str, &[&str], &[&str]); 5] = [
            ("delimiter=/", &["a", "c", "c::d", "z"], &["a/", "é/"]),
            ("delimiter=%2F&prefix=a/", &["a/", "a/d"], &["a/b/"]),
            ("delimiter=::", &["a", "a/", "a/b/c", "a/d", "c", "z", "é/f", "é/g"], &["c::"]),
            ("delimiter=/&prefix=%C3%A9/", &["é/f", "é/g"], &[]),
            ("delimiter=%C3%A9", &["a", "a/", "a/b/c", "a/d", "c", "c::d", "z"], &["é"]),
        ];
        for (query, alone, groups) in table {
            for limit in [1, 2, 3, 1_000] {
                let base = format!("/v1/kv/{store}?{query}&limit={limit}");
                let (mut seen, mut prefixes, mut target) = (Vec::new(), Vec::new(), base.clone());
                loop {
                    let page = page(&node, &target);
                    let some = page["common_prefixes"].as_array().unwrap();
                    assert!(keys(&page).len() + some.len() <= limit);
                    seen.extend(keys(&page));
                    prefixes.extend(some.iter().map(|text| text.as_str().unwrap().to_owned()));
                    let Some(cursor) = page["next_cursor"].as_str() else { break };
                    target = format!("{base}&cursor={cursor}");
                }
                assert_eq!((&*seen, &*prefixes), (&owned(alone)[..], &owned(groups)[..]), "{base}");
            }
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_page_of_large_values_is_cut_and_goes_on() {
    let node = serve(HttpConfig::default());
    let mut client = node.client();
    let value = vec![b'v'; 700_000];
    for store in ["main", "disk"] {
        for number in 0..7 {
            client.send("PUT", &format!("/v1/kv/{store}/{number}"), &[], &value);
        }
        let (mut seen, mut pages) = (Vec::new(), 0);
        let mut target = format!("/v1/kv/{store}?include=value");
        loop {
            let page = page(&node, &target);
            pages += 1;
            for row in page["keys"].as_array().unwrap() {
                assert_eq!(row["value"].as_str().unwrap().len(), 700_000_usize.div_ceil(3) * 4);
                assert_eq!((&row["size"], row.get("content_type")), (&700_000.into(), None));
            }
            seen.extend(keys(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            target = format!("/v1/kv/{store}?include=value&cursor={cursor}");
        }
        assert_eq!((seen.len(), pages), (7, 4), "{store}: two of them in a page");
        assert!(seen.is_sorted());
        assert_eq!(keys(&page(&node, &format!("/v1/kv/{store}?include=meta"))).len(), 7);
    }
}

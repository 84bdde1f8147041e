//! One key: read, written, deleted, under conditions, with deadlines and of every shape.

use std::thread::sleep;
use std::time::Duration;

use gridkv_http::HttpConfig;

use crate::node::{serve, serve_unready};

const IF_MATCH: &str = "if-match";
const IF_NONE_MATCH: &str = "if-none-match";

#[test]
fn a_value_comes_back_as_it_was_stored() {
    let node = serve(HttpConfig::default());
    let created = node.send("PUT", "/v1/kv/main/a", &[("content-type", "text/x; y=z")], b"\0\xff");
    assert_eq!(created.status, 201);
    let version = created.header("gridkv-version").to_owned();
    assert_eq!(version.len(), 33);
    assert_eq!(created.header("etag"), format!("\"{version}\""));
    assert_eq!(created.header("gridkv-durability"), "memory");
    assert_eq!(created.header("gridkv-acks"), "0/0");
    assert!(created.body.is_empty());

    let read = node.get("/v1/kv/main/a");
    assert_eq!((read.status, read.body.as_slice()), (200, b"\0\xff".as_slice()));
    assert_eq!(read.header("content-type"), "text/x; y=z");
    assert_eq!(read.header("gridkv-version"), version);
    assert_eq!(read.header("cache-control"), "no-cache");
    assert_eq!(read.header("x-content-type-options"), "nosniff");
    assert_eq!(read.header("content-security-policy"), "sandbox; default-src 'none'");
    assert!(read.header("last-modified").ends_with(" GMT"));
    assert!(!read.headers.contains_key("gridkv-ttl"));
    assert!(!read.headers.contains_key("content-encoding"));

    let mut client = node.client();
    let head = client.send("HEAD", "/v1/kv/main/a", &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, "2"));
    assert_eq!(head.header("etag"), read.header("etag"));
    assert_eq!(client.send("GET", "/v1/kv/main/a", &[], b"").body, b"\0\xff", "the head had none");

    let replaced = node.put("/v1/kv/main/a", b"");
    assert_eq!(replaced.status, 204);
    assert!(replaced.header("gridkv-version") > version.as_str());
    let read = node.get("/v1/kv/main/a");
    assert_eq!((read.status, read.header("content-length")), (200, "0"));
    assert_eq!(read.header("content-type"), "application/octet-stream");
}

#[test]
fn a_deletion_is_always_done_and_says_what_was_there() {
    let node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"v");
    for existed in ["true", "false"] {
        let deleted = node.delete("/v1/kv/main/a?durability=memory");
        assert_eq!((deleted.status, deleted.header("gridkv-existed")), (204, existed));
        assert_eq!(deleted.header("gridkv-acks"), "0/0");
        assert_eq!(deleted.header("gridkv-durability"), "memory");
        assert_eq!(deleted.header("gridkv-version").len(), 33);
    }
    assert_eq!(node.get("/v1/kv/main/a").refusal(), (404, "key_not_found".to_owned()));
    assert_eq!(node.send("HEAD", "/v1/kv/main/a", &[], b"").status, 404);
}

#[test]
fn reads_are_conditional() {
    let node = serve(HttpConfig::default());
    let etag = node.put("/v1/kv/main/a", b"v").header("etag").to_owned();
    let other = "\"0000000000000001-0000000000000001\"";
    let get = |name, value: &str| node.send("GET", "/v1/kv/main/a", &[(name, value)], b"");
    for (same, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("{other}, {etag}"), 304),
        ("*".to_owned(), 304),
        (other.to_owned(), 200),
        ("\"nonsense\"".to_owned(), 200),
        ("nonsense".to_owned(), 400),
        (etag.trim_matches('"').to_owned(), 400),
        (format!("\"a,{etag}"), 400),
        (format!("*, {etag}"), 400),
    ] {
        assert_eq!(get(IF_NONE_MATCH, &same).status, status, "{same}");
    }
    let unchanged = get(IF_NONE_MATCH, &etag);
    assert_eq!(unchanged.header("etag"), etag);
    assert_eq!(unchanged.header("cache-control"), "no-cache");
    assert!(unchanged.body.is_empty());
    assert_eq!(get(IF_MATCH, other).status, 412);
    assert_eq!(get(IF_MATCH, &etag).status, 200);
    let head = node.send("HEAD", "/v1/kv/main/a", &[(IF_NONE_MATCH, &etag)], b"");
    assert_eq!(head.status, 304);
}

#[test]
fn writes_are_conditional() {
    let node = serve(HttpConfig::default());
    let put = |name, value: &str| node.send("PUT", "/v1/kv/main/a", &[(name, value)], b"v");
    let refused = put(IF_MATCH, "*");
    assert_eq!(refused.refusal(), (412, "precondition_failed".to_owned()));
    assert!(refused.json()["current_version"].is_null());
    let first = put(IF_NONE_MATCH, "*");
    assert_eq!(first.status, 201);
    let refused = put(IF_NONE_MATCH, "*");
    assert_eq!(refused.status, 412);
    assert_eq!(refused.json()["current_version"], first.header("gridkv-version"));
    let etag = first.header("etag");
    for (name, malformed) in
        [(IF_MATCH, format!("\"a,{etag}")), (IF_NONE_MATCH, "nonsense".to_owned())]
    {
        let refused = put(name, &malformed);
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{malformed}");
    }
    assert_eq!(put(IF_MATCH, &format!("W/{etag}")).status, 412, "a weak tag never matches");
    assert_eq!(put(IF_MATCH, "\"nonsense\"").status, 412);
    let second = put(IF_MATCH, &format!("\"nonsense\", {etag}"));
    assert_eq!(second.status, 204);
    assert_eq!(put(IF_MATCH, etag).status, 412, "it was replaced");

    let delete = |value: &str| node.send("DELETE", "/v1/kv/main/a", &[(IF_MATCH, value)], b"");
    assert_eq!(delete(etag).status, 412);
    assert_eq!(delete(second.header("etag")).status, 204);
}

#[test]
fn every_key_finds_its_own_value() {
    let node = serve(HttpConfig::default());
    let mut keys: Vec<String> = (0..128_u8).map(|byte| format!("%{byte:02X}x")).collect();
    // What RFC 3986 lets stand in a path as it is; the parser refuses most of the rest by itself.
    let bare = "-._~!$&'()*+,;=:@/azAZ09|";
    keys.extend(bare.chars().map(|character| format!("y{character}")));
    keys.extend(
        ["a//b", "a/", "//", "a%2Fb", "a%252Fb", "%C3%A9", "a/../b", "..."].map(str::to_owned),
    );
    keys.push("k".repeat(1_024));
    let mut client = node.client();
    for key in &keys {
        let target = format!("/v1/kv/main/{key}");
        let put = client.send("PUT", &target, &[], key.as_bytes());
        assert_eq!(put.status, 201, "{key}: {put:?}");
    }
    for key in &keys {
        let target = format!("/v1/kv/main/{key}");
        assert_eq!(client.send("GET", &target, &[], b"").body, key.as_bytes(), "{key}");
    }
    let same = client.send("GET", "/v1/%6bv/%6Dain/%61%2f%2Fb", &[], b"");
    assert_eq!(same.body, b"a//b");
}

#[test]
fn a_record_is_json_when_it_is_asked_for() {
    let node = serve(HttpConfig::default());
    let html = [("content-type", "text/html")];
    let put = node.send("PUT", "/v1/kv/main/%C3%A9?ttl=1h", &html, b"\xff<b>");
    let read = node.get("/v1/kv/main/%C3%A9?format=json");
    assert_eq!((read.status, read.header("content-type")), (200, "application/json"));
    for name in ["etag", "gridkv-version", "gridkv-expires-at"] {
        assert_eq!(read.header(name), put.header(name), "{name}");
    }
    assert_eq!(read.header("x-content-type-options"), "nosniff");
    assert_eq!(read.header("cache-control"), "no-cache");
    assert!(!read.headers.contains_key("content-disposition"), "it is no page");
    let json = read.json();
    let list = node.get("/v1/kv/main?include=meta,value").json();
    assert_eq!(json, list["keys"][0], "as in lists");
    assert_eq!((&json["key"], &json["size"]), (&"é".into(), &4.into()));
    assert_eq!((&json["content_type"], &json["value"]), (&"text/html".into(), &"/zxiPg==".into()));
    assert_eq!(json["version"], put.header("gridkv-version"));
    assert_eq!(json["expires_at"], put.header("gridkv-expires-at"));

    let head = node.send("HEAD", "/v1/kv/main/%C3%A9?format=json", &[], b"");
    let length = read.body.len().to_string();
    assert_eq!((head.status, head.header("content-length")), (200, length.as_str()));
    let same = [(IF_NONE_MATCH, put.header("etag"))];
    assert_eq!(node.send("GET", "/v1/kv/main/%C3%A9?format=json", &same, b"").status, 304);
    let raw = node.get("/v1/kv/main/%C3%A9?format=raw");
    assert_eq!((raw.body.as_slice(), raw.header("content-type")), (&b"\xff<b>"[..], "text/html"));
    let missing = node.get("/v1/kv/main/none?format=json");
    assert_eq!(missing.refusal(), (404, "key_not_found".to_owned()));
    node.put("/v1/kv/main/a", b"");
    let json = node.get("/v1/kv/main/a?format=json").json();
    assert_eq!(json["content_type"], "application/octet-stream");
    assert_eq!((&json["value"], json.get("expires_at")), (&"".into(), None));
}

#[test]
fn what_is_no_key_or_no_store_is_refused() {
    let node = serve(HttpConfig::default());
    let long = "k".repeat(1_025);
    for key in ["", "%FF", "%zz", "%", "%4", ".", "..", "%2E%2e", long.as_str()] {
        for method in ["GET", "PUT", "DELETE"] {
            let refused = node.send(method, &format!("/v1/kv/main/{key}"), &[], b"");
            assert_eq!(refused.refusal(), (400, "invalid_key".to_owned()), "{method} {key}");
        }
    }
    for store in ["", "nowhere", "MAIN", "ma%2Fin", "main%2Fx", "%FF", "%zz", "main%20"] {
        for target in [format!("/v1/kv/{store}/k"), format!("/v1/kv/{store}")] {
            let refused = node.get(&target);
            assert_eq!(refused.refusal(), (404, "store_not_found".to_owned()), "{target}");
        }
    }
}

#[test]
fn values_have_a_limit() {
    let node = serve(HttpConfig { max_value_bytes: 1_000, ..HttpConfig::default() });
    assert_eq!(node.put("/v1/kv/main/a", &[0; 1_000]).status, 201);
    let refused = node.put("/v1/kv/main/a", &[0; 1_001]);
    assert_eq!(refused.refusal(), (413, "value_too_large".to_owned()));
    assert_eq!(refused.json()["limit_bytes"], 1_000);

    let mut client = node.client();
    client.raw(b"PUT /v1/kv/main/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    client.raw(format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001)).as_bytes());
    assert_eq!(client.answer("PUT").refusal(), (413, "value_too_large".to_owned()));
    assert_eq!(node.get("/v1/kv/main/a").body, [0; 1_000], "nothing was written");

    let mut client = node.client();
    client.raw(b"PUT /v1/kv/main/c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    client.raw(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    assert_eq!(client.answer("PUT").status, 201);
    assert_eq!(node.get("/v1/kv/main/c").body, b"abc");
}

#[test]
fn a_value_lives_as_long_as_it_is_told() {
    let node = serve(HttpConfig::default());
    let put = node.put("/v1/kv/main/a?ttl=400ms", b"v");
    let deadline = put.header("gridkv-expires-at").to_owned();
    let read = node.get("/v1/kv/main/a");
    assert_eq!((read.header("gridkv-expires-at"), read.header("gridkv-ttl")), (&*deadline, "1"));
    sleep(Duration::from_millis(450));
    assert_eq!(node.get("/v1/kv/main/a").status, 404);

    let first = node.put("/v1/kv/main/b?ttl=1h", b"1").header("gridkv-expires-at").to_owned();
    assert_eq!(node.put("/v1/kv/main/b?ttl=keep", b"2").header("gridkv-expires-at"), first);
    node.put("/v1/kv/main/b?ttl=0", b"3");
    assert!(!node.get("/v1/kv/main/b").headers.contains_key("gridkv-expires-at"));
    node.put("/v1/kv/tiny/a", b"1");
    assert_eq!(node.get("/v1/kv/tiny/a").header("gridkv-ttl"), "60", "the store's default");
}

#[test]
fn durability_is_what_is_true_and_never_less_than_asked() {
    let node = serve(HttpConfig::default());
    let refused = node.put("/v1/kv/main/a?durability=fsync", b"v");
    assert_eq!(refused.refusal(), (400, "durability_unavailable".to_owned()));
    assert_eq!(refused.json()["best"], "memory");
    assert_eq!(node.get("/v1/kv/main/a").status, 404);
    assert_eq!(node.get("/v1/stores/disk/stats").json()["durability"], "os");
    let table = [("", "os"), ("memory", "os"), ("os", "os"), ("fsync", "fsync")];
    for (asked, reached) in table {
        let target = match asked {
            "" => "/v1/kv/disk/a".to_owned(),
            asked => format!("/v1/kv/disk/a?durability={asked}"),
        };
        let put = node.put(&target, b"v");
        assert!(put.status < 300, "{asked}: {}", put.status);
        assert_eq!(put.header("gridkv-durability"), reached, "put, asked for {asked:?}");
        let deleted = node.delete(&target);
        assert_eq!(deleted.header("gridkv-durability"), reached, "delete, asked for {asked:?}");
    }
    let batch = br#"{"ops":[{"op":"put","key":"a","value":"v"},{"op":"get","key":"a"}]}"#;
    for (asked, reached) in &table[1..] {
        let target = format!("/v1/stores/disk/batch?durability={asked}");
        let answer = node.send("POST", &target, &[], batch);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("gridkv-durability"), *reached, "batch, asked for {asked}");
    }
}

#[test]
fn parameters_are_known_given_once_and_well_formed() {
    let node = serve(HttpConfig::default());
    for query in [
        "tll=1",
        "ack=1",
        "ttl=1&ttl=1",
        "ttl=x",
        "ttl=%zz",
        "durability=interval",
        "wait=1s",
        "ack_timeout=x",
        "format=json",
        "ttl=",
        "prefix=a",
    ] {
        let refused = node.put(&format!("/v1/kv/main/a?{query}"), b"v");
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    assert_eq!(node.put("/v1/kv/main/a?tll=1", b"v").json()["did_you_mean"], "ttl");
    for query in ["ttl=1", "min_version=1", "timeout=1s", "format=xml", "format=", "format=JSON"] {
        assert_eq!(node.get(&format!("/v1/kv/main/a?{query}")).status, 400, "{query}");
    }
    assert_eq!(node.delete("/v1/kv/main/a?ttl=1").status, 400);
    assert_eq!(node.get("/v1/kv/main/a").status, 404, "nothing was written");
    assert_eq!(node.put("/v1/kv/main/a?", b"v").status, 201);
}

#[test]
fn content_types_are_kept_unless_they_say_nothing_and_pages_are_downloads() {
    let node = serve(HttpConfig::default());
    let put =
        |given: &str| node.send("PUT", "/v1/kv/main/a", &[("content-type", given)], b"v").status;
    for (given, kept) in [
        ("application/x-www-form-urlencoded", "application/octet-stream"),
        ("Application/JSON", "Application/JSON"),
        ("image/svg+xml", "image/svg+xml"),
    ] {
        assert!(put(given) < 300);
        let read = node.get("/v1/kv/main/a");
        assert_eq!(read.header("content-type"), kept);
        let attached = read.headers.get("content-disposition").map(String::as_str);
        assert_eq!(attached, (given == "image/svg+xml").then_some("attachment"));
    }
    assert_eq!(put(&"x".repeat(300)), 400);
}

#[test]
fn a_full_store_refuses_and_stays_as_it_was() {
    let node = serve(HttpConfig::default());
    assert_eq!(node.put("/v1/kv/tiny/a", b"small").status, 201);
    let refused = node.put("/v1/kv/tiny/b", &[0; 10_000]);
    assert_eq!(refused.refusal(), (507, "memory_limit".to_owned()));
    assert_eq!(refused.json()["limit_bytes"], 4_096);
    assert_eq!(node.get("/v1/kv/tiny/b").status, 404);
    assert_eq!(node.get("/v1/kv/tiny/a").body, b"small");
}

#[test]
fn a_node_that_is_not_ready_reads_and_does_not_write() {
    let node = serve_unready();
    let ready = node.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8(ready.body).unwrap().contains("[-]"));
    let refused = node.put("/v1/kv/main/a", b"v");
    assert_eq!(refused.refusal(), (503, "not_ready".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(node.get("/v1/kv/main/a").code(), "key_not_found");
    assert_eq!(node.get("/livez").status, 200);
    let read =
        node.send("POST", "/v1/stores/main/batch", &[], br#"{"ops":[{"op":"get","key":"a"}]}"#);
    assert_eq!((read.status, read.json()["results"][0]["status"].as_u64()), (200, Some(404)));
}

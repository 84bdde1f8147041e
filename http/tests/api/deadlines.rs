//! `PATCH`: another deadline, the same value.

use gridkv_http::HttpConfig;

use crate::node::{serve, serve_unready};

#[test]
fn a_deadline_is_changed_and_the_value_stays() {
    let node = serve(HttpConfig::default());
    let patch = |query: &str| node.send("PATCH", &format!("/v1/kv/main/a?{query}"), &[], b"");
    let put = node.send("PUT", "/v1/kv/main/a", &[("content-type", "text/x")], b"v");
    let patched = patch("ttl=1h");
    assert_eq!((patched.status, patched.body.as_slice()), (204, &b""[..]));
    let version = patched.header("gridkv-version").to_owned();
    assert!(version.as_str() > put.header("gridkv-version"));
    assert_eq!(patched.header("etag"), format!("\"{version}\""));
    assert_eq!(patched.header("gridkv-durability"), "memory");
    assert_eq!(patched.header("gridkv-acks"), "0/0");
    let read = node.get("/v1/kv/main/a");
    assert_eq!((read.body.as_slice(), read.header("content-type")), (&b"v"[..], "text/x"));
    assert_eq!((read.header("gridkv-ttl"), read.header("gridkv-version")), ("3600", &*version));
    let deadline = read.header("gridkv-expires-at");
    assert_eq!(deadline, patched.header("gridkv-expires-at"));

    let kept = patch("ttl=keep&durability=memory&acks=0&ack_timeout=1s");
    assert_eq!((kept.status, kept.header("gridkv-expires-at")), (204, deadline));
    assert_eq!(patch("ttl=0").status, 204);
    let read = node.get("/v1/kv/main/a");
    assert_eq!((read.status, read.headers.contains_key("gridkv-expires-at")), (200, false));
    let disk = "/v1/kv/disk/a";
    node.put(disk, b"v");
    let synced = node.send("PATCH", &format!("{disk}?ttl=1h&durability=fsync"), &[], b"");
    assert_eq!((synced.status, synced.header("gridkv-durability")), (204, "fsync"));
}

#[test]
fn a_deadline_is_changed_under_conditions_and_only_of_a_key_that_is_there() {
    let node = serve(HttpConfig::default());
    let patch = |name, value: &str| {
        node.send("PATCH", "/v1/kv/main/a?ttl=1h", &[(name, value)], b"").status
    };
    let missing = node.send("PATCH", "/v1/kv/main/a?ttl=1h", &[], b"");
    assert_eq!(missing.refusal(), (404, "key_not_found".to_owned()));
    assert_eq!(node.get("/v1/kv/main/a").status, 404, "nothing was made");
    assert_eq!(patch("if-match", "*"), 412);
    let first = node.put("/v1/kv/main/a", b"v").header("etag").to_owned();
    assert_eq!(patch("if-none-match", "*"), 412);
    assert_eq!(patch("if-none-match", &first), 412);
    assert_eq!(patch("if-match", &first), 204);
    let refused = node.send("PATCH", "/v1/kv/main/a?ttl=1h", &[("if-match", &first)], b"");
    assert_eq!(refused.refusal(), (412, "precondition_failed".to_owned()));
    assert_eq!(
        refused.json()["current_version"],
        node.get("/v1/kv/main/a").header("gridkv-version")
    );
    node.delete("/v1/kv/main/a");
    assert_eq!(node.send("PATCH", "/v1/kv/main/a?ttl=1h", &[], b"").status, 404);
}

#[test]
fn a_deadline_that_was_not_said_well_changes_nothing() {
    let node = serve(HttpConfig::default());
    let put = node.put("/v1/kv/main/a?ttl=1h", b"v");
    for query in
        ["", "ttl=", "ttl=x", "ttl=-1", "tll=1s", "ttl=1s&ttl=1s", "ttl=1&acks=x", "format=json"]
    {
        let refused = node.send("PATCH", &format!("/v1/kv/main/a?{query}"), &[], b"");
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    let refused = node.send("PATCH", "/v1/kv/main/a?ttl=1s", &[], b"v");
    assert_eq!(refused.refusal(), (400, "malformed_body".to_owned()));
    assert_eq!(node.get("/v1/kv/main/a").header("gridkv-version"), put.header("gridkv-version"));
    let mut client = node.client();
    client.raw(b"PATCH /v1/kv/main/a?ttl=2h HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.answer("PATCH").status, 204, "no bytes are no body");
    assert!(node.get("/v1/kv/main/a").header("gridkv-version") > put.header("gridkv-version"));
    for (key, code) in [("", "invalid_key"), ("%FF", "invalid_key")] {
        let refused = node.send("PATCH", &format!("/v1/kv/main/{key}?ttl=1s"), &[], b"");
        assert_eq!(refused.refusal(), (400, code.to_owned()));
    }
    let lacks = node.send("PATCH", "/v1/kv/main/a?ttl=1s&acks=1", &[], b"");
    assert_eq!(lacks.refusal(), (503, "not_enough_peers".to_owned()));
    let refused = serve_unready().send("PATCH", "/v1/kv/main/a?ttl=1s", &[], b"");
    assert_eq!(refused.refusal(), (503, "not_ready".to_owned()));
}

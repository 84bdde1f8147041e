//! Stores that are made and dropped while the node runs, and what is refused.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::ledger::CURSED;
use crate::node::{Served, serve};

fn names(node: &Served) -> Vec<String> {
    let said = node.get("/v1/stores").json();
    let stores = said["stores"].as_array().unwrap().iter();
    stores.map(|store| store["store"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_store_comes_goes_and_comes_again_empty() {
    let node = serve(HttpConfig::default());
    for backend in ["memory", "file", "file"] {
        let body = json!({ "backend": backend }).to_string();
        let made = node.put("/v1/stores/new", body.as_bytes());
        assert_eq!((made.status, made.header("location")), (201, "/v1/stores/new/stats"));
        let said = made.json();
        assert_eq!((&said["store"], &said["backend"]), (&json!("new"), &json!(backend)));
        assert_eq!((&said["configured"], &said["key_count"]), (&json!(false), &json!(0)));
        assert_eq!(names(&node), ["disk", "main", "new", "tiny"]);
        assert_eq!(node.get("/v1/kv/new/k").refusal(), (404, "key_not_found".to_owned()));
        assert_eq!(node.put("/v1/kv/new/k", b"v").status, 201);
        assert!(node.get("/metrics").text().contains("store=\"new\""));
        assert!(node.get("/readyz").text().contains("[+]store:new ok"));
        assert_eq!(node.delete("/v1/stores/new?confirm=new").status, 204);
        assert_eq!(names(&node), ["disk", "main", "tiny"]);
        assert_eq!(node.get("/v1/kv/new/k").refusal(), (404, "store_not_found".to_owned()));
        assert!(!node.get("/metrics").text().contains("store=\"new\""), "nothing is left of it");
        assert_eq!(node.get("/readyz").status, 200);
    }
    assert_eq!(node.get("/livez").status, 200, "no actor is missed");
}

#[test]
fn what_is_not_made() {
    let node = serve(HttpConfig::default());
    let memory = br#"{"backend":"memory"}"#;
    let table: [(&str, &[u8], u16, &str); 11] = [
        ("/v1/stores/main", memory, 409, "store_exists"),
        ("/v1/stores/Main", memory, 400, "invalid_parameter"),
        ("/v1/stores/%2F", memory, 400, "invalid_parameter"),
        ("/v1/stores/new?x", memory, 400, "invalid_parameter"),
        ("/v1/stores/new", b"{}", 400, "invalid_definition"),
        ("/v1/stores/new", b"[]", 400, "malformed_body"),
        ("/v1/stores/new", b"", 400, "malformed_body"),
        ("/v1/stores/new", br#"{"backend":"memory","backend":"#, 400, "malformed_body"),
        ("/v1/stores/new", br#"{"backend":"none"}"#, 503, "store_failed"),
        ("/v1/stores/cursed", memory, 507, "disk_full"),
        ("/v1/stores/", memory, 400, "invalid_parameter"),
    ];
    for (target, body, status, code) in table {
        let refused = node.put(target, body);
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{target}");
        assert!(!refused.text().contains("secret"), "{target}");
    }
    assert_eq!(names(&node), ["disk", "main", "tiny"]);
    let file = br#"{"backend":"file"}"#;
    let target = format!("/v1/stores/{CURSED}");
    assert_eq!(
        node.put(&target, file).refusal(),
        (507, "disk_full".to_owned()),
        "and nothing stays"
    );
    assert_eq!(node.put(&target, memory).refusal(), (507, "disk_full".to_owned()));
    let text = [("Content-Type", "text/plain")];
    let refused = node.send("PUT", "/v1/stores/new", &text, memory);
    assert_eq!(refused.refusal(), (415, "unsupported_media_type".to_owned()));
    assert_eq!(node.get("/v1/stores/main").header("allow"), "PUT, DELETE");
}

#[test]
fn what_is_not_dropped() {
    let node = serve(HttpConfig::default());
    assert_eq!(node.put("/v1/stores/new", br#"{"backend":"memory"}"#).status, 201);
    let table = [
        ("/v1/stores/none?confirm=none", 404, "store_not_found"),
        ("/v1/stores/new", 400, "invalid_parameter"),
        ("/v1/stores/new?confirm=main", 400, "invalid_parameter"),
        ("/v1/stores/new?confirm=new&x", 400, "invalid_parameter"),
        ("/v1/stores/main?confirm=main", 409, "store_configured"),
    ];
    for (target, status, code) in table {
        assert_eq!(node.delete(target).refusal(), (status, code.to_owned()), "{target}");
    }
    assert_eq!(names(&node), ["disk", "main", "new", "tiny"]);
    assert_eq!(node.put("/v1/kv/new/k", b"v").status, 201);
}

#[test]
fn who_follows_a_store_is_told_that_it_ended() {
    let node = serve(HttpConfig::default());
    assert_eq!(node.put("/v1/stores/new", br#"{"backend":"memory"}"#).status, 201);
    assert_eq!(node.put("/v1/kv/new/k", b"v").status, 201);
    let mut feed = node.client();
    feed.raw(b"GET /v1/stores/new/changes?since=0 HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n");
    assert_eq!(feed.head().status, 200);
    feed.until("event: put");
    assert_eq!(node.delete("/v1/stores/new?confirm=new").status, 204);
    feed.until("event: bye");
    feed.until("\r\n0\r\n\r\n");
}

#[test]
fn there_is_an_end_to_the_number_of_stores() {
    let node = serve(HttpConfig::default());
    for n in 0..61 {
        let made = node.put(&format!("/v1/stores/s{n}"), br#"{"backend":"memory"}"#);
        assert_eq!(made.status, 201, "{n}: {}", made.text());
    }
    let refused = node.put("/v1/stores/s61", br#"{"backend":"memory"}"#);
    assert_eq!(refused.refusal(), (409, "too_many_stores".to_owned()));
    assert_eq!(node.delete("/v1/stores/s3?confirm=s3").status, 204);
    assert_eq!(node.put("/v1/stores/s61", br#"{"backend":"memory"}"#).status, 201);
    assert_eq!(node.put("/v1/kv/s61/k", b"v").status, 201);
}

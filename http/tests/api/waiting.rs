//! Acknowledgement by peers and reads of a version, as far as a node alone can tell.

use std::time::Duration;

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::serve;

/// A version that a node which does not exist would have minted.
const ELSEWHERE: &str = "01a2088455220000-0000beef6a000000";

#[test]
fn a_node_alone_is_its_own_majority() {
    let node = serve(HttpConfig::default());
    for (query, status) in
        [("", 201), ("?acks=0", 204), ("?acks=majority", 204), ("?acks=all", 204)]
    {
        let put = node.put(&format!("/v1/kv/main/a{query}"), b"v");
        assert_eq!((put.status, put.header("gridkv-acks")), (status, "0/0"), "{query}");
    }
    let gone = node.delete("/v1/kv/main/a?acks=majority&ack_timeout=1s");
    assert_eq!((gone.status, gone.header("gridkv-acks")), (204, "0/0"));
}

#[test]
fn peers_that_are_not_there_are_missed_before_anything_is_written() {
    let node = serve(HttpConfig::default());
    let put = node.put("/v1/kv/main/a?acks=1", b"v");
    assert_eq!(put.refusal(), (503, "not_enough_peers".to_owned()));
    assert_eq!((put.header("retry-after"), &put.json()["asked"]), ("1", &json!(1)));
    assert_eq!(node.get("/v1/kv/main/a").status, 404, "nothing was written");
    node.put("/v1/kv/main/a", b"v");
    let gone = node.delete("/v1/kv/main/a?acks=2");
    assert_eq!(gone.refusal(), (503, "not_enough_peers".to_owned()));
    assert_eq!(node.get("/v1/kv/main/a").status, 200);

    let batch = |query: &str, ops: &str| {
        let body = format!("{{\"ops\":[{ops}]}}");
        node.send("POST", &format!("/v1/stores/main/batch{query}"), &[], body.as_bytes())
    };
    let put = r#"{"op":"put","key":"b","value":"v"}"#;
    assert_eq!(batch("?acks=1", put).refusal(), (503, "not_enough_peers".to_owned()));
    assert_eq!(node.get("/v1/kv/main/b").status, 404);
    assert_eq!(batch("?acks=all", put).header("gridkv-acks"), "0/0");
    let read = batch("?acks=1", r#"{"op":"get","key":"b"}"#);
    assert_eq!(read.status, 200, "who only reads asks nobody");
    assert!(!read.headers.contains_key("gridkv-acks"));
    for query in ["?acks=many", "?acks=1&ack_timeout=1h"] {
        assert_eq!(batch(query, put).refusal(), (400, "invalid_parameter".to_owned()));
        let put = node.put(&format!("/v1/kv/main/c{query}"), b"v");
        assert_eq!(put.refusal(), (400, "invalid_parameter".to_owned()));
    }
    let text = String::from_utf8(node.get("/metrics").body).unwrap();
    for line in [
        "gridkv_ack_waits_total{store=\"main\",result=\"met\"} 0",
        "gridkv_ack_wait_duration_seconds_count{store=\"main\",result=\"timeout\"} 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_read_of_what_was_written_here_does_not_wait() {
    let node = serve(HttpConfig::default());
    for store in ["main", "disk"] {
        let version = node.put(&format!("/v1/kv/{store}/a"), b"v");
        let version = version.header("gridkv-version");
        let get = node.get(&format!("/v1/kv/{store}/a?min_version={version}&timeout=0"));
        assert_eq!((get.status, get.body.as_slice()), (200, b"v".as_slice()));
        let absent = node.get(&format!("/v1/kv/{store}/none?min_version={version}&timeout=0"));
        assert_eq!(
            absent.refusal(),
            (404, "key_not_found".to_owned()),
            "it is covered, and absent"
        );
    }
}

#[test]
fn a_version_that_never_comes_ends_the_patience() {
    let node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"v");
    let get = node.get(&format!("/v1/kv/main/a?min_version={ELSEWHERE}&timeout=50ms"));
    assert_eq!(get.refusal(), (504, "version_not_reached".to_owned()));
    assert_eq!(get.json()["version"], ELSEWHERE);
    let target = format!("/v1/kv/main/a?min_version={ELSEWHERE}&timeout=0");
    assert_eq!(node.send("HEAD", &target, &[], b"").status, 504);
    for query in ["min_version=7", "min_version=", "timeout=soon", "timeout=11m", "min_versoin=7"] {
        let get = node.get(&format!("/v1/kv/main/a?{query}"));
        assert_eq!(get.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
}

#[test]
fn a_node_that_stops_answers_who_waits() {
    let mut node = serve(HttpConfig::default());
    let mut client = node.client();
    let target = format!("/v1/kv/main/a?min_version={ELSEWHERE}&timeout=10m");
    client.raw(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    // Once it is in flight, beside the request that asks.
    let in_flight = || String::from_utf8(node.get("/metrics").body).unwrap();
    while !in_flight().contains("gridkv_http_requests_in_flight 2") {
        std::thread::sleep(Duration::from_millis(5));
    }
    node.tell_to_drain();
    assert_eq!(client.answer("GET").refusal(), (504, "version_not_reached".to_owned()));
    node.wait();
}

//! Several operations in one request.

use gridkv_http::HttpConfig;
use gridkv_protocol::{Value, codec};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::node::{Served, serve};

const TARGET: &str = "/v1/stores/main/batch";

fn post(node: &Served, content_type: &str, body: &[u8]) -> Answer {
    node.send("POST", TARGET, &[("content-type", content_type)], body)
}

fn batch(node: &Served, body: &Json) -> Json {
    let answer = post(node, "application/json", body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

fn statuses(reply: &Json) -> Vec<u64> {
    let results = reply["results"].as_array().unwrap();
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[test]
fn operations_are_done_in_order_and_each_has_its_status() {
    let node = serve(HttpConfig { max_value_bytes: 100, ..HttpConfig::default() });
    let reply = batch(
        &node,
        &json!({"ops": [
            {"op": "get", "key": "a"},
            {"op": "put", "key": "a", "value": "1", "content_type": "text/plain", "ttl": "1h"},
            {"op": "put", "key": "a", "value": "/w==", "encoding": "base64"},
            {"op": "get", "key": "a"},
            {"op": "get", "key": "a", "encoding": "base64"},
            {"op": "put", "key": "a", "value": "2", "if_none_match": "*"},
            {"op": "touch", "key": "a", "ttl": 60},
            {"op": "touch", "key": "none", "ttl": 60},
            {"op": "delete", "key": "a"},
            {"op": "delete", "key": "a"},
            {"op": "put", "key": "", "value": ""},
            {"op": "put", "key": "b", "value": "x".repeat(101)},
            {"op": "put", "key": "..", "value": "x", "encoding": "utf8"},
            {"op": "get", "key": ".."},
        ]}),
    );
    assert_eq!(
        statuses(&reply),
        [404, 201, 204, 200, 200, 412, 204, 404, 204, 204, 400, 413, 201, 200]
    );
    assert_eq!(reply["errors"], 5);
    let results = &reply["results"];
    assert_eq!(results[3]["value"], "/w==");
    assert_eq!(results[3]["encoding"], "base64", "it is no text");
    assert_eq!(results[5]["current_version"], results[4]["version"]);
    assert!(results[6]["expires_at"].is_string());
    assert_eq!(results[7]["code"], "key_not_found");
    assert_eq!((&results[8]["existed"], &results[9]["existed"]), (&json!(true), &json!(false)));
    assert_eq!(results[10]["code"], "invalid_key");
    assert_eq!(
        (&results[11]["code"], &results[11]["limit_bytes"]),
        (&json!("value_too_large"), &json!(100))
    );
    assert_eq!((&results[13]["value"], &results[13]["encoding"]), (&json!("x"), &json!("utf8")));
    assert_eq!(results[13]["content_type"], "application/octet-stream");
}

#[test]
fn an_atomic_batch_is_all_or_nothing() {
    let node = serve(HttpConfig::default());
    let version = node.put("/v1/kv/main/a", b"1").header("gridkv-version").to_owned();
    let attempt = |if_match: &str, last_key: &str| {
        json!({"atomic": true, "ops": [
            {"op": "put", "key": "x", "value": "1"},
            {"op": "put", "key": "a", "value": "2", "if_match": if_match},
            {"op": "put", "key": last_key, "value": "3"},
        ]})
    };
    let stale = "0000000000000001-0000000000000001";
    for (refused, failed, status) in
        [(attempt(stale, "y"), 1, 412), (attempt(&version, ""), 2, 400)]
    {
        let reply = batch(&node, &refused);
        let results = reply["results"].as_array().unwrap();
        for (index, result) in results.iter().enumerate() {
            let expected = if index == failed { status } else { 424 };
            assert_eq!(result["status"], expected, "{reply}");
            assert!(index == failed || result["code"] == "batch_aborted");
        }
        assert_eq!(reply["errors"], 3);
        assert_eq!(node.get("/v1/kv/main/x").status, 404, "nothing was written");
        assert_eq!(node.get("/v1/kv/main/a").body, b"1");
    }
    assert_eq!(statuses(&batch(&node, &attempt(&version, "y"))), [201, 204, 201]);
}

#[derive(Serialize)]
struct Ops {
    ops: Vec<PackedOp>,
}

#[derive(Serialize)]
struct PackedOp {
    op: &'static str,
    key: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Packed {
    errors: u64,
    results: Vec<PackedResult>,
}

#[derive(Deserialize)]
struct PackedResult {
    status: u16,
    value: Option<Value>,
    code: Option<String>,
}

#[test]
fn messagepack_carries_bytes_as_bytes() {
    let node = serve(HttpConfig::default());
    let bytes = Value::copied(b"\xff\0");
    let op = |op, value| PackedOp { op, key: "a", value };
    let ops = Ops { ops: vec![op("get", None), op("put", Some(bytes.clone())), op("get", None)] };
    let answer = post(&node, "application/x-msgpack", &codec::encode_named(&ops).unwrap());
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-msgpack"));
    let packed: Packed = codec::decode(&answer.body).unwrap();
    assert_eq!(packed.errors, 1);
    let statuses: Vec<u16> = packed.results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [404, 201, 200]);
    assert_eq!(packed.results[0].code.as_deref(), Some("key_not_found"));
    assert_eq!(packed.results[2].value, Some(bytes));
    assert_eq!(node.get("/v1/kv/main/a").body, b"\xff\0");
}

#[test]
fn malformed_batches_are_refused_whole() {
    let node = serve(HttpConfig { max_batch_ops: 3, max_body_bytes: 500, ..HttpConfig::default() });
    let good = r#"{"op":"put","key":"a","value":"1"}"#;
    for bad in
        [r#"{"op":"set","key":"b"}"#, r#"{"op":"get"}"#, r#"{"op":"get","key":"b","x":1}"#, "7"]
    {
        let refused =
            post(&node, "application/json", format!("{{\"ops\":[{good},{bad}]}}").as_bytes());
        assert_eq!(refused.refusal(), (400, "malformed_body".to_owned()), "{bad}");
        assert_eq!(refused.json()["index"], 1, "{bad}");
    }
    for bad in ["", "{", "[]", "{\"ops\":[]} x", "{\"op\":[]}", "\u{fffd}"] {
        let refused = post(&node, "application/json", bad.as_bytes());
        assert_eq!(refused.refusal(), (400, "malformed_body".to_owned()), "{bad}");
        let refused = post(&node, "application/x-msgpack", bad.as_bytes());
        assert_eq!(refused.code(), "malformed_body", "{bad}");
    }
    let refused = post(
        &node,
        "application/json",
        format!("{{\"ops\":[{}{good}]}}", format!("{good},").repeat(3)).as_bytes(),
    );
    assert_eq!(refused.refusal(), (413, "body_too_large".to_owned()));
    assert_eq!(refused.json()["limit_ops"], 3);
    let refused = post(&node, "application/json", &[b' '; 501]);
    assert_eq!(refused.refusal(), (413, "body_too_large".to_owned()));
    assert_eq!(refused.json()["limit_bytes"], 500);
    assert_eq!(node.get("/v1/kv/main/a").status, 404, "nothing was written");
}

#[test]
fn a_batch_says_its_type_or_is_json() {
    let node = serve(HttpConfig::default());
    let body = br#"{"ops":[]}"#;
    assert_eq!(node.send("POST", TARGET, &[], body).json(), json!({"errors": 0, "results": []}));
    for other in ["text/plain", "application/xml", "application/octet-stream"] {
        let refused = post(&node, other, body);
        assert_eq!(refused.refusal(), (415, "unsupported_media_type".to_owned()));
    }
    let refused = node.send(
        "POST",
        &format!("{TARGET}?durability=fsync"),
        &[],
        br#"{"ops":[{"op":"put","key":"a","value":""}]}"#,
    );
    assert!(
        refused.status == 400 || refused.json()["results"][0]["code"] == "durability_unavailable"
    );
    assert_eq!(node.get("/v1/kv/main/a").status, 404);
    assert_eq!(node.send("POST", "/v1/stores/none/batch", &[], body).code(), "store_not_found");
    assert_eq!(node.get(TARGET).header("allow"), "POST");
    assert_eq!(
        node.send("POST", &format!("{TARGET}?ack=1"), &[], body).code(),
        "invalid_parameter"
    );
}

//! What operators ask of a store: to be on the disk, and to take less room there.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::serve;

#[test]
fn a_store_is_brought_to_the_disk_or_says_that_it_has_none() {
    let node = serve(HttpConfig::default());
    assert_eq!(node.put("/v1/kv/disk/k", b"v").status, 201);
    let answer = node.send("POST", "/v1/stores/disk/persist", &[], b"");
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let said = answer.json();
    assert_eq!(said["store"], "disk");
    assert!(said["duration_ms"].is_u64() && said["bytes"].as_u64().unwrap() > 0, "{said}");
    let refused = node.send("POST", "/v1/stores/main/persist", &[], b"");
    assert_eq!(refused.refusal(), (501, "not_supported".to_owned()));
    assert!(refused.json()["detail"].as_str().unwrap().contains("snapshot"));
    let refused = node.send("POST", "/v1/stores/none/persist", &[], b"");
    assert_eq!(refused.refusal(), (404, "store_not_found".to_owned()));
    let refused = node.send("POST", "/v1/stores/disk/persist?x", &[], b"");
    assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()));
    assert_eq!(node.get("/v1/stores/disk/persist").header("allow"), "POST");
}

#[test]
fn a_compaction_is_an_operation() {
    let node = serve(HttpConfig::default());
    for round in 0..20 {
        node.put("/v1/kv/disk/k", format!("{round}").repeat(1_000).as_bytes());
    }
    let begun = node.send("POST", "/v1/stores/disk/compact", &[], b"");
    assert_eq!(begun.status, 202);
    let location = begun.header("location").to_owned();
    let said = begun.json();
    assert_eq!((&said["kind"], &said["store"]), (&json!("compaction"), &json!("disk")));
    assert!(said.get("peer").is_none() && said.get("mode").is_none(), "{said}");
    let ended = node.get(&format!("{location}?wait=1m")).json();
    assert_eq!((&ended["state"], &ended["error"]), (&json!("done"), &json!(null)));
    assert_eq!((&ended["done"], &ended["total"]), (&json!(1), &json!(1)));
    assert_eq!(node.get("/v1/kv/disk/k").body, "19".repeat(1_000).as_bytes());
    let refused = node.send("POST", "/v1/stores/main/compact", &[], b"");
    assert_eq!(refused.refusal(), (501, "not_supported".to_owned()));
    let refused = node.send("POST", "/v1/stores/none/compact", &[], b"");
    assert_eq!(refused.refusal(), (404, "store_not_found".to_owned()));
    assert_eq!(node.get(&format!("{location}?wait=1m")).json()["state"], "done", "at once");
    let refused = node.get(&format!("{location}?wait=soon"));
    assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()));
    let refused = node.get("/v1/operations/99?wait=1m");
    assert_eq!(refused.refusal(), (404, "operation_not_found".to_owned()));
}

//! What operators ask of a node: another level of the log, and the way out of service.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::serve;

#[test]
fn the_level_of_the_log_is_changed_and_shown() {
    let node = serve(HttpConfig::default());
    let set = |body: &str| node.put("/v1/admin/log-level", body.as_bytes());
    for level in ["debug", "trace", "info", "warn"] {
        let answer = set(&format!("{{\"level\":\"{level}\"}}"));
        assert_eq!((answer.status, answer.body.as_slice()), (204, b"".as_slice()), "{level}");
        assert_eq!(node.get("/v1/node").json()["config"]["log"], json!({"level": level}));
    }
    for body in ["", "debug", "{}", "[]", "{\"level\":5}", "{\"level\":\"debug\",\"x\":1}"] {
        assert_eq!(set(body).refusal(), (400, "malformed_body".to_owned()), "{body}");
    }
    for level in ["", "loud", "DEBUG", "off", "info,gridkv_actors=debug"] {
        let refused = set(&format!("{{\"level\":\"{level}\"}}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{level}");
        let allowed = json!(["error", "warn", "info", "debug", "trace"]);
        assert_eq!(refused.json()["allowed"], allowed);
    }
    // The log of this node can not be silenced, and why is nobody's business.
    let failed = set("{\"level\":\"error\"}");
    assert_eq!(failed.refusal(), (500, "internal".to_owned()));
    assert!(!failed.json().to_string().contains("secret"));
    assert_eq!(node.get("/v1/node").json()["config"]["log"], json!({"level": "warn"}));
    let wrong = node.get("/v1/admin/log-level");
    assert_eq!((wrong.status, wrong.header("allow")), (405, "PUT"));
    let query = node.put("/v1/admin/log-level?x=1", b"{\"level\":\"info\"}");
    assert_eq!(query.refusal(), (400, "invalid_parameter".to_owned()));
}

#[test]
fn a_node_that_is_drained_is_read_and_not_written() {
    let node = serve(HttpConfig::default());
    assert_eq!(node.put("/v1/kv/main/k", b"v").status, 201);
    let refused = node.send("POST", "/v1/admin/drain?now=1", &[], b"");
    assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()));
    assert_eq!(node.get("/readyz").status, 200, "it was refused");
    for _ in 0..2 {
        let drained = node.send("POST", "/v1/admin/drain", &[], b"");
        assert_eq!((drained.status, &drained.json()["draining"]), (202, &json!(true)));
        let ready = node.get("/readyz");
        assert_eq!(ready.status, 503);
        let lines = String::from_utf8(ready.body).unwrap();
        assert!(lines.contains("[-]drain: draining: writes are refused"), "{lines}");
        assert!(lines.contains("[+]store:main ok"), "{lines}");
    }
    let batch = |ops: &str| node.send("POST", "/v1/stores/main/batch", &[], ops.as_bytes());
    for refused in [
        node.put("/v1/kv/main/k", b"w"),
        node.put("/v1/kv/main/k?acks=all", b"w"),
        node.delete("/v1/kv/main/k"),
        batch("{\"ops\":[{\"op\":\"delete\",\"key\":\"k\"}]}"),
    ] {
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(refused.refusal(), (503, "draining".to_owned()));
        assert_eq!(refused.json()["outcome"], "not_applied");
    }
    assert_eq!(node.get("/v1/kv/main/k").body, b"v");
    assert_eq!(node.get("/v1/kv/main").json()["keys"].as_array().unwrap().len(), 1);
    assert_eq!(batch("{\"ops\":[{\"op\":\"get\",\"key\":\"k\"}]}").json()["errors"], 0);
    assert_eq!(node.get("/livez").status, 200);
}

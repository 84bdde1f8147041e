//! Which nodes have a write, as far as a node alone can tell.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::serve;

#[test]
fn a_node_has_what_it_wrote_and_nothing_that_it_never_saw() {
    let node = serve(HttpConfig::default());
    let version = node.put("/v1/kv/main/a", b"v").header("gridkv-version").to_owned();
    let answer = node.get(&format!("/v1/stores/main/receipts/{version}"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json(), json!({"version": version, "nodes": {"n1": true}}));
    let never = "01a2088455220000-0000beef6a000000";
    let answer = node.get(&format!("/v1/stores/main/receipts/{}", never.replace('-', "%2D")));
    assert_eq!(answer.json(), json!({"version": never, "nodes": {"n1": false}}));
    let elsewhere = node.get(&format!("/v1/stores/none/receipts/{version}"));
    assert_eq!(elsewhere.refusal(), (404, "store_not_found".to_owned()));
    for wrong in ["7", "", "%FF", "01a2088455220000-0000BEEF6a000000"] {
        let refused = node.get(&format!("/v1/stores/main/receipts/{wrong}"));
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{wrong}");
    }
}

//! The document of the API beside what a node answers.

use gridkv_http::HttpConfig;

use crate::node::serve;

/// Headers of HTTP itself, which no document of an API lists.
const OF_HTTP: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "transfer-encoding",
    "x-content-type-options",
];

#[test]
fn every_header_of_an_answer_is_in_it() {
    let node = serve(HttpConfig::default());
    let document = node.get("/v1/openapi.json").json();
    let key = "/v1/kv/{store}/{key}";
    let put = r#"{"ops":[{"op":"put","key":"c","value":"v"}]}"#;
    let html = [("content-type", "text/html")];
    for (method, target, pattern, headers, body) in [
        ("PUT", "/v1/kv/main/a?ttl=1h", key, &html[..], "v"),
        ("PUT", "/v1/kv/main/a?ttl=1h", key, &html[..], "v"),
        ("GET", "/v1/kv/main/a", key, &[], ""),
        ("PATCH", "/v1/kv/main/a?ttl=2h", key, &[], ""),
        ("PUT", "/v1/kv/main/a?acks=1", key, &[], "v"),
        ("DELETE", "/v1/kv/main/a", key, &[], ""),
        ("GET", "/v1/kv/main/a", key, &[], ""),
        ("GET", "/v1/kv/main", "/v1/kv/{store}", &[], ""),
        ("POST", "/v1/stores/main/batch", "/v1/stores/{store}/batch", &[], put),
        ("DELETE", "/v1/kv/main?prefix=c", "/v1/kv/{store}", &[], ""),
        ("GET", "/v1/stores/main/changes", "/v1/stores/{store}/changes", &[], ""),
        ("GET", "/v1/stores/main/snapshot", "/v1/stores/{store}/snapshot", &[], ""),
        ("GET", "/v1/cluster", "/v1/cluster", &[], ""),
        ("POST", "/v1/stores/disk/compact", "/v1/stores/{store}/compact", &[], ""),
    ] {
        let answer = node.send(method, target, headers, body.as_bytes());
        let operation = &document["paths"][pattern][method.to_ascii_lowercase()];
        let response = &operation["responses"][answer.status.to_string()];
        let listed = response["headers"].as_object();
        let listed = listed.unwrap_or_else(|| panic!("no {} of {method} {target}", answer.status));
        let is_listed = |name: &str| listed.keys().any(|known| known.eq_ignore_ascii_case(name));
        for name in answer.headers.keys().filter(|name| !OF_HTTP.contains(&name.as_str())) {
            // No cache may keep what is of the moment: that goes without saying in a document.
            let is_said =
                is_listed(name) || (name == "cache-control" && answer.header(name) == "no-store");
            assert!(is_said, "{name} of {} of {method} {target}", answer.status);
        }
    }
}

//! What the node shows of itself.

use gridkv_http::HttpConfig;
use serde_json::json;

use crate::node::serve;

#[test]
fn statistics_of_stores() {
    let node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"v");
    node.put("/v1/kv/main/b", b"v");
    node.delete("/v1/kv/main/b");
    node.get("/v1/kv/main/a");
    node.get("/v1/kv/main/none");
    let all = node.get("/v1/stores").json();
    let names: Vec<_> = all["stores"].as_array().unwrap().iter().map(|s| &s["store"]).collect();
    assert_eq!(names, ["disk", "main", "tiny"]);
    assert_eq!(node.get("/v1/stats").json()["stores"][1]["key_count"], 1);

    let answer = node.get("/v1/stores/main/stats");
    assert_eq!(answer.header("cache-control"), "no-store");
    let main = answer.json();
    for (field, value) in [
        ("store", json!("main")),
        ("backend", json!("memory")),
        ("persistent", json!(false)),
        ("durability", json!("memory")),
        ("key_count", json!(1)),
        ("cache_hit_rate", json!(null)),
        ("db_size", json!(null)),
        ("sync_buffer_capacity", json!(1_024)),
        ("sync_buffer_overwritten", json!(0)),
        ("sync_buffer_overflowed_at", json!(null)),
    ] {
        assert_eq!(main[field], value, "{field}");
    }
    assert!(main["tombstones"].as_u64().unwrap() <= 1, "a node alone may have purged it already");
    assert!(main["sync_buffer_len"].is_u64() && main["memory_limit_bytes"].is_u64());
    assert!(main["memory_bytes"].as_u64().unwrap() > 0);
    let operations = &main["operations"];
    assert_eq!((&operations["get_hit"], &operations["get_miss"]), (&json!(1), &json!(1)));
    assert_eq!((&operations["put"], &operations["delete"]), (&json!(2), &json!(1)));
    assert_eq!(main["applied"]["applied"], 0);

    let disk = node.get("/v1/stores/disk/stats").json();
    assert_eq!(disk["persistent"], true);
    assert!(disk["db_size"].is_u64());
    assert_eq!(node.get("/v1/stores/none/stats").code(), "store_not_found");
}

#[test]
fn convergence_of_stores() {
    let node = serve(HttpConfig::default());
    let answer = node.get("/v1/stores/main/convergence");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json(), json!({"store": "main", "peers": []}), "a node without peers");
    assert_eq!(node.get("/v1/stores/none/convergence").code(), "store_not_found");
    assert_eq!(node.get("/v1/stores/main/convergence?x=1").code(), "invalid_parameter");
    let of_peer = |target: &str| node.get(target).refusal();
    for (target, status, code) in [
        ("/v1/stores/main/convergence/n2", 404, "peer_not_found"),
        ("/v1/stores/main/convergence/n1", 404, "peer_not_found"),
        ("/v1/stores/main/convergence/%FF", 404, "peer_not_found"),
        ("/v1/stores/none/convergence/n2", 404, "store_not_found"),
        ("/v1/stores/main/convergence/n2?x=1", 400, "invalid_parameter"),
        ("/v1/stores/main/convergence/n2/k", 404, "route_not_found"),
    ] {
        assert_eq!(of_peer(target), (status, code.to_owned()), "{target}");
    }
}

#[test]
fn the_node_and_its_cluster() {
    let node = serve(HttpConfig::default());
    let view = node.get("/v1/node").json();
    assert_eq!((&view["name"], &view["cluster"]), (&json!("n1"), &json!("test")));
    assert_eq!(view["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(view["identity"].as_str().unwrap().len(), 8);
    assert_eq!(view["origin"].as_str().unwrap().len(), 16);
    assert_eq!(view["config"], json!({"node": {"name": "n1"}}));
    assert_eq!(view["exposed_without_auth"], json!({"http": false, "peers": false}));
    assert!(view["started_at"].as_str().unwrap().ends_with('Z'));
    assert!(view["uptime_seconds"].is_u64() && view["epoch"].is_u64() && view["actors"].is_array());
    let cluster = node.get("/v1/cluster").json();
    assert_eq!(cluster["self"]["name"], "n1");
    assert_eq!(cluster["self"]["id"], view["identity"]);
    assert_eq!(cluster["peers"], json!([]));
    let root = node.get("/").json();
    for link in root["links"].as_object().unwrap().values() {
        assert_eq!(node.get(link.as_str().unwrap()).status, 200, "{link}");
    }
}

#[test]
fn health() {
    let node = serve(HttpConfig::default());
    let live = node.get("/livez");
    assert_eq!((live.status, live.body.as_slice()), (200, b"ok\n".as_slice()));
    assert_eq!(live.header("content-type"), "text/plain; charset=utf-8");
    let ready = String::from_utf8(node.get("/readyz").body).unwrap();
    assert!(ready.lines().any(|line| line == "[+]store:main ok"), "{ready}");
    let ready = node.send("GET", "/readyz", &[("accept", "application/json")], b"").json();
    assert_eq!(ready["ready"], true);
    assert!(ready["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true));
    assert_eq!(node.send("HEAD", "/livez", &[], b"").status, 200);
}

#[test]
fn metrics() {
    let node = serve(HttpConfig::default());
    node.put("/v1/kv/main/a", b"v");
    node.get("/v1/kv/main/a");
    node.get("/v1/kv/main/none");
    node.get("/secret/path");
    let answer = node.get("/metrics");
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body).unwrap();
    if let Some(path) = std::env::var_os("GRIDKV_METRICS_TO") {
        std::fs::write(path, &text).unwrap();
    }
    for line in [
        "gridkv_ready 1",
        "gridkv_store_keys{store=\"main\",backend=\"memory\"} 1",
        "gridkv_store_operations_total{store=\"main\",op=\"get\",result=\"ok\"} 1",
        "gridkv_store_operation_duration_seconds_count{store=\"main\",op=\"get\"} 2",
        "gridkv_http_requests_total{method=\"PUT\",route=\"/v1/kv/{store}/{key}\",code=\"201\"} 1",
        "gridkv_http_requests_total{method=\"GET\",route=\"unmatched\",code=\"404\"} 1",
        "gridkv_http_requests_in_flight 1",
        "gridkv_sync_buffer_capacity{store=\"main\"} 1024",
        "gridkv_sync_applied_operations_total{store=\"main\",result=\"applied\"} 0",
        "gridkv_full_syncs_total{store=\"main\",direction=\"in\",result=\"completed\"} 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("gridkv_http_auth_failures"), "nobody is asked");
    for family in [
        "gridkv_build_info",
        "gridkv_actor_mailbox_messages",
        "gridkv_persist_duration_seconds_sum{store=\"disk\"}",
        "gridkv_store_size_bytes{store=\"disk\"",
        "process_cpu_seconds_total",
    ] {
        assert!(text.contains(family), "{family}");
    }
    for absent in ["secret", "gridkv_cache_hit_ratio", "gridkv_store_size_bytes{store=\"main\""] {
        assert!(!text.contains(absent), "{absent}");
    }
}

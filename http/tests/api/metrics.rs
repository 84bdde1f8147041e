//! What the metrics of a node say after known operations: exact numbers, raised where the things happen.

#![allow(clippy::float_cmp, reason = "Prometheus has floats only, and these count")]

use std::collections::BTreeMap;

use gridkv_http::HttpConfig;

use crate::node::{Served, serve};

/// The samples of a node, by series.
struct Scrape {
    samples: BTreeMap<String, f64>,
    bytes: usize,
}

fn scrape(node: &Served) -> Scrape {
    let text = node.get("/metrics").text();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    Scrape { samples: samples.collect(), bytes: text.len() }
}

impl Scrape {
    fn get(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("{series} is absent"))
    }

    fn expect(&self, samples: &[(&str, u32)]) {
        for (series, value) in samples {
            assert_eq!(self.get(series), f64::from(*value), "{series}");
        }
    }
}

/// A series of operations on `main`.
fn operations(op: &str, result: &str) -> String {
    format!("gridkv_store_operations_total{{store=\"main\",op=\"{op}\",result=\"{result}\"}}")
}

#[test]
fn operations_count_once_by_what_became_of_them() {
    let node = serve(HttpConfig::default());
    let absent = [("if-none-match", "*")];
    assert_eq!(node.put("/v1/kv/main/a", b"v").status, 201);
    assert_eq!(node.send("PUT", "/v1/kv/main/a", &absent, b"v").status, 412);
    assert_eq!(node.get("/v1/kv/main/a").status, 200);
    assert_eq!(node.get("/v1/kv/main/none").status, 404);
    assert_eq!(node.send("PATCH", "/v1/kv/main/a?ttl=1h", &[], b"").status, 204);
    assert_eq!(node.send("PATCH", "/v1/kv/main/none?ttl=1h", &[], b"").status, 404);
    assert_eq!(node.delete("/v1/kv/main/a").status, 204);
    assert_eq!(node.get("/v1/kv/main").status, 200);
    assert_eq!(node.put("/v1/kv/tiny/large", &[7; 5_000]).status, 507);
    let batch = |body: &str| node.send("POST", "/v1/stores/main/batch", &[], body.as_bytes());
    let mixed = r#"{"ops": [{"op": "put", "key": "b", "value": "v"}, {"op": "get", "key": "b"},
        {"op": "put", "key": "b", "value": "w", "if_none_match": "*"}, {"op": "delete", "key": "c"}]}"#;
    assert_eq!(batch(mixed).status, 200);
    let aborted = r#"{"atomic": true, "ops": [{"op": "put", "key": "d", "value": "v"},
        {"op": "put", "key": "b", "value": "w", "if_none_match": "*"}]}"#;
    batch(aborted);
    let reads = r#"{"ops": [{"op": "get", "key": "b"}, {"op": "get", "key": "none"}]}"#;
    assert_eq!(batch(reads).status, 200);

    let scrape = scrape(&node);
    for (op, result, count) in [
        ("get", "ok", 3),
        ("get", "not_found", 2),
        ("get", "error", 0),
        ("set", "ok", 2),
        ("set", "conflict", 3),
        ("set", "memory_limit", 0),
        ("set", "overloaded", 0),
        ("set", "error", 0),
        ("touch", "ok", 1),
        ("touch", "not_found", 1),
        ("delete", "ok", 2),
        ("delete", "conflict", 0),
        ("list", "ok", 1),
        ("batch", "ok", 2),
        ("batch", "conflict", 1),
        ("batch", "error", 0),
    ] {
        assert_eq!(scrape.get(&operations(op, result)), f64::from(count), "{op} {result}");
    }
    assert!(!scrape.samples.contains_key(&operations("list", "conflict")), "can not be");
    scrape.expect(&[
        ("gridkv_store_operations_total{store=\"tiny\",op=\"set\",result=\"memory_limit\"}", 1),
        ("gridkv_store_operation_duration_seconds_count{store=\"main\",op=\"set\"}", 2),
        ("gridkv_store_operation_duration_seconds_count{store=\"main\",op=\"batch\"}", 3),
        // A put, a touch, a delete, and a batch with a put and a delete.
        ("gridkv_commit_batch_operations_count{store=\"main\"}", 4),
        ("gridkv_commit_batch_operations_sum{store=\"main\"}", 5),
        ("gridkv_commit_duration_seconds_count{store=\"main\"}", 4),
        ("gridkv_change_log_changes{store=\"main\"}", 5),
        ("gridkv_change_log_capacity{store=\"main\"}", 1_024),
        ("gridkv_op_log_limit_bytes{store=\"main\"}", 1 << 20),
        ("gridkv_commit_batch_operations_count{store=\"tiny\"}", 0),
    ]);
}

#[test]
fn bytes_of_bodies_are_counted_as_they_pass() {
    let node = serve(HttpConfig::default());
    let first = scrape(&node);
    node.put("/v1/kv/main/a", &[1; 3_000]);
    node.send("HEAD", "/v1/kv/main/a", &[], b"");
    node.get("/v1/kv/main/a");
    let second = scrape(&node);
    let grown = |family: &str| second.get(family) - first.get(family);
    assert_eq!(grown("gridkv_http_request_body_bytes_total"), 3_000.0);
    let given = u32::try_from(first.bytes + 3_000).unwrap();
    assert_eq!(grown("gridkv_http_response_body_bytes_total"), f64::from(given), "no head is");
    let snapshot = node.get("/v1/stores/main/snapshot").body.len();
    let third = scrape(&node);
    let given = u32::try_from(second.bytes + snapshot).unwrap();
    let streamed = third.get("gridkv_http_response_body_bytes_total")
        - second.get("gridkv_http_response_body_bytes_total");
    assert_eq!(streamed, f64::from(given), "a stream's pieces are");
}

#[test]
fn a_run_to_the_disk_is_timed_and_dated() {
    let node = serve(HttpConfig::default());
    let before = scrape(&node);
    let date = "gridkv_persist_last_success_timestamp_seconds{store=\"disk\"}";
    let started = before.get(date);
    assert!(started > 0.0, "its opening counts");
    node.put("/v1/kv/disk/a", b"v");
    assert_eq!(node.send("POST", "/v1/stores/disk/persist", &[], b"").status, 200);
    let after = scrape(&node);
    let runs = after.get("gridkv_persist_runs_total{store=\"disk\",result=\"ok\"}");
    assert!(runs >= 1.0);
    assert_eq!(after.get("gridkv_persist_duration_seconds_count{store=\"disk\"}"), runs);
    assert!(after.get(date) >= started);
    assert_eq!(after.get("gridkv_persist_unsaved_operations{store=\"disk\"}"), 0.0);
    let persist = node.get("/v1/stores/disk/stats").json()["persist"].clone();
    assert_eq!(persist["unsaved_operations"], 0);
    assert!(persist["last_success"].as_str().unwrap().ends_with('Z'), "{persist}");
    let durable = "gridkv_frontier_durable_timestamp_seconds{store=\"disk\",member=\"n1\"}";
    assert!(after.get(durable) > 1.0);
    assert!(!after.samples.contains_key(&durable.replace("disk", "main")), "volatile");
}

#[test]
fn actors_show_what_they_take_and_when_they_lived() {
    let node = serve(HttpConfig::default());
    let taken = "gridkv_actor_messages_total{actor=\"storage\",store=\"main\"}";
    let before = scrape(&node);
    for _ in 0..5 {
        node.put("/v1/kv/main/a", b"v");
    }
    let after = scrape(&node);
    assert!(after.get(taken) >= before.get(taken) + 5.0, "one call for each write that is alone");
    after.expect(&[
        ("gridkv_actor_mailbox_messages{actor=\"storage\",store=\"main\"}", 0),
        ("gridkv_actor_mailbox_capacity{actor=\"storage\",store=\"main\"}", 10_000),
        ("gridkv_actor_mailbox_full_total{actor=\"storage\",store=\"main\"}", 0),
        ("gridkv_actor_restarts_total{actor=\"peer-applier\",store=\"_node\"}", 0),
        ("gridkv_actor_mailbox_wait_seconds_count{actor=\"peer-applier\"}", 0),
        ("gridkv_watchdog_stuck_actors", 0),
        ("gridkv_build_info{version=\"0.0.1\",revision=\"abc\",rustc=\"1.0\"}", 1),
        ("gridkv_node_info{node=\"n1\",cluster=\"test\"}", 1),
    ]);
    assert!(after.get("gridkv_actor_mailbox_wait_seconds_count{actor=\"storage\"}") >= 5.0);
    let last = after.get("gridkv_watchdog_last_look_timestamp_seconds");
    for (actor, store) in [
        ("storage", "main"),
        ("sync-publisher", "main"),
        ("catch-up", "disk"),
        ("convergence", "tiny"),
        ("cluster", "_node"),
    ] {
        let labels = format!("{{actor=\"{actor}\",store=\"{store}\"}}");
        let turned = after.get(&format!("gridkv_actor_last_turn_timestamp_seconds{labels}"));
        assert!((last - turned).abs() < 10.0, "{actor} {store}");
        assert!(after.get(&format!("gridkv_actor_messages_total{labels}")) >= 0.0);
    }
    let actors = node.get("/v1/node").json()["actors"].clone();
    let storage = actors.as_array().unwrap().iter().find(|row| row["actor"] == "storage").unwrap();
    assert_eq!((&storage["store"], &storage["messages"]), (&"disk".into(), &0.into()));
    assert_eq!((&storage["capacity"], &storage["refused"]), (&10_000.into(), &0.into()));
    assert!(storage["heartbeat_age_ms"].is_u64() && storage["waited_seconds"].is_f64());
}

#[test]
fn a_watcher_that_keeps_up_is_open_and_misses_nothing() {
    let node = serve(HttpConfig::default());
    let mut stream = node.client();
    stream.raw(
        b"GET /v1/stores/main/changes HTTP/1.1\r\nhost: n1\r\naccept: application/x-ndjson\r\n\r\n",
    );
    stream.head();
    let streams = "gridkv_watch_streams{store=\"main\"}";
    let missed = "gridkv_watch_dropped_events_total{store=\"main\"}";
    let open = scrape(&node);
    assert_eq!((open.get(streams), open.get(missed)), (1.0, 0.0));
    // One batch is one commit: more than the log holds at once, before the stream can read on.
    let ops: Vec<String> =
        (0..1_000).map(|n| format!(r#"{{"op":"put","key":"{n}","value":""}}"#)).collect();
    let batch = format!(r#"{{"ops":[{}]}}"#, ops.join(","));
    assert_eq!(node.send("POST", "/v1/stores/main/batch", &[], batch.as_bytes()).status, 200);
    let read = stream.until("\"999\"");
    assert!(read.contains("\"0\""), "nothing was missed yet");
    assert_eq!(scrape(&node).get(missed), 0.0);
}

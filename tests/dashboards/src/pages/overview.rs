//! Is the cluster up, what is asked of it, and is anything wrong? The page to begin with.

use serde_json::{Value, json};

use crate::page::Page;
use crate::panel::{Panel, graph, heatmap, stat, table};
use crate::rules::Rules;

pub(crate) fn page(rules: &Rules) -> Value {
    Page::new("gridkv-overview", "GridKV / Overview", rules)
        .row("Cluster", cluster())
        .row("Requests", requests())
        .row("Nodes", nodes())
        .into_json()
}

fn cluster() -> Vec<Panel> {
    vec![
        stat("Nodes up", "none", "Nodes that Prometheus can scrape, of those it knows.")
            .ask("sum(up{@node})", "up")
            .ask("count(up{@node})", "known"),
        stat("Ready", "none", "Nodes that take clients: their /readyz answers 200.")
            .ask("sum(gridkv_ready{@node})", "ready"),
        stat("Alerts firing", "none", "Alerts of these rules that fire now; docs/alerts.md says what to do about each.")
            .ask(r#"count(ALERTS{alertstate="firing", job="$job"}) or vector(0)"#, "firing")
            .with("thresholds", json!({"mode": "absolute", "steps": [
                {"color": "green", "value": null}, {"color": "red", "value": 1},
            ]})),
        stat("Keys", "short", "Keys that have a value: for each store the largest count of any node, and the sum of that.")
            .ask("sum(max by (store) (gridkv_store_keys{@store}))", "keys"),
        stat("Deepest op ring", "short", "Operations that wait for a publisher, on the node and in the store where most do.")
            .ask("max(gridkv_sync_buffer_length{@store})", "operations")
            .alert("GridKVSyncBufferDeep"),
        stat("Worst lag", "s", "Age of the oldest operation that a peer does not have yet.")
            .ask("max(gridkv_replication_lag_seconds{@store})", "lag")
            .alert("GridKVReplicationLag"),
        stat("Worst cache", "percentunit", "Share of reads that a cache answered, where it is lowest. Without reads there is none.")
            .ask("min(instance_store:gridkv_cache_hits_per_lookups:ratio_rate5m{@store})", "hit rate")
            .alert("GridKVCacheHitRateLow"),
        stat("Diverged buckets", "none", "Parts of stores that differ between nodes that have seen the same. 0 is as it should be.")
            .ask("max(gridkv_diverged_buckets{@store})", "buckets")
            .alert("GridKVBucketsDiverged"),
        stat("Fenced clocks", "none", "Nodes that take no writes because their clock is ahead of most others'.")
            .ask("sum(gridkv_clock_fenced{@node})", "fenced")
            .alert("GridKVClockFenced"),
        stat("First certificate to end", "s", "How long the certificate is still valid that ends first; empty without TLS.")
            .ask("min(gridkv_certificate_expires_in_seconds{@node})", "certificate")
            .alert("GridKVCertificateExpires")
            .alert("GridKVCertificateEnds"),
        stat("Stuck actors", "none", "Actors without a sign of life for ten seconds: /livez says which.")
            .ask("sum(gridkv_watchdog_stuck_actors{@node})", "stuck")
            .alert("GridKVActorStuck"),
        stat("Exposed listeners", "none", "Listeners that other machines reach without a proof of who they are.")
            .ask("sum(gridkv_exposed_without_auth{@node})", "exposed")
            .alert("GridKVExposedWithoutAuth"),
    ]
}

fn requests() -> Vec<Panel> {
    vec![
        graph("Requests by route", "reqps", "What clients, peers' tools and Prometheus itself ask for.")
            .ask("sum by (method, route) (rate(gridkv_http_requests_total{@node}@rate))", "{{method}} {{route}}"),
        graph("Share of 5xx", "percentunit", "Requests that failed on the node's side, of all; /readyz of a node that is not ready does not count.")
            .ask(
                "(sum by (instance) (rate(gridkv_http_requests_total{@node, code=~\"5..\", route!=\"/readyz\"}@rate)) \
                 or sum by (instance) (rate(gridkv_http_requests_total{@node}@rate)) * 0) \
                 / sum by (instance) (rate(gridkv_http_requests_total{@node}@rate))",
                "{{instance}}",
            )
            .with("min", json!(0))
            .alert("GridKVHighErrorRate"),
        graph("Answers by status", "reqps", "What became of requests: 2xx done, 4xx the client's doing, 5xx the node's.")
            .ask("sum by (code) (rate(gridkv_http_requests_total{@node}@rate))", "{{code}}"),
        graph("Latency of stores", "s", "Half of the operations are faster than p50, one in a hundred is slower than p99; the queue and the commit included, waits for peers not.")
            .ask("histogram_quantile(0.50, sum by (le, op) (rate(gridkv_store_operation_duration_seconds_bucket{@store}@rate)))", "p50 {{op}}")
            .ask("histogram_quantile(0.99, sum by (le, op) (rate(gridkv_store_operation_duration_seconds_bucket{@store}@rate)))", "p99 {{op}}")
            .alert("GridKVHighLatency"),
        heatmap("Request durations", "s", "All requests by how long they took; long polls are long by intent.")
            .ask("sum by (le) (increase(gridkv_http_request_duration_seconds_bucket{@node}@rate))", "{{le}}"),
        graph("In flight and followers", "short", "Requests that have no answer yet, and open streams of changes and long polls.")
            .ask("gridkv_http_requests_in_flight{@node}", "{{instance}} in flight")
            .ask("sum by (instance) (gridkv_watch_streams{@store})", "{{instance}} followers"),
        graph("Bodies", "Bps", "Bytes of bodies that were read and given out.")
            .ask("sum by (instance) (rate(gridkv_http_request_body_bytes_total{@node}@rate))", "{{instance}} in")
            .ask("sum by (instance) (rate(gridkv_http_response_body_bytes_total{@node}@rate))", "{{instance}} out"),
        graph("Refused for who asked", "reqps", "Requests without a token that may do what they asked for; empty on a node without tokens.")
            .ask("sum by (reason) (rate(gridkv_http_auth_failures_total{@node}@rate))", "{{reason}}"),
    ]
}

fn nodes() -> Vec<Panel> {
    vec![
        graph("CPU", "none", "Cores in use.")
            .ask("rate(process_cpu_seconds_total{@node}@rate)", "{{instance}}"),
        graph("Resident memory", "bytes", "What the process has of the machine's memory.")
            .ask("process_resident_memory_bytes{@node}", "{{instance}}"),
        graph("Open files", "percentunit", "Open file descriptors, of those the process may have.")
            .ask("process_open_fds{@node} / process_max_fds{@node}", "{{instance}}")
            .with("max", json!(1)),
        table("Programs", "none", "Which program each node runs, and since when.")
            .high(6)
            .ask(
                "time() - process_start_time_seconds{@node} \
                 + on (instance, job) group_left (version, revision, rustc) gridkv_build_info{@node} - 1 \
                 + on (instance, job) group_left (node, cluster) gridkv_node_info{@node} - 1",
                "Up for",
            )
            .with("unit", json!("s")),
    ]
}

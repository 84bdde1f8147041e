//! What operators ask: stores, members, statistics, health, and how fast it is.

use serde_json::Value;

use super::desk::{Desk, PATIENCE, ended, interrupt, said};
use gridkv_cluster::wait_until;
use std::process::Stdio;

#[test]
fn stores_and_members_are_listed_made_and_dropped() {
    let desk = Desk::with_nodes(2);
    let stores = desk.run(&["stores", "-o", "text"]);
    stores.printed(
        "main\tfile\tyes\tos\t0\tconfiguration\nsessions\tmemory\tno\tmemory\t0\tconfiguration\n",
    );
    let make = ["stores", "create", "tmp", "--backend", "memory", "--set", "max_memory_mb=8"];
    assert_eq!(desk.run(&make).code, Some(0));
    desk.run(&make).failed(1, &["store_exists"]);
    desk.run(&["stores", "create", "bad", "--backend", "memory", "--set", "colour=red"])
        .failed(1, &["invalid_definition", "colour"]);
    let lacking = || desk.run(&["peers", "ls", "--stores", "-o", "text"]).text().to_owned();
    assert!(lacking().contains("n2\tup\ttmp\t\t\t\tno such store\n"), "{}", lacking());
    desk.run(&["stores", "rm", "tmp"]).failed(2, &["-y"]);
    assert_eq!(desk.run(&["stores", "rm", "tmp", "-y"]).code, Some(0));
    desk.run(&["stores", "rm", "main", "-y"]).failed(1, &["store_configured"]);

    let peers: Value = serde_json::from_slice(&desk.run(&["peers", "-o", "json"]).out).unwrap();
    assert_eq!(
        (&peers["peers"][0]["name"], &peers["peers"][0]["state"]),
        (&"n2".into(), &"up".into())
    );
    let by_store = desk.run(&["peers", "list", "--stores", "-o", "text"]);
    assert!(by_store.text().starts_with("n2\tup\tmain\t0\t0\t0\tyes\n"), "{}", by_store.text());
    desk.run(&["put", "k", "v", "--acks", "1"]);
    let synced = desk.run(&["peers", "sync", "n2"]);
    assert_eq!((synced.code, synced.text()), (Some(0), "done\n"), "{}", synced.error);
    desk.run(&["peers", "rm", "n9", "-y"])
        .failed(3, &["no member `n9`", "gridkv peers lists", "peer_not_found"]);
    desk.run(&["peers", "add", "127.0.0.1:1"]).failed(5, &["peer_unreachable"]);
}

#[test]
fn what_operators_ask_of_stores_and_nodes() {
    let desk = Desk::with_nodes(2);
    let version = desk.run(&["put", "k", "v", "--acks", "1"]).text().trim().to_owned();
    desk.run(&["receipts", &version, "-o", "text"]).printed("n1\tyes\nn2\tyes\n");
    let json = desk.run(&["receipts", &version, "-o", "json"]);
    let json: Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(json["nodes"], serde_json::json!({"n1": true, "n2": true}));
    desk.run(&["receipts", "nonsense"]).failed(1, &["invalid_parameter"]);

    let same = || {
        let shown = desk.run(&["convergence", "-o", "ndjson"]);
        let peer: Value = serde_json::from_slice(&shown.out).unwrap();
        assert_eq!(peer["name"], "n2");
        peer["identical_since"].is_string()
    };
    wait_until(PATIENCE, "the two to be the same", same).unwrap();
    let keys = desk.run(&["convergence", "n2"]);
    assert!(keys.code == Some(0) && keys.error.contains("no repair"), "{}", keys.error);
    desk.run(&["convergence", "n9"]).failed(3, &["peer_not_found"]);

    let persisted = desk.run(&["persist"]);
    assert!(persisted.code == Some(0) && persisted.text().contains(" on the disk, in "));
    let volatile = desk.run(&["persist", "-s", "sessions"]);
    volatile.failed(1, &["`sessions` keeps nothing on a disk", "gridkv backup -s sessions FILE"]);
    assert!(!volatile.error.contains("GET /"), "{}", volatile.error);
    desk.run(&["compact"]).printed("done\n");
    desk.run(&["compact", "-s", "sessions"]).failed(1, &["not_supported"]);

    assert_eq!(desk.run(&["log-level", "debug"]).code, Some(0));
    let log = std::fs::read_to_string(desk.cluster.node(1).log_path()).unwrap();
    let told = "the log goes on at another level";
    assert!(log.lines().any(|line| line.contains(told) && line.contains("debug")), "{log}");
    desk.run(&["log-level", "info"]).printed("");
    desk.run(&["log-level", "loud"]).failed(2, &["debug"]);

    desk.run(&["drain"]).failed(2, &["-y"]);
    desk.run(&["put", "k", "w"]).code.filter(|code| *code == 0).unwrap();
    desk.run(&["drain", "-y"]).printed("draining\n");
    desk.run(&["put", "k", "x"]).failed(1, &["draining"]);
}

#[test]
fn health_is_an_exit_code() {
    let desk = Desk::with_nodes(1);
    let ready = desk.run(&["health"]);
    assert!(ready.code == Some(0) && ready.text().contains("store:main"), "{}", ready.text());
    desk.run(&["health", "-q"]).printed("");
    desk.run(&["health", "--live"]).printed("ok\n");
    let drained = desk.cluster.node(1).client().request("POST", "/v1/admin/drain").send();
    assert_eq!(drained.unwrap().status, 202);
    let not_ready = desk.run(&["health", "-o", "text"]);
    assert_eq!(not_ready.code, Some(1), "{}", not_ready.error);
    assert!(not_ready.text().contains("not ok"), "{}", not_ready.text());
    desk.run(&["put", "k", "v"]).failed(1, &["draining"]);
    desk.cluster.node(1).kill().unwrap();
    desk.run(&["health"]).failed(5, &["connection refused"]);
}

#[test]
fn live_tables_are_blocks_without_a_terminal() {
    let desk = Desk::with_nodes(1);
    let child = desk.start(&["stats", "--watch", "100ms"], Stdio::null(), desk.file("blocks"));
    let blocks = || desk.read("blocks").matches("READS/S").count();
    wait_until(PATIENCE, "two blocks", || blocks() >= 2).unwrap();
    let coloured = desk.run(&["health", "--color", "always", "-o", "table"]);
    assert!(coloured.text().contains("\x1b[32mok"), "{}", coloured.text());
    desk.cluster.node(1).kill().unwrap();
    wait_until(PATIENCE, "old numbers", || desk.read("blocks").contains("old, of 2")).unwrap();
    assert!(desk.read("blocks").contains("no answer: "), "{}", desk.read("blocks"));
    interrupt(&child);
    assert_eq!(ended(child).code, Some(130));
    assert!(!desk.read("blocks").contains('\x1b'));
    let lines = desk.read("blocks");
    assert!(lines.starts_with(&desk.cluster.node(1).base_url()), "{lines}");
    assert!(lines.contains("every 100ms; Ctrl-C ends"), "{lines}");
}

#[test]
fn a_benchmark_counts_what_was_done_and_what_failed() {
    let desk = Desk::with_nodes(2);
    let bench = |more: &[&str]| desk.run(&[&["bench", "-c", "4", "-r", "100"], more].concat());
    let said = bench(&["-t", "put,get,mixed", "-n", "400", "--json", "--zipf"]);
    let json: Value = serde_json::from_slice(&said.out).unwrap();
    for (at, test) in ["put", "get", "mixed"].into_iter().enumerate() {
        let result = &json["results"][at];
        assert_eq!(
            (&result["test"], &result["operations"]),
            (&test.into(), &400.into()),
            "{result}"
        );
        let latency = |name: &str| result["latency_ms"][name].as_f64().unwrap();
        assert!(latency("p50") <= latency("p99") && latency("p99") <= latency("max"), "{result}");
    }
    let few = desk.run(&["bench", "-t", "put", "-n", "50", "-c", "100", "-r", "10", "--json"]);
    assert!(few.error.contains("50 clients of 100"), "{}", few.error);
    let few: Value = serde_json::from_slice(&few.out).unwrap();
    let (result, seconds) = (&few["results"][0], few["results"][0]["seconds"].as_f64().unwrap());
    // No request can have taken longer than all of them.
    let longest = result["latency_ms"]["max"].as_f64().unwrap() / 1_000.0;
    assert!(result["operations"] == 50 && longest <= seconds * 1.01, "{result}");
    let csv = bench(&["-t", "put", "-n", "200", "-P", "50", "--csv", "--acks", "1", "--clean"]);
    assert_eq!(csv.code, Some(0), "{}", csv.error);
    assert!(csv.text().lines().nth(1).unwrap().starts_with("put,200,"), "{}", csv.text());
    desk.run(&["ls"]).printed("");
    let failed = bench(&["-t", "put", "-n", "20", "--acks", "2"]);
    assert_eq!(failed.code, Some(6), "{}", failed.text());
    assert!(
        failed.error.contains("20 failed") && failed.error.contains("not_enough_peers"),
        "{}",
        failed.error
    );
}

#[test]
fn everything_is_said_about_the_node_that_was_asked() {
    let desk = Desk::with_nodes(2);
    let verbose =
        said(&mut desk.command(desk.cluster.node(2), &["put", "k", "v", "-v", "--acks", "1"]));
    assert!(
        verbose.error.contains("created at n2") && verbose.error.contains("acks 1/1"),
        "{}",
        verbose.error
    );
    desk.run(&["-q", "health"]).printed("");
    let one = desk.run(&["-s", "sessions", "stats", "-o", "text"]);
    assert_eq!(one.text().lines().count(), 1, "{}", one.text());
    let quiet = said(&mut desk.command(desk.cluster.node(2), &["export", "-q"]));
    assert_eq!(quiet.error, "");
}

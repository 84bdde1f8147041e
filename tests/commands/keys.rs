//! Values of keys: written, read, listed, deleted, and every way in which that can be refused.

use std::fs;

use serde_json::Value;

use super::desk::{Desk, gridkv, records, said};

/// Keys that shells, proxies and URLs get wrong.
const ODD: [&str; 12] = [
    "a//b",
    "a%2Fb",
    "/",
    "?q=1#x",
    "é💾",
    "a b+c",
    ".",
    "..",
    "a/../b",
    "%",
    "tab\there",
    "-dash",
];

#[test]
fn odd_keys_and_bytes_come_back_as_they_were() {
    let desk = Desk::with_nodes(1);
    let value: Vec<u8> = (0..=255).collect();
    for key in ODD {
        let put = desk.fed(&["put", "--", key], &value);
        assert_eq!(put.code, Some(0), "{key}: {}", put.error);
        let get = desk.run(&["get", "--", key]);
        assert_eq!((get.code, &get.out), (Some(0), &value), "{key}: {}", get.error);
    }
    let listed = desk.run(&["ls", "--all"]);
    let mut expected: Vec<&str> = ODD.into();
    expected.sort_by_key(|key| key.as_bytes());
    listed.printed(&(expected.join("\n") + "\n"));
    let pages = desk.run(&["ls", "--limit", "5", "-o", "ndjson"]);
    assert_eq!(pages.text().lines().count(), 5);
    assert!(pages.error.contains("--cursor"), "{}", pages.error);
    desk.run(&["ls", "-o", "table"])
        .printed(&format!("KEY\n{}\n", expected.join("\n").replace("tab\there", "tab\\there")));
    for key in ODD {
        desk.run(&["del", "--", key]).printed("1\n");
        desk.run(&["get", "--", key]).failed(3, &["key_not_found"]);
    }
}

#[test]
fn what_is_not_there_is_named_also_where_no_body_is_asked_for() {
    let desk = Desk::with_nodes(1);
    for more in [&["--meta"][..], &["--wait", "1s"], &["--meta", "--wait", "1s"]] {
        let run = |arguments: &[&str]| desk.run(&[arguments, more].concat());
        run(&["get", "nothing"]).failed(3, &["The key has no value", "key_not_found"]);
        run(&["get", "k", "-s", "none"]).failed(3, &["There is no store `none`"]);
    }
    desk.run(&["get", &"k".repeat(5_000), "--meta"]).failed(1, &["key"]);
    let ahead = ["get", "k", "--meta", "--min-version", "fffffffffffffff0-0000000100000001"];
    let late = desk.run(&[&ahead[..], &["--timeout", "200ms"]].concat());
    assert!(late.code == Some(5) || late.code == Some(1), "{}", late.error);
    assert!(!late.error.trim().ends_with("HTTP 504"), "{}", late.error);
}

#[test]
fn values_come_from_arguments_files_and_standard_input() {
    let desk = Desk::with_nodes(1);
    desk.run(&["put", "k", "-5"]).code.filter(|code| *code == 0).unwrap();
    desk.run(&["get", "k"]).printed("-5");
    desk.run(&["put", "k", ""]);
    desk.run(&["get", "k"]).printed("");
    fs::write(desk.dir.path().join("in"), "from a file\n").unwrap();
    desk.run(&["put", "k", "-f", "in", "--content-type", "text/plain", "--ttl", "1h"]);
    assert_eq!(desk.run(&["get", "k", "--out", "out"]).code, Some(0));
    assert_eq!(desk.read("out"), "from a file\n");
    let json: Value = serde_json::from_slice(&desk.run(&["get", "k", "-o", "json"]).out).unwrap();
    assert_eq!((&json["content_type"], &json["size"]), (&"text/plain".into(), &12.into()));
    assert!(json["expires_at"].is_string(), "{json}");
    let meta = desk.run(&["get", "k", "--meta"]);
    assert!(meta.text().contains("content_type\ttext/plain\n"), "{}", meta.text());
    desk.run(&["put", "k", "-f", "missing"]).failed(1, &["missing"]);
}

#[test]
fn conditions_and_refusals_have_codes_of_their_own() {
    let desk = Desk::with_nodes(1);
    let first = desk.run(&["put", "lock", "a", "--if-absent"]);
    assert_eq!(first.code, Some(0), "{}", first.error);
    desk.run(&["put", "lock", "b", "--if-absent"]).failed(4, &["precondition_failed"]);
    let version = first.text().trim().to_owned();
    assert_eq!(desk.run(&["put", "lock", "b", "--if-match", &version]).code, Some(0));
    desk.run(&["put", "lock", "c", "--if-match", &version]).failed(4, &[]);
    desk.run(&["del", "lock", "--if-match", &version]).failed(4, &[]);
    desk.run(&["get", "k", "-s", "none"]).failed(3, &["store_not_found"]);
    desk.run(&["put", "k", "v", "--acks", "1"])
        .failed(1, &["not_enough_peers", "nothing was written"]);
    desk.run(&["put", "k", "v", "--acks", "some"]).failed(2, &["majority"]);
    desk.run(&["put", "k", "v", "--ttl", "soon"]).failed(2, &["250ms"]);
    desk.run(&["del", "--prefix", ""]).failed(2, &["--all"]);
    desk.run(&["del", "--all"]).failed(2, &["all keys", "-y"]);
    desk.run(&["del", "--all", "key"]).failed(2, &["cannot be used with"]);
    desk.run(&["del", "--prefix", "l"]).failed(2, &["-y"]);
    desk.run(&["del", "--prefix", "l", "-y"]).printed("1\n");
    let some = desk.run(&["del", "a", &"k".repeat(2_000)]);
    assert_eq!((some.code, some.text()), (Some(6), "0\n"), "{}", some.error);
}

#[test]
fn the_next_node_is_asked_only_when_one_can_not_be_connected_to() {
    let desk = Desk::with_nodes(2);
    let (first, second) = (desk.cluster.node(1), desk.cluster.node(2));
    desk.run(&["put", "k", "v", "--acks", "1"]);
    first.kill().unwrap();
    let urls = format!("{},{}", first.base_url(), second.base_url());
    desk.run(&["--url", &urls, "get", "k"]).printed("v");
    let put = desk.run(&["--url", &urls, "put", "k", "w"]);
    assert_eq!(put.code, Some(0), "{}", put.error);
    desk.run(&["get", "k"]).failed(5, &["can be reached", "connection refused"]);
    // A node that takes a request and says nothing: what became of the write is unknown, and nobody else is asked.
    second.pause().unwrap();
    let silent = format!("{},{}", second.base_url(), first.base_url());
    desk.run(&["put", "k", "x", "--url", &silent, "--timeout", "300ms"])
        .failed(5, &["unknown", "in time"]);
    desk.run(&["get", "k", "--url", &silent, "--timeout", "300ms"])
        .failed(5, &["no answer in time"]);
    second.resume().unwrap();
}

#[test]
fn a_command_waits_for_a_change_and_for_a_version() {
    let desk = Desk::with_nodes(2);
    let version = desk.run(&["put", "k", "v"]).text().trim().to_owned();
    let there = desk.cluster.node(2);
    said(&mut desk.command(there, &["get", "k", "--min-version", &version])).printed("v");
    desk.run(&["get", "k", "--wait", "200ms"]).failed(5, &["did not change"]);
    desk.run(&["put", "k", "w"]);
    desk.run(&["get", "k", "--wait", "1m", "--known", &version]).printed("w");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let desk = Desk::with_nodes(1);
    let lines = records(3_000, |number| number.to_string());
    assert_eq!(desk.fed(&["import", "-"], &lines).code, Some(0));
    let mut shell = std::process::Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_gridkv");
    shell
        .args(["-c", "\"$0\" ls --all | head -n 1", program])
        .env("GRIDKV_URL", desk.cluster.node(1).base_url());
    let first = said(&mut shell);
    assert_eq!((first.text(), first.error.as_str()), ("0\n", ""));
}

#[test]
fn what_can_not_be_meant_is_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| said(&mut gridkv(dir.path(), arguments));
    run(&["get", "k", "--url", "ftp://x"]).failed(2, &["ftp://x"]);
    run(&["get", "k", "--url", "https://localhost:1"]).failed(2, &["--ca"]);
    run(&["get", "k", "--token-file", "missing"]).failed(2, &["missing"]);
    run(&["get", "k", "--ca", "missing", "--url", "https://localhost:1"]).failed(2, &["missing"]);
    run(&["get", "k", "--url", "http://127.0.0.1:1"]).failed(5, &["connection refused"]);
    run(&["get"]).failed(2, &["Usage"]);
    run(&["got", "k"]).failed(2, &["get"]);
}

#[test]
fn everything_is_deleted_by_one_word_and_other_names_of_commands_are_known() {
    let desk = Desk::with_nodes(1);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(desk.run(&["set", key, "v"]).code, Some(0));
    }
    desk.run(&["rm", "a"]).printed("1\n");
    desk.run(&["delete", "b"]).printed("1\n");
    desk.run(&["del", "--all", "-y"]).printed("2\n");
    desk.run(&["ls"]).printed("");
    assert!(desk.run(&["stores", "ls"]).text().contains("sessions"));
    assert!(!desk.run(&["--help"]).text().contains("  set "));
}

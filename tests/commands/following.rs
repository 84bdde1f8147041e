//! `watch`: what it prints, what it runs, and that a cut is survived and told.

use std::process::Stdio;

use gridkv_cluster::wait_until;

use super::desk::{Desk, PATIENCE, ended, interrupt};

#[test]
fn changes_come_as_they_are_made() {
    let desk = Desk::with_nodes(1);
    for arguments in [["put", "a", "1"], ["put", "b", "2"], ["put", "a", "3"]] {
        assert_eq!(desk.run(&arguments).code, Some(0));
    }
    desk.run(&["del", "a"]);
    let seen = desk.run(&["watch", "a", "--since", "0", "--values", "--limit", "3"]);
    let lines: Vec<Vec<&str>> =
        seen.text().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{}", seen.text());
    // Only the last change still has its value.
    assert_eq!((lines[0][0], lines[1][0], lines[2][0]), ("put", "put", "delete"));
    assert!(lines.iter().all(|line| line[1] == "a"));
    let run = [
        "watch",
        "b",
        "--since",
        "0",
        "--limit",
        "1",
        "--exec",
        "echo $GRIDKV_EVENT $GRIDKV_KEY; cat",
    ];
    desk.run(&run).printed("put b\n2");
    desk.run(&["watch", "-s", "none"])
        .failed(3, &["no store `none`", "gridkv stores", "store_not_found"]);
}

#[test]
fn a_cut_is_survived_and_told() {
    let desk = Desk::with_nodes(1);
    let node = desk.cluster.node(1);
    let child = desk.start(&["watch", "-v"], Stdio::null(), desk.file("seen"));
    let seen = |words: &str| desk.read("seen").contains(words);
    // Not connected yet is nothing that could be seen from outside but by its changes.
    let put = |key: &str| desk.run(&["put", key, "v"]).code == Some(0);
    wait_until(PATIENCE, "the first change", || put("before") && seen("before")).unwrap();
    node.restart(PATIENCE).unwrap();
    node.wait_ready(PATIENCE).unwrap();
    wait_until(PATIENCE, "a change after the cut", || put("after") && seen("after")).unwrap();
    interrupt(&child);
    let said = ended(child);
    assert_eq!(said.code, Some(130), "{}", said.error);
    for words in
        ["the node stops; going on since", "may have been missed", "connected again", "interrupted"]
    {
        assert!(said.error.contains(words), "{words}: {}", said.error);
    }
}

//! Whole stores on the move: backups, restores, imports and exports.

use std::fs;
use std::process::Stdio;

use gridkv_cluster::wait_until;
use serde_json::Value;

use super::desk::{Desk, PATIENCE, ended, interrupt, records};

fn filled() -> Desk {
    let desk = Desk::with_nodes(1);
    let imported = desk.fed(&["import", "-"], &records(2_500, |number| format!("k{number:04}")));
    imported.printed("2500 written, 0 rejected\n");
    desk
}

#[test]
fn a_backup_is_whole_or_is_not_there() {
    let desk = filled();
    let made = desk.run(&["backup", "main.gkvs", "--verify", "-o", "json"]);
    let told: Value = serde_json::from_slice(&made.out).unwrap();
    assert_eq!((&told["keys"], &told["verified"]), (&2_500.into(), &true.into()));
    let names = || -> Vec<String> {
        let names = fs::read_dir(desk.dir.path()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["main.gkvs", "nodes"]);
    desk.run(&["backup", "none", "-s", "none"]).failed(3, &["store_not_found"]);
    assert_eq!(names(), ["main.gkvs", "nodes"]);
    desk.run(&["backup", "no/such/place"]).failed(1, &["no/such/place"]);

    let into = |arguments: &[&str]| {
        desk.run(&[&["restore", "main.gkvs", "-s", "sessions"], arguments].concat())
    };
    into(&["--dry-run"])
        .printed("would be: 2500 applied, 0 not newer than what is there, 0 expired\n");
    let dry = into(&["--dry-run", "-o", "json"]);
    let dry: serde_json::Value = serde_json::from_slice(&dry.out).unwrap();
    assert_eq!((&dry["dry_run"], &dry["applied"]), (&true.into(), &2_500.into()));
    into(&[]).printed("2500 applied, 0 not newer than what is there, 0 expired\n");
    desk.run(&["put", "more", "x", "-s", "sessions"]);
    into(&["--mode", "replace"]).failed(2, &["-y"]);
    assert!(into(&["--mode", "replace", "-y"]).text().contains("1 deleted"));
    desk.run(&["get", "k2499", "-s", "sessions"]).printed("v2499");

    let bytes = fs::read(desk.dir.path().join("main.gkvs")).unwrap();
    fs::write(desk.dir.path().join("cut"), &bytes[..bytes.len() - 1]).unwrap();
    desk.run(&["restore", "cut"]).failed(1, &["snapshot_corrupt", "nothing was changed"]);
    fs::write(desk.dir.path().join("notes"), "no snapshot at all\n".repeat(100)).unwrap();
    desk.run(&["restore", "notes"]).failed(1, &["notes is no snapshot", "nothing was changed"]);
    let lines = desk.run(&["backup", "--format", "ndjson"]);
    assert_eq!(lines.text().lines().count(), 2_501);
    assert_eq!(desk.fed(&["restore", "-"], &lines.out).code, Some(0));
}

#[test]
fn what_is_exported_can_be_imported() {
    let desk = Desk::with_nodes(1);
    desk.run(&["put", "text", "a,\"b\"\nc", "--content-type", "text/plain"]);
    desk.run(&["put", "short", "x", "--ttl", "1h"]);
    assert_eq!(desk.fed(&["put", "bytes"], &[0, 255]).code, Some(0));
    let lines = desk.run(&["export"]);
    assert_eq!(lines.code, Some(0), "{}", lines.error);
    desk.fed(&["import", "-", "-s", "sessions"], &lines.out).printed("3 written, 0 rejected\n");
    let again = desk.run(&["export", "-s", "sessions"]);
    let [before, after] = [&lines, &again].map(|said| -> Vec<Value> {
        said.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    });
    assert_eq!(before[0], after[0]);
    assert_eq!(before[2], after[2]);
    assert_eq!(after[2]["content_type"], "text/plain");
    assert!(after[1]["expires_at"].is_string());

    let csv = desk.run(&["export", "--format", "csv"]);
    assert_eq!((csv.code, csv.text()), (Some(6), "key,value\nshort,x\ntext,\"a,\"\"b\"\"\nc\"\n"));
    let whole = desk.run(&["export", "--format", "csv", "--base64", "-f", "all.csv"]);
    assert_eq!(whole.code, Some(0), "{}", whole.error);
    desk.run(&["del", "--prefix", "", "--all", "-y", "-s", "sessions"]).printed("3\n");
    desk.run(&["import", "all.csv", "-s", "sessions"]).printed("3 written, 0 rejected\n");
    assert_eq!(desk.run(&["get", "bytes", "-s", "sessions"]).out, [0, 255]);
}

#[test]
fn what_can_not_be_taken_is_told_line_by_line() {
    let desk = Desk::with_nodes(1);
    let long = "k".repeat(2_000);
    let rows = format!("key,value,ttl\na,1,\n,2,\nb,3,never\n{long},4,\nc,5,1h\n");
    fs::write(desk.dir.path().join("rows.csv"), rows).unwrap();
    let said = desk.run(&["import", "rows.csv"]);
    assert_eq!((said.code, said.text()), (Some(6), "2 written, 3 rejected\n"), "{}", said.error);
    let rejected: Vec<Value> = desk
        .read("rows.csv.rejected")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut lines: Vec<u64> = rejected.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [3, 4, 5]);
    desk.run(&["import", "rows.csv", "--from-line", "6", "--if-absent"])
        .printed("0 written, 1 were there, 0 rejected\n");
    let consul = r#"[{"key":"app/a","flags":0,"value":"aGk="}]"#;
    desk.fed(&["import", "-", "--format", "consul"], consul.as_bytes())
        .printed("1 written, 0 rejected\n");
    desk.run(&["get", "app/a"]).printed("hi");
    desk.run(&["import", "."]).failed(1, &[". is a directory", "name a file in it"]);
    desk.run(&["import", "none.csv"]).failed(1, &["can not read none.csv"]);
    fs::write(desk.dir.path().join("bare.csv"), "a,b\n1,2\n").unwrap();
    desk.run(&["import", "bare.csv"]).failed(1, &["bare.csv: the first line is to name"]);
    fs::write(desk.dir.path().join("cut.json"), "[{").unwrap();
    desk.run(&["import", "cut.json"]).failed(1, &["cut.json: not what consul kv export writes"]);
}

#[test]
fn what_was_rejected_before_is_not_overwritten() {
    let desk = Desk::with_nodes(1);
    let at = |name: &str| desk.dir.path().join(name);
    fs::write(at("rows.csv"), "key,value\n,1\nb,2\n,3\n").unwrap();
    assert_eq!(desk.run(&["import", "rows.csv"]).code, Some(6));
    let before = desk.read("rows.csv.rejected");
    desk.run(&["import", "rows.csv"]).failed(2, &["rows.csv.rejected", "--rejected FILE"]);
    assert_eq!(desk.read("rows.csv.rejected"), before);
    assert_eq!(desk.run(&["import", "rows.csv", "--rejected", "other"]).code, Some(6));
    assert_eq!(desk.read("other"), before);
    // One that goes on adds to it.
    assert_eq!(desk.run(&["import", "rows.csv", "--from-line", "4"]).code, Some(6));
    let after = desk.read("rows.csv.rejected");
    assert!(after.starts_with(&before) && after.lines().count() == 3, "{after}");
}

#[test]
fn keys_that_come_twice_are_counted() {
    let desk = Desk::with_nodes(1);
    let rows = b"key,value\na,1\nb,2\na,3\n";
    let last = desk.fed(&["import", "-", "--format", "csv"], rows);
    last.printed("3 written, 0 rejected\n");
    assert!(last.error.contains("1 record was of a key that had come before"), "{}", last.error);
    desk.run(&["get", "a"]).printed("3");
    desk.run(&["del", "--all", "-y"]);
    let first = desk.fed(&["import", "-", "--format", "csv", "--if-absent"], rows);
    first.printed("2 written, 1 were there, 0 rejected\n");
    assert!(first.error.contains("the first of each holds"), "{}", first.error);
    desk.run(&["get", "a"]).printed("1");
}

#[test]
fn an_import_that_is_interrupted_says_where_to_go_on() {
    let desk = Desk::with_nodes(1);
    let mut child = desk.start(&["import", "-"], Stdio::piped(), Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        use std::io::Write as _;
        // Until the other end is closed: that is how it ends.
        for number in 0.. {
            if writeln!(stdin, "{{\"key\":\"{number}\",\"value\":\"v\"}}").is_err() {
                break;
            }
        }
    });
    let some = || desk.run(&["ls", "--limit", "1"]).text().lines().count() == 1;
    wait_until(PATIENCE, "something to be written", some).unwrap();
    interrupt(&child);
    let said = ended(child);
    feeder.join().unwrap();
    assert_eq!(said.code, Some(130), "{}", said.error);
    let place = said.error.split("--from-line ").nth(1).unwrap().trim();
    let next: u64 = place.parse().unwrap();
    let count = desk.run(&["stats", "-s", "main", "-o", "json"]);
    let stats: Value = serde_json::from_slice(&count.out).unwrap();
    assert_eq!(stats["stores"][0]["key_count"].as_u64(), Some(next - 1), "{}", said.error);
}

//! The files of the console: that they are the ones in the directory, that what is of others is as it was published, and
//! what ours never do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/console");
/// What is there for those who work on it.
const NOT_SERVED: [&str; 2] = ["vendor/SOURCES", "vendor/fetch"];

fn names(below: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, into);
        } else {
            into.insert(path.strip_prefix(DIRECTORY).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn ours() -> impl Iterator<Item = (&'static str, &'static str)> {
    let ours = FILES.iter().filter(|file| !file.name.starts_with("vendor/"));
    ours.map(|file| (file.name, str::from_utf8(file.content).unwrap()))
}

#[test]
fn every_file_is_served() {
    let mut there = BTreeSet::new();
    names(Path::new(DIRECTORY), &mut there);
    let served: BTreeSet<String> =
        FILES.iter().map(|file| file.name).chain(NOT_SERVED).map(str::to_owned).collect();
    assert_eq!(there, served);
    let tags: BTreeSet<&String> = tags().iter().collect();
    assert_eq!(tags.len(), FILES.len(), "each has a tag of its own");
}

#[test]
fn what_is_of_others_is_as_it_was_published() {
    let sources = include_str!("../../console/vendor/SOURCES");
    let rows = sources.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split(' ').collect()).collect();
    let of_others = FILES.iter().filter(|file| file.name.starts_with("vendor/"));
    for file in of_others.clone() {
        let name = file.name.strip_prefix("vendor/").unwrap();
        let row = rows.iter().find(|row| row[1] == name).unwrap();
        let sum = hex(file.content, 32);
        assert_eq!(sum, row[0], "{name}: `make console-vendor` fetches it again");
    }
    assert_eq!(rows.len(), of_others.count());
    let licences = rows.iter().filter(|row| row[1].ends_with("-LICENSE.txt")).count();
    assert_eq!(licences, 3, "htm, preact, uPlot");
}

#[test]
fn ours_put_no_text_where_it_could_run() {
    for (name, text) in ours() {
        for never in [
            "innerHTML",
            "InnerHTML",
            "srcdoc",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "javascript:",
            "<style",
            " style=\"",
            "onclick=\"",
        ] {
            assert!(!text.contains(never), "{name} has {never}");
        }
        assert!(text.lines().count() <= 260, "{name} is long: two nouns?");
    }
}

#[test]
fn nothing_comes_from_elsewhere() {
    for (name, text) in ours() {
        for (at, _) in text.match_indices("://") {
            let before = &text[..at];
            let is_name = name == "icon.svg" && text[at..].starts_with("://www.w3.org/2000/svg");
            assert!(
                is_name || before.ends_with('$'),
                "{name} names a place: {:?}",
                &text[at.saturating_sub(20)..at + 10]
            );
        }
        let imports =
            text.lines().filter_map(|line| line.split_once(" from '")).map(|(_, path)| path);
        for path in imports {
            let path = path.trim_end_matches("';");
            let file = path.strip_prefix("./").unwrap_or_else(|| panic!("{name} imports {path}"));
            assert!(FILES.iter().any(|known| known.name == file), "{name} imports {path}");
        }
    }
}

#[test]
fn its_colours_are_those_of_the_alerts() {
    let levels = include_str!("../../console/levels.js");
    let alerts =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../grafana/prometheus/rules/gridkv.alerts.yml");
    let alerts = fs::read_to_string(alerts).unwrap();
    for (ours, theirs) in [
        ("RING_DEEP = 1000;", "gridkv_sync_buffer_length >= 1000"),
        ("NEARLY_FULL = 0.8;", "gridkv_sync_buffer_length_per_capacity:ratio > 0.8"),
        ("NEARLY_FULL = 0.8;", "gridkv_actor_mailbox_capacity > 0.8"),
        ("LAG_SECONDS = 10;", "gridkv_replication_lag_seconds > 10"),
        ("MEMORY = 0.9;", "(gridkv_store_memory_limit_bytes > 0) > 0.9"),
        ("HIT_RATE = 0.9;", "< 0.9"),
        ("PERSIST_SECONDS = 60;", "gridkv_persist_last_success_timestamp_seconds > 60"),
        ("CERTIFICATE_SECONDS = 1209600;", "gridkv_certificate_expires_in_seconds < 1209600"),
        ("CERTIFICATE_LAST_SECONDS = 172800;", "gridkv_certificate_expires_in_seconds < 172800"),
    ] {
        assert!(levels.contains(ours), "{ours}");
        assert!(alerts.contains(theirs), "{theirs}");
    }
}

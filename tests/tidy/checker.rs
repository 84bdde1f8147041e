//! Looks through a tree of sources and reports every broken rule. It knows the tables of `rooms` and nothing else, so
//! that it can be shown what it must find: the tests give it trees of their own.

#![expect(clippy::unwrap_used, reason = "a tree that can not be read is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::code;
use crate::offence::{Offence, Rule};
use crate::rooms::{
    CLOCK_READERS, CLOCKS, MACHINE_PATHS, MOST_LINES, NAMELESS, ROOMS, Room, UNFINISHED, VENDORS,
    manifest, sources,
};

/// Every offence in the tree, in order.
pub(crate) fn check(root: &Path) -> Vec<Offence> {
    let mut found = BTreeSet::new();
    let vendors = vendors(root);
    for room in &ROOMS {
        let path = manifest(room);
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            dependencies(room, &path, &text, &mut found);
        }
    }
    let tests = test_files(root);
    for file in rust_files(root) {
        let source = fs::read_to_string(root.join(&file)).unwrap();
        form(&file, &source, &mut found);
        let bare = code::bare(&source);
        for phrase in UNFINISHED {
            report(&mut found, Rule::Unfinished, &file, phrase, &code::lines_with(&bare, phrase));
        }
        let is_test = file.ends_with("_test.rs") || tests.contains(&file);
        let shown = if is_test { "" } else { code::without_tests(&bare) };
        clocks(&file, shown, &mut found);
        if let Some(room) = ROOMS.iter().find(|room| file.starts_with(&sources(room))) {
            named(room, &file, shown, &vendors, &mut found);
        }
    }
    found.into_iter().collect()
}

/// Files that are only compiled for tests: beside the file that says so, or below it.
fn test_files(root: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for file in rust_files(root) {
        let bare = code::bare(&fs::read_to_string(root.join(&file)).unwrap());
        let (beside, _) = file.rsplit_once('/').unwrap_or_default();
        for name in code::test_modules(&bare) {
            tests.insert(format!("{beside}/{name}.rs"));
            tests.insert(format!("{}/{name}.rs", file.trim_end_matches(".rs")));
        }
    }
    tests
}

/// How many Rust files the tree has.
pub(crate) fn count(root: &Path) -> usize {
    rust_files(root).len()
}

fn report(found: &mut BTreeSet<Offence>, rule: Rule, file: &str, what: &str, lines: &[usize]) {
    found.extend(lines.iter().map(|line| Offence {
        file: file.to_owned(),
        line: *line,
        rule,
        found: what.to_owned(),
    }));
}

/// All crates that the workspace names, as code names them.
fn vendors(root: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = text.parse().unwrap_or_default();
    let workspace = manifest.get("workspace").and_then(|table| table.get("dependencies"));
    let table = workspace.and_then(toml::Value::as_table);
    table.into_iter().flatten().map(|(name, _)| as_code(name)).collect()
}

fn as_code(name: &str) -> String {
    name.replace('-', "_")
}

fn dependencies(room: &Room, path: &str, text: &str, found: &mut BTreeSet<Offence>) {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => {
            return report(found, Rule::Manifest, path, &format!("can not be read: {error}"), &[0]);
        }
    };
    let Some(may) = room.may else { return };
    // What only runs while building or testing must not turn the rooms round either.
    for (section, all) in
        [("dependencies", true), ("build-dependencies", true), ("dev-dependencies", false)]
    {
        let of_targets =
            manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        let tables =
            of_targets.filter_map(|(_, target)| target.get(section)).chain(manifest.get(section));
        for (name, entry) in tables.filter_map(toml::Value::as_table).flatten() {
            let package = entry.get("package").and_then(toml::Value::as_str).unwrap_or(name);
            if !may.contains(&package) && (all || package.starts_with("gridkv-")) {
                let line = text.lines().position(|line| line.starts_with(name.as_str()));
                let what = format!("{section}: {package}");
                report(found, Rule::Dependency, path, &what, &[line.map_or(0, |line| line + 1)]);
            }
        }
    }
}

/// What the whole file looks like.
fn form(file: &str, source: &str, found: &mut BTreeSet<Offence>) {
    if !source.starts_with("//!") {
        report(found, Rule::Undocumented, file, "does not begin with //!", &[0]);
    }
    let lines = source.lines().count();
    if lines > MOST_LINES {
        report(found, Rule::TooLong, file, &format!("{lines} lines"), &[0]);
    }
    for part in file.trim_end_matches(".rs").trim_end_matches("_test").split('/') {
        if NAMELESS.contains(&part) {
            report(found, Rule::Nameless, file, part, &[0]);
        }
    }
    for start in MACHINE_PATHS {
        report(found, Rule::MachinePath, file, start, &code::lines_with(source, start));
    }
}

fn clocks(file: &str, shown: &str, found: &mut BTreeSet<Offence>) {
    if !CLOCK_READERS.iter().any(|reader| file.starts_with(reader)) {
        for clock in CLOCKS {
            report(found, Rule::Clock, file, clock, &code::lines_with(shown, clock));
        }
    }
}

/// What the code of a room names.
fn named(
    room: &Room,
    file: &str,
    shown: &str,
    vendors: &BTreeSet<String>,
    found: &mut BTreeSet<Offence>,
) {
    for phrase in room.never_phrases {
        report(found, Rule::Never, file, phrase, &code::lines_with(shown, phrase));
    }
    for (line, path) in code::paths(shown) {
        let below = |parent: &&&str| {
            path.strip_prefix(**parent)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if room.never_paths.iter().any(|never| below(&never)) {
            report(found, Rule::Never, file, &path, &[line]);
        }
        let first = path.split("::").next().unwrap_or_default();
        let homes = VENDORS.iter().find(|(vendor, _)| *vendor == first).map(|(_, homes)| homes);
        if homes.is_some_and(|homes| !homes.iter().any(|home| file.starts_with(home))) {
            report(found, Rule::Vendor, file, &path, &[line]);
        }
        let allowed = |may: &[&str]| may.iter().any(|name| as_code(name) == first);
        if vendors.contains(first) && room.may.is_some_and(|may| !allowed(may)) {
            report(found, Rule::Foreign, file, &path, &[line]);
        }
    }
}

/// The Rust files of the tree, from its root, in order. What is built, and hidden directories, are not looked into.
fn rust_files(root: &Path) -> Vec<String> {
    let (mut files, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

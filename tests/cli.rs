//! The command line, as a person at a terminal meets it: what it prints, what it refuses, and how it exits.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

/// The program in a directory of its own, without the environment's settings.
fn gridkv(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GRIDKV_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(directory);
    command
}

/// What it said before it ended by itself.
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), error: text(stderr) }
}

fn run(arguments: &[&str]) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let said = said(&mut gridkv(dir.path(), arguments));
    if said.code != Some(1) {
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "it left something behind");
    }
    said
}

#[test]
fn check_prints_a_configuration_that_is_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let flags =
        ["--name", "n7", "--store", "cache=memory", "--store", "main=file", "--join", "a:1"];
    let first = said(
        gridkv(dir.path(), &[&["serve", "--check"], flags.as_slice()].concat())
            .env("GRIDKV_HTTP__MAX_IN_FLIGHT", "77"),
    );
    assert_eq!((first.code, first.error.as_str()), (Some(0), ""));
    let parsed: toml::Table = first.out.parse().unwrap();
    assert_eq!(parsed["node"]["name"].as_str(), Some("n7"));
    assert_eq!(parsed["http"]["max_in_flight"].as_integer(), Some(77));
    assert_eq!(parsed["stores"].as_table().unwrap().len(), 2);
    fs::write(dir.path().join("again.toml"), &first.out).unwrap();
    let again = said(&mut gridkv(dir.path(), &["serve", "--check", "-c", "again.toml"]));
    assert_eq!(again.code, Some(0), "{}", again.error);
    assert_eq!(again.out.parse::<toml::Table>().unwrap(), parsed);
}

#[test]
fn the_example_is_a_configuration() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/gridkv.example.toml");
    let checked = run(&["serve", "--check", "--config", example]);
    assert_eq!(checked.code, Some(0), "{}", checked.error);
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.toml"), "[http]\nlistn = \"127.0.0.1:1\"\n").unwrap();
    let in_file = said(&mut gridkv(dir.path(), &["serve", "-c", "c.toml"]));
    assert_eq!(in_file.code, Some(2));
    assert!(
        in_file.error.contains("http.listn") && in_file.error.contains("http.listen"),
        "{}",
        in_file.error
    );
    assert_eq!(in_file.out, "");
    let variable = said(gridkv(dir.path(), &["serve"]).env("GRIDKV_SYNC__BUFER_SIZE", "1"));
    assert_eq!(variable.code, Some(2));
    assert!(variable.error.contains("GRIDKV_SYNC__BUFFER_SIZE"), "{}", variable.error);
    let flag = said(&mut gridkv(dir.path(), &["serve", "--lisen", "127.0.0.1:1"]));
    assert_eq!(flag.code, Some(2));
    assert!(flag.error.contains("--listen"), "{}", flag.error);
    assert!(!dir.path().join("data").try_exists().unwrap(), "something was started");
}

#[test]
fn what_clients_read_is_no_setting_of_a_node() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = gridkv(dir.path(), &["serve", "--check"]);
    for name in ["URL", "STORE", "TOKEN", "TOKEN_FILE", "CA"] {
        command.env(format!("GRIDKV_{name}"), "x");
    }
    let checked = said(&mut command);
    assert_eq!((checked.code, checked.error.as_str()), (Some(0), ""));
    let refused = run(&["--url", "http://127.0.0.1:1", "serve", "--check"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.error.contains("--url"), "{}", refused.error);
}

#[test]
fn an_address_that_strangers_reach_is_refused() {
    for arguments in [
        ["serve", "--listen", "0.0.0.0:7400"],
        ["serve", "--listen", "[::]:7400"],
        ["serve", "--listen", "192.0.2.1:7400"],
        ["serve", "--peer-listen", "[::ffff:192.0.2.1]:7500"],
    ] {
        let refused = run(&arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(refused.error.contains("--insecure-expose-without-auth"), "{}", refused.error);
    }
    let exposed =
        ["serve", "--check", "--listen", "0.0.0.0:7400", "--insecure-expose-without-auth"];
    assert_eq!(run(&exposed).code, Some(0));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = taken.local_addr().map(|addr| (addr.to_string(), taken)).unwrap();
    for (flag, other, key) in [
        ("--listen", "--peer-listen", "http.listen"),
        ("--peer-listen", "--listen", "peers.listen"),
    ] {
        let failed = run(&["serve", flag, &taken.0, other, "127.0.0.1:0"]);
        assert_eq!(failed.code, Some(1), "{}", failed.error);
        for word in [taken.0.as_str(), key, "another process"] {
            assert!(failed.error.contains(word), "{word}: {}", failed.error);
        }
    }
}

#[test]
fn a_node_that_looks_beside_its_file_says_when_its_data_is_where_it_was_started() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().to_string();
    fs::create_dir(dir.path().join("conf")).unwrap();
    fs::write(dir.path().join("conf/g.toml"), "[node]\ndata_dir = \"kept\"\n").unwrap();
    let start =
        || said(&mut gridkv(dir.path(), &["serve", "-c", "conf/g.toml", "--listen", &port]));
    assert!(!start().error.contains("starts empty"), "there is nothing anywhere");
    fs::create_dir(dir.path().join("kept")).unwrap();
    fs::write(dir.path().join("kept/node"), "").unwrap();
    let warned = start();
    let line = warned.error.lines().find(|line| line.contains("starts empty")).unwrap();
    for place in ["conf/kept", "--data-dir"] {
        assert!(line.contains(place), "{line}");
    }
    let there = dir.path().canonicalize().unwrap().join("kept");
    assert!(line.contains(there.to_str().unwrap()) && line.contains("WARN"), "{line}");
    fs::rename(dir.path().join("kept"), dir.path().join("conf/kept")).unwrap();
    assert!(!start().error.contains("starts empty"));
}

#[test]
fn a_directory_that_can_not_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let ports = ["--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];
    let failed = said(&mut gridkv(
        dir.path(),
        &[&["serve", "--data-dir", "file/data"], ports.as_slice()].concat(),
    ));
    assert_eq!(failed.code, Some(1));
    assert!(failed.error.contains("file/data"), "{}", failed.error);
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/node"), "not what a node writes").unwrap();
    let damaged = said(&mut gridkv(dir.path(), &[&["serve"], ports.as_slice()].concat()));
    assert_eq!(damaged.code, Some(1));
    assert!(damaged.error.contains("is damaged"), "{}", damaged.error);
}

#[test]
fn bad_values_are_all_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let refused = said(
        gridkv(
            dir.path(),
            &["serve", "--listen", "nowhere", "--store", "M=file", "--store", "x=filee"],
        )
        .env("GRIDKV_HTTP__WORKERS", "-1"),
    );
    assert_eq!(refused.code, Some(2));
    for word in ["nowhere", "GRIDKV_HTTP__WORKERS", "filee", "M"] {
        assert!(refused.error.contains(word), "{word}: {}", refused.error);
    }
    assert!(!refused.error.contains("panicked"));
}

#[test]
fn help_and_version() {
    for arguments in [["--help", "--help"], ["serve", "--help"], ["help", "serve"]] {
        let help = run(&arguments);
        assert_eq!((help.code, help.error.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(help.out.contains("Usage: gridkv"), "{}", help.out);
    }
    assert!(run(&["serve", "--help"]).out.contains("Exit codes"));
    for arguments in [["--version"], ["-V"]] {
        let version = run(&arguments);
        assert_eq!(version.code, Some(0));
        assert_eq!(version.out, format!("gridkv {}\n", env!("CARGO_PKG_VERSION")));
    }
    let nothing = run(&[]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.error.contains("Usage: gridkv"), "{}", nothing.error);
}

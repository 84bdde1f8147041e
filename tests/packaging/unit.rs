//! The systemd unit: its command is one that the program takes, and systemd has nothing to say against it.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::document::path;
use crate::program::{checked, init, moved};

const UNIT: &str = "packaging/systemd/gridkv.service";
const DROP_IN: &str = "packaging/systemd/gridkv.service.d/cluster.conf";

/// Tenths of exposure, as `systemd-analyze security` counts them, at most: what is left is a network and a socket.
const MOST_EXPOSURE: &str = "15";

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The values of a setting, in order.
fn values(text: &str, setting: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == setting).map(|(_, value)| value.to_owned()).collect()
}

fn one(text: &str, setting: &str) -> String {
    let mut values = values(text, setting);
    assert_eq!(values.len(), 1, "{setting}: {values:?}");
    values.remove(0)
}

#[test]
fn its_command_is_taken_with_the_files_of_a_node_of_init() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = dir.path().join("demo");
    let cluster = cluster.to_str().unwrap();
    let arguments =
        ["init", "--dir", cluster, "--cluster", "demo", "--node", "n1=n1", "--node", "n2=n2"];
    init(&arguments.map(str::to_owned));
    // The unit's copies of them, under the names that it gives them.
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let both = [text(UNIT), text(DROP_IN)].concat();
    let loaded = values(&both, "LoadCredential");
    assert_eq!(loaded.len(), 5, "{loaded:?}");
    for credential in loaded {
        let (name, from) = credential.split_once(':').unwrap();
        assert_eq!(from, format!("/etc/gridkv/{name}"));
        let source = dir.path().join("demo/n1").join(name);
        fs::copy(&source, credentials.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let command = one(&both, "ExecStart");
    let command = moved(&command, "%d", &credentials);
    let (program, arguments) = command.split_once(' ').unwrap();
    assert_eq!(program, "/usr/bin/gridkv");
    let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
    let environment: Vec<(String, String)> = values(&both, "Environment")
        .iter()
        .map(|pair| pair.replace("%S", "/var/lib"))
        .map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap())
        .collect();
    let shown = checked(&arguments, &environment);
    assert_eq!(shown["node"]["data_dir"].as_str(), Some("/var/lib/gridkv"));
    assert_eq!(shown["node"]["name"].as_str(), Some("n1"));
}

#[test]
fn it_gives_a_node_the_time_that_it_needs() {
    let unit = text(UNIT);
    assert_eq!(
        (one(&unit, "Type"), one(&unit, "TimeoutStartSec")),
        ("notify".into(), "infinity".into())
    );
    let seconds =
        |setting: &str| -> i64 { one(&unit, setting).strip_suffix('s').unwrap().parse().unwrap() };
    let shown = checked(&["serve".to_owned()], &[]);
    let patience = shown["http"]["shutdown_timeout"].as_str().unwrap();
    let patience: i64 = patience.strip_suffix('s').unwrap().parse().unwrap();
    assert!(seconds("TimeoutStopSec") >= patience + 5);
    assert!(seconds("WatchdogSec") > 10, "an actor is stuck after 10 s");
}

#[test]
fn systemd_has_nothing_to_say_against_it() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("gridkv.service");
    fs::write(&unit, text(UNIT).replace("/usr/bin/gridkv", env!("CARGO_BIN_EXE_gridkv"))).unwrap();
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze").args(arguments).arg(&unit).env("SYSTEMD_PAGER", "").output()
    };
    let verified = match analyze(&["verify", "--man=no"]) {
        Ok(verified) => verified,
        Err(error) => {
            let line = format!("the unit: SKIPPED: systemd-analyze: {error}\n");
            return std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.trim().is_empty(), "{said}");
    let judged = analyze(&["security", "--offline=yes", "--threshold", MOST_EXPOSURE]).unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

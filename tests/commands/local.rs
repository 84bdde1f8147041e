//! Commands that talk to no node: configuration, completions, manual.

use std::fs;

use super::desk::{gridkv, said};

#[test]
fn the_configuration_is_shown_with_what_set_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.toml"), "[http]\nworkers = 3\n").unwrap();
    let arguments = ["config", "show", "-c", "c.toml", "--name", "n7", "--origin"];
    let mut command = gridkv(dir.path(), &arguments);
    let shown = said(command.env("GRIDKV_SYNC__BUFFER_SIZE", "16"));
    let line = |key: &str| shown.text().lines().find(|line| line.starts_with(key)).unwrap();
    assert!(line("name =").ends_with("# flag --name"), "{}", line("name ="));
    assert!(line("workers =").ends_with("# c.toml:2"), "{}", line("workers ="));
    assert!(line("buffer_size =").ends_with("# environment variable GRIDKV_SYNC__BUFFER_SIZE"));
    assert!(line("listen =").ends_with("# default"));
    let bare = said(&mut gridkv(dir.path(), &["config", "show", "-c", "c.toml"]));
    let bare_table: toml::Table = bare.text().parse().unwrap();
    assert!(!bare.text().contains('#') && bare_table["http"]["workers"].as_integer() == Some(3));
    let json = said(&mut gridkv(
        dir.path(),
        &["config", "show", "-c", "c.toml", "-o", "json", "--origin"],
    ));
    let json: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(json["http"]["workers"], serde_json::json!({"value": 3, "origin": "c.toml:2"}));
}

#[test]
fn a_configuration_is_checked_and_the_example_passes() {
    let dir = tempfile::tempdir().unwrap();
    let example = said(&mut gridkv(dir.path(), &["config", "example"]));
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/gridkv.example.toml"));
    example.printed(&shipped.unwrap());
    fs::write(dir.path().join("c.toml"), &example.out).unwrap();
    said(&mut gridkv(dir.path(), &["config", "check", "-c", "c.toml"])).printed("");
    fs::write(dir.path().join("c.toml"), "[http]\nlisten = 1\nworkerz = 2\n").unwrap();
    let bad = said(&mut gridkv(dir.path(), &["config", "check", "-c", "c.toml", "--store", "M=x"]));
    bad.failed(2, &["c.toml:2", "workerz", "--store"]);
    let help = said(&mut gridkv(dir.path(), &["config", "check", "--help"]));
    assert!(!help.text().contains("gridkv serve"), "{}", help.text());
}

#[test]
fn completions_and_manual_name_every_command() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&mut gridkv(dir.path(), &["completions", shell]));
        assert_eq!(script.code, Some(0));
        assert!(
            script.text().contains("restore") && script.text().contains("if-absent"),
            "{shell}"
        );
    }
    let parsed = gridkv(dir.path(), &["completions", "bash"]).output().unwrap();
    fs::write(dir.path().join("gridkv.bash"), parsed.stdout).unwrap();
    let checked =
        said(std::process::Command::new("/bin/bash").args(["-n", "gridkv.bash"]).current_dir(&dir));
    checked.printed("");
    assert_eq!(said(&mut gridkv(dir.path(), &["man", "man"])).code, Some(0));
    let page = fs::read_to_string(dir.path().join("man/gridkv-put.1")).unwrap();
    assert!(page.contains("if\\-absent") && page.contains(".SH EXAMPLES"), "{page}");
    assert!(page.contains(concat!("version ", env!("CARGO_PKG_VERSION"))), "{page}");
    assert!(dir.path().join("man/gridkv-stores-create.1").try_exists().unwrap());
}

#[test]
fn every_command_has_help_with_examples() {
    let dir = tempfile::tempdir().unwrap();
    let help = said(&mut gridkv(dir.path(), &["--help"]));
    let commands: Vec<&str> = help
        .text()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 18, "{commands:?}");
    for command in commands {
        let long = said(&mut gridkv(dir.path(), &[command, "--help"]));
        assert_eq!(long.code, Some(0), "{command}");
        assert!(long.text().contains("Examples:\n  "), "{command} has no examples");
    }
}

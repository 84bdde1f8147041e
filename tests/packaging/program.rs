//! The program as the packages start it: with other paths, because nothing is installed here.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs it with nothing of this environment but `environment`.
pub(crate) fn gridkv(arguments: &[String], environment: &[(String, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridkv"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

/// What it says when it only checks what it was given; it must find nothing to object to.
pub(crate) fn checked(arguments: &[String], environment: &[(String, String)]) -> toml::Table {
    let arguments = [arguments, &["--check".to_owned()]].concat();
    let done = gridkv(&arguments, environment);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?} {environment:?}: {said}");
    String::from_utf8(done.stdout).unwrap().parse().unwrap()
}

/// Makes a cluster's certificates, tokens and configurations in a new directory.
pub(crate) fn init(arguments: &[String]) {
    let done = gridkv(arguments, &[]);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Whether the program says that it knows this option of a command.
pub(crate) fn knows(command: &str, option: &str) -> bool {
    let help = gridkv(&[command.to_owned(), "--help".to_owned()], &[]);
    let help = String::from_utf8(help.stdout).unwrap();
    help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == option)
}

/// Whether this is a path of the API that can be asked without a body.
pub(crate) fn answers(path: &str) -> bool {
    let document = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/http/openapi.json"));
    let document: Value = serde_json::from_str(document).unwrap();
    document["paths"][path]["get"].is_object()
}

/// A path as the program is given it, with a directory of this machine in the place of the package's.
pub(crate) fn moved(text: &str, from: &str, to: &Path) -> String {
    text.replace(from, to.to_str().unwrap())
}

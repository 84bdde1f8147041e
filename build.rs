//! Notes what the program is built from: the revision of its source and the compiler.
//!
//! The revision is that of the repository that the source lies in, or what `BUILD_REVISION` says where there is
//! none, as in an image that is built from a copy. The names do not begin as those of settings do: cargo gives them
//! to the tests that it runs, and a node refuses a setting that it does not know.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=BUILD_REVISION");
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).try_exists().unwrap_or(false) {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let revision = env::var("BUILD_REVISION").ok().filter(|said| !said.is_empty());
    let revision = revision.or_else(|| said_by("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = said_by(&rustc, &["--version"]);
    let rustc = rustc.and_then(|said| said.split(' ').nth(1).map(str::to_owned));
    for (name, value) in [("BUILD_REVISION", revision), ("BUILD_RUSTC", rustc)] {
        println!("cargo::rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
    }
}

/// What a program prints, in one line; `None` when it can not be run, or fails.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}

//! The benchmark of the backends still runs: everything once and small. It says nothing of speed.

use std::process::Command;

#[test]
fn a_quick_run_has_every_part_of_the_page() {
    // Named, so that it is built: the benchmark finds it beside itself.
    assert!(env!("CARGO_BIN_EXE_allocations").ends_with("allocations"));
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_backends"))
        .args(["--quick", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let parts = ["Speed", "Allocations", "Memory", "Start", "Group commit", "An image"];
    for part in parts {
        assert!(told.contains(&format!("\n### {part}")), "{part} is missing:\n{told}");
    }
    for backend in ["memory", "file", "moka", "fjall", "fjall-memory"] {
        assert!(told.matches(&format!("| `{backend}`")).count() >= 6, "{backend}:\n{told}");
    }
}

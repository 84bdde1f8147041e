//! The directory of a run, which is gone at its end, and what runs that were killed left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use tempfile::TempDir;

use crate::mount;
use crate::run_error::RunError;

/// What the names of all these directories begin with; the process id follows.
const PREFIX: &str = "gridkv-soak-";

/// A directory of its own.
#[derive(Debug)]
pub(crate) struct Workplace {
    dir: TempDir,
}

impl Workplace {
    /// Makes one, after removing those of runs that are no more.
    ///
    /// # Errors
    /// [`RunError::Io`] when none can be made.
    pub(crate) fn new() -> Result<Self, RunError> {
        let base = std::env::temp_dir();
        sweep(&base);
        let prefix = format!("{PREFIX}{}-", process::id());
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir_in(&base);
        Ok(Self { dir: dir.map_err(RunError::io("make a directory in", &base))? })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves it where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.dir.keep()
    }
}

/// Ends nodes, mounts and directories of runs whose process is gone. What can not be removed is left to the next run.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else { continue };
        if matches!(Path::new("/proc").join(owner.to_string()).try_exists(), Ok(false)) {
            end_nodes(&entry.path());
            mount::unmount_below(&entry.path());
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Kills the nodes that still write below a directory: its owner died without stopping them.
fn end_nodes(directory: &Path) {
    let path = directory.to_string_lossy();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name();
        let Some(pid) = pid.to_str().filter(|pid| pid.parse::<u32>().is_ok()) else { continue };
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains("gridkv\0serve\0") && line.contains(&format!("\0{path}/")) {
            let kill = ["-c", "kill -s KILL \"$1\"", "kill", pid];
            drop(Command::new("/bin/sh").args(kill).status());
        }
    }
}

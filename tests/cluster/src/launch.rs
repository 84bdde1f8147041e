//! How a node is started: what stays the same over its restarts, and the process that it becomes.

use crate::cluster_error::ClusterError;
use crate::port::Address;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Settings of the person who starts a cluster must not leak into its nodes.
const OWN_ENVIRONMENT: &str = "GRIDKV_";

/// How to start a node: everything that stays the same over its restarts.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) binary: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) own_process_group: bool,
    pub(crate) token: Option<String>,
    /// Whose certificates its clients take; `None`: it speaks plain HTTP.
    pub(crate) authority: Option<String>,
}

impl Launch {
    /// The process, which prints all that it says to the end of this file.
    ///
    /// # Errors
    /// [`ClusterError::Io`] when that can not be opened.
    pub(crate) fn command(&self, log: &Path) -> Result<Command, ClusterError> {
        let cannot = || ClusterError::io(format!("cannot open {}", log.display()));
        let file = OpenOptions::new().create(true).append(true).open(log).map_err(cannot())?;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OWN_ENVIRONMENT) {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(cannot())?)
            .stderr(file);
        if self.own_process_group {
            command.process_group(0);
        }
        Ok(command)
    }
}

//! Why a subcommand failed. Whatever it started has been stopped by the time this is shown.

use gridkv_cluster::{ClientError, ClusterError, DatasetError, DebianError, PortOwner, WaitError};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// The error of all subcommands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(
        "there is no node program at {0}: build it with `cargo build --release`, \
         or say where it is with --gridkv"
    )]
    NoBinary(PathBuf),
    #[error("port {port} is taken by {}", owner_words(owner.as_ref()))]
    PortTaken { port: u16, owner: Option<PortOwner> },
    #[error("cannot empty {path}")]
    Empty {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    #[error("cannot print")]
    Print(#[from] io::Error),
    #[error("{node} stopped, but not in order: {status}; the end of its log:\n{log_tail}")]
    BadExit { node: String, status: ExitStatus, log_tail: String },
    #[error("{url} has no store {store}")]
    NoStore { url: String, store: String },
    #[error("cannot run {}", program.display())]
    NoCommand {
        program: OsString,
        #[source]
        source: io::Error,
    },
    #[error("{} failed: {status}", program.display())]
    CommandFailed { program: OsString, status: ExitStatus },
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Debian(#[from] DebianError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error("interrupted")]
    Interrupted,
}

fn owner_words(owner: Option<&PortOwner>) -> String {
    owner.map_or_else(
        || {
            "a process that cannot be seen from here (another user's, or in another container)"
                .to_owned()
        },
        |owner| format!("{owner}: stop it with `kill {}`", owner.pid),
    )
}

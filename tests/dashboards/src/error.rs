//! Why a check, or `make grafana`, could not be made. What a check finds is no error: see `finding`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use gridkv_cluster::{ClientError, ClusterError, ReplyError, WaitError};

/// The error of this package.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be used.
    #[error("can not {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file is not YAML.
    #[error("{path} is not YAML")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: yaml_rust2::ScanError,
    },
    /// A file is not JSON.
    #[error("{path} is not JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A rule lacks a part.
    #[error("rule {name}: {what}")]
    Rule {
        /// The rule.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A program that is needed is not there.
    #[error("{program} is missing. {remedy}")]
    Missing {
        /// The program.
        program: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
    /// A program that had to stay ended.
    #[error("{program} ended by itself: {status}; the end of what it said:\n{tail}")]
    Ended {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        tail: String,
    },
    /// A program that had to succeed did not.
    #[error("{command} failed:\n{said}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
    /// Prometheus does not answer as it should.
    #[error("Prometheus refuses {path}: {said}")]
    Refused {
        /// What it was asked.
        path: String,
        /// Its answer.
        said: String,
    },
    /// The nodes did not do what a fault needs.
    #[error("{what}: {said}")]
    Fault {
        /// What was to be done.
        what: String,
        /// What came instead.
        said: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A node could not be started or stopped.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A node or Prometheus did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Or not as promised.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// Something did not happen in time.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

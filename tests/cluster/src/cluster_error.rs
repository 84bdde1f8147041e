//! What can go wrong with a process, told so that nobody has to look for the log: it is in the message.

use crate::deadline::WaitError;
use crate::port::PortError;
use std::io;
use std::process::ExitStatus;

/// Why a node or a cluster did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file, a directory or a process could not be handled.
    #[error("{action}")]
    Io {
        /// What was being done, with the path.
        action: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The process ended although nobody here ended it.
    #[error("node {node} ended by itself ({status}); the end of its log:\n{log_tail}")]
    Exited {
        /// Its name.
        node: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log_tail: String,
    },
    /// It runs, but `/readyz` did not answer 200 in time.
    #[error("{wait}; node {node} last said: {last}\nthe end of its log:\n{log_tail}")]
    NotReady {
        /// Its name.
        node: String,
        /// The last answer or failure of `/readyz`.
        last: String,
        /// The end of its log.
        log_tail: String,
        /// The wait that ended.
        wait: WaitError,
    },
    /// It was asked to stop and did not, in time. It still runs.
    #[error("{wait}; the end of its log:\n{log_tail}")]
    NotStopped {
        /// The end of its log.
        log_tail: String,
        /// The wait that ended.
        wait: WaitError,
    },
    /// There is no process to do this to.
    #[error("node {0} does not run")]
    NotRunning(String),
    /// There is a process already.
    #[error("node {0} runs already")]
    AlreadyRunning(String),
    /// No ports for its nodes.
    #[error(transparent)]
    Ports(#[from] PortError),
}

impl ClusterError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

//! Why a run did not get to its end. What is wrong with the nodes is no error but a finding.

use std::io;
use std::path::Path;

use gridkv_cluster::{ClientError, ClusterError, Reply, ReplyError, WaitError};

/// A run that did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// A file, a socket or a thread of the run itself.
    #[error("cannot {action}")]
    Io {
        /// What could not be done.
        action: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A node answered something with which the run can not go on.
    #[error("{what}: {status} {body}")]
    Answer {
        /// The request.
        what: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// No answer, or one that can not be read.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that can not be read.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// A node that does not start, stop or become ready.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A condition that did not come true.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The nodes refuse the configuration that they were given.
    #[error("the configuration is refused:\n{0}")]
    Configuration(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl ChaosError {
    /// For `map_err`: what could not be done with which path.
    pub(crate) fn io(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let action = format!("{action} {}", path.display());
        |source| Self::Io { action, source }
    }

    /// For `map_err`: what could not be done.
    pub(crate) fn cannot(action: &str) -> impl FnOnce(io::Error) -> Self {
        let action = action.to_owned();
        |source| Self::Io { action, source }
    }

    /// An answer that has not the status that was needed.
    pub(crate) fn answer(what: &str, reply: &Reply) -> Self {
        Self::Answer { what: what.to_owned(), status: reply.status, body: reply.quoted() }
    }
}

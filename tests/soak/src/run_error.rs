//! Why a run on real nodes ended early: a node broke a promise, or the run could not go on. Chaos, which takes note of
//! broken promises and goes on, ends for the other reasons.

use std::error::Error as _;
use std::io;
use std::path::Path;

use gridkv_cluster::{ClientError, ClusterError, Reply, ReplyError, WaitError};

use crate::finding::{Finding, tell};

/// A run that did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node serves what it must not, or acknowledged less than it promises.
    #[error("{}", tell(.0))]
    Findings(Vec<Finding>),
    /// The node did something else that it must not.
    #[error("{0}")]
    Broken(String),
    /// The node answered something else than what the run can go on with.
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
    /// A file, a socket, a thread or a program of the run itself.
    #[error("{action}")]
    Io {
        /// What could not be done.
        action: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Where in the run it happened, with what is needed to repeat it.
    #[error("{place} ({repeat}):\n{cause}\n{log}")]
    At {
        /// The run, the target and the cycle.
        place: String,
        /// The words that make the same choices again, and what was kept.
        repeat: String,
        /// What happened, down to its last cause.
        cause: String,
        /// The end of the nodes' logs.
        log: String,
    },
}

impl RunError {
    /// For `map_err`: what could not be done with which path.
    pub fn io(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::cannot(&format!("{action} {}", path.display()))
    }

    /// For `map_err`: what could not be done.
    pub fn cannot(action: &str) -> impl FnOnce(io::Error) -> Self + use<> {
        let action = format!("cannot {action}");
        |source| Self::Io { action, source }
    }

    /// What happened, down to its last cause.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// An answer that has not the status that was needed.
    #[must_use]
    pub fn answer(what: &str, reply: &Reply) -> Self {
        Self::Answer { what: what.to_owned(), status: reply.status, body: reply.quoted() }
    }
}

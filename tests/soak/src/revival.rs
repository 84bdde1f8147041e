//! Starting a node whose files may be damaged: it must serve at the third start at the latest, or say why not.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use gridkv_cluster::{ClusterError, Node, Stopwatch};

use crate::run_error::RunError;
use crate::target::STORE;

/// How often a supervisor would start it before a person looks.
const STARTS: u32 = 3;

/// What became of the starts.
#[derive(Debug)]
pub(crate) enum Revival {
    /// It is ready, after this time.
    Ready(Duration),
    /// It is not, and its log says why.
    Refused,
}

/// The part of a node's log that comes from now on.
#[derive(Debug)]
pub(crate) struct Said {
    before: usize,
}

impl Said {
    pub(crate) fn since_now(node: &Node) -> Self {
        Self { before: log(node).len() }
    }

    /// All of it.
    pub(crate) fn text(&self, node: &Node) -> String {
        log(node).split_off(self.before)
    }

    /// Whether a warning or an error names the store, or the program's last words say why it does not start.
    pub(crate) fn complains(&self, node: &Node) -> bool {
        self.text(node).lines().any(|line| {
            let loud = ["WARN", "ERROR", "error"].iter().any(|word| line.contains(word));
            (loud && line.contains(STORE)) || line.starts_with("gridkv: can not start: ")
        })
    }
}

/// Starts it up to three times.
///
/// # Errors
/// [`RunError::Broken`] when it neither serves in the end nor says why.
pub(crate) fn revive(node: &Node, within: Duration) -> Result<Revival, RunError> {
    let mut last = String::new();
    let mut said = Said::since_now(node);
    let mut crashed = false;
    for _ in 0..STARTS {
        said = Said::since_now(node);
        let stopwatch = Stopwatch::start();
        node.start()?;
        match node.wait_ready(within) {
            Ok(()) => return Ok(Revival::Ready(stopwatch.elapsed())),
            Err(ClusterError::Exited { status, .. }) => {
                node.ended()?;
                crashed = status.signal().is_some() || said.text(node).contains("panicked");
                last = status.to_string();
            }
            Err(error @ ClusterError::NotReady { .. }) => {
                node.kill()?;
                crashed = false;
                last = error.to_string();
            }
            Err(other) => return Err(other.into()),
        }
    }
    if crashed || !said.complains(node) {
        let text = said.text(node);
        return Err(RunError::Broken(format!(
            "after {STARTS} starts it neither serves nor says why: {last}\n{text}"
        )));
    }
    Ok(Revival::Refused)
}

fn log(node: &Node) -> String {
    let log = fs::read(node.log_path()).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

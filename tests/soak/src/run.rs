//! The four runs, each over all targets.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::course::Course;
use crate::mesh::MESH;
use crate::run_error::RunError;
use crate::setup::Setup;
use crate::summary::Summary;
use crate::workplace::Workplace;
use crate::{crash, flips, full, mount, power};

/// Lines of the node's log in a message.
const LOG_LINES: usize = 30;

/// What is done to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// `kill -9` under load.
    Crash,
    /// A power cut under load.
    Power,
    /// A flipped bit or a truncation in the files of a stopped node.
    Flips,
    /// A disk that is full.
    Full,
}

/// How a run ended that did not fail.
#[derive(Clone, Debug)]
pub enum Report {
    /// What each target came to.
    Done(Vec<Summary>),
    /// It can not be done on this machine: why.
    Skipped(String),
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Power => "power",
            Self::Flips => "flips",
            Self::Full => "full",
        })
    }
}

impl Run {
    /// Does it to every target.
    ///
    /// # Errors
    /// [`RunError`] of the first target that failed.
    pub fn over(self, setup: &Setup) -> Result<Report, RunError> {
        if matches!(self, Self::Power | Self::Full)
            && let Some(reason) = mount::why_not()
        {
            return Ok(Report::Skipped(reason));
        }
        let mut summaries = Vec::new();
        for target in setup.targets.iter().filter(|one| self != Self::Flips || one.flipped) {
            let place = Workplace::new()?;
            let mut course = Course::new(setup, target, &self.to_string(), place.path());
            let result = match self {
                Self::Crash => crash::run(&mut course),
                Self::Power => power::run(&mut course),
                Self::Flips => flips::run(&mut course),
                Self::Full => full::run(&mut course),
            };
            let (at, summary) = (course.place(), course.summary);
            if let Err(error) = result {
                return Err(failed(setup, at, place, &error));
            }
            (setup.done)(&summary);
            summaries.push(summary);
        }
        Ok(Report::Done(summaries))
    }
}

/// The error of a run with where it happened and how to repeat it.
fn failed(setup: &Setup, at: String, place: Workplace, error: &RunError) -> RunError {
    if setup.interrupted.load(Ordering::Relaxed) {
        return RunError::Interrupted;
    }
    let log = logs(place.path());
    let kept = setup.keep.then(|| format!(", kept in {}", place.keep().display()));
    RunError::At {
        place: at,
        repeat: format!("--seed {}{}", setup.seed, kept.unwrap_or_default()),
        cause: error.chain(),
        log,
    }
}

/// The ends of the logs of all nodes below a directory.
fn logs(directory: &Path) -> String {
    let mut ends = Vec::new();
    let clusters = [directory.to_owned(), directory.join(MESH)];
    for entry in clusters.iter().filter_map(|one| fs::read_dir(one).ok()).flatten().flatten() {
        let log = fs::read(entry.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        if !end.is_empty() {
            ends.push(format!("-- {}\n{}", entry.file_name().display(), end.join("\n")));
        }
    }
    ends.join("\n")
}

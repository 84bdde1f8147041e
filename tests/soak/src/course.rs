//! One run over one target: its cycles, one after the other, and what they came to.

use std::path::Path;

use gridkv_cluster::Stopwatch;

use crate::run_error::RunError;
use crate::setup::Setup;
use crate::summary::Summary;
use crate::target::Target;

/// Cycles between two lines of progress.
const PROGRESS: u64 = 10;

/// Where a run over one target is.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) target: &'a Target,
    /// Everything of this run is below it.
    pub(crate) directory: &'a Path,
    /// The name of the run, and the target's.
    pub(crate) summary: Summary,
    /// The fault of this cycle, for the message if it fails.
    pub(crate) fault: String,
    cycle: u64,
    stopwatch: Stopwatch,
}

impl<'a> Course<'a> {
    pub(crate) fn new(
        setup: &'a Setup,
        target: &'a Target,
        run: &str,
        directory: &'a Path,
    ) -> Self {
        let name = format!("{run} {}", target.name);
        let summary = Summary { name, ..Summary::default() };
        Self {
            setup,
            target,
            directory,
            summary,
            fault: String::new(),
            cycle: 0,
            stopwatch: Stopwatch::start(),
        }
    }

    /// The number of the next cycle, counted from 1; `None` after the last.
    ///
    /// # Errors
    /// [`RunError::Interrupted`].
    pub(crate) fn next_cycle(&mut self) -> Result<Option<u64>, RunError> {
        self.setup.go_on()?;
        self.summary.took = self.stopwatch.elapsed();
        self.summary.cycles = self.cycle;
        if self.cycle == self.setup.cycles {
            return Ok(None);
        }
        if self.cycle > 0 && self.cycle.is_multiple_of(PROGRESS) {
            (self.setup.progress)(&self.summary.to_string());
        }
        self.cycle += 1;
        Ok(Some(self.cycle))
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> String {
        let Self { summary, cycle, fault, .. } = self;
        format!("{}, cycle {cycle} ({fault}); acknowledged: {}", summary.name, summary.acked)
    }
}

//! What a person sees while a check goes on: one line for each step, with the time since the start.

use std::io::{self, Write as _};

use gridkv_cluster::Stopwatch;

/// Standard output.
#[derive(Debug)]
pub struct Screen {
    since: Stopwatch,
}

impl Screen {
    /// The clock of the lines starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { since: Stopwatch::start() }
    }

    /// A line that says what is done now.
    pub fn step(&self, text: &str) {
        self.line(&format!("[{:>3} s] {text}", self.since.elapsed().as_secs()));
    }

    /// A line that says more about the step before.
    pub fn note(&self, text: &str) {
        self.line(&format!("        {text}"));
    }

    /// Any line.
    pub fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        // Nobody may listen any more; what was found is in the exit code too.
        drop(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

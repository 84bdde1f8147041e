//! How far a long command is, to look at: a bar on a terminal, a plain line now and then elsewhere, always on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output::{Output, complain};
use gridkv_http::stopwatch::Stopwatch;

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Redraws of a bar in a second, at most.
const REDRAWS: u8 = 10;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things that have a name.
    Things(&'static str),
    /// Bytes.
    Bytes,
}

/// The progress of one command.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// Plain lines are written instead of a bar.
    has_lines: bool,
    what: &'static str,
    unit: Unit,
    done: u64,
    total: Option<u64>,
    began: Stopwatch,
    last_line: Duration,
}

impl Progress {
    /// Begins. `total` may be an estimate.
    pub(crate) fn new(output: &Output, what: &'static str, unit: Unit, total: Option<u64>) -> Self {
        let on_terminal = io::stderr().is_terminal();
        let bar = (output.shows_progress && on_terminal).then(|| bar(what, unit, total));
        Self {
            bar,
            has_lines: output.shows_progress && !on_terminal,
            what,
            unit,
            done: 0,
            total,
            began: Stopwatch::start(),
            last_line: Duration::ZERO,
        }
    }

    /// So much is done.
    pub(crate) fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            // What was an estimate must not look like a lie.
            if self.total.is_some_and(|total| done > total) {
                bar.set_length(done);
            }
            bar.set_position(done);
        }
        let elapsed = self.began.elapsed();
        if self.has_lines && elapsed.saturating_sub(self.last_line) >= LINE_EVERY {
            self.last_line = elapsed;
            complain(&format!("{}: {}", self.what, self.words()));
        }
    }

    /// The total is known now.
    pub(crate) fn set_total(&mut self, total: u64) {
        self.total = Some(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// How far it is, in words.
    pub(crate) fn words(&self) -> String {
        let amount = |count: u64| match self.unit {
            Unit::Bytes => crate::output::human_bytes(count),
            Unit::Things(_) => count.to_string(),
        };
        let of = self.total.map(|total| format!(" of {}", amount(total))).unwrap_or_default();
        let unit = match self.unit {
            Unit::Bytes => String::new(),
            Unit::Things(name) => format!(" {name}"),
        };
        format!("{}{of}{unit}", amount(self.done))
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar(what: &'static str, unit: Unit, total: Option<u64>) -> ProgressBar {
    let (position, rate) = match unit {
        Unit::Bytes => ("{bytes}/{total_bytes}", "{bytes_per_sec}"),
        Unit::Things(_) => ("{human_pos}/{human_len}", "{rate}"),
    };
    let template = match total {
        Some(_) => format!("{{msg}} [{{bar:30}}] {position} {rate} eta {{eta}}"),
        None => {
            format!("{{msg}} {{spinner}} {} {rate}", position.split('/').next().unwrap_or_default())
        }
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(REDRAWS));
    // The templates are ours; one that can not be read leaves the plain style.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Writing to the text of a bar can not fail.
            write!(out, "{:.0}/s", state.per_sec()).ok();
        };
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}

//! What commands print: results on standard output, everything else on standard error.
//!
//! Why it exists: one place knows the formats, whether somebody looks at a terminal, and what must never reach one.
//! Text that came from a store is shown with its control characters escaped wherever it stands beside text of ours;
//! only a value that was asked for alone goes out as it is. A reader that goes away ends the command without a word.

mod escape;
mod report;
mod screen;

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value as Json;

pub(crate) use escape::escape;
pub(crate) use report::{Cell, Paint, Report, human_bytes, left, right};
pub(crate) use screen::Screen;

use crate::cli::settings::{Colour, Format, Settings};

/// Standard output can not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Who read it went away: no reason to complain.
    #[error("nobody reads the output any more")]
    Closed,
    /// Anything else.
    #[error("can not write the output")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error) }
    }
}

/// How much is told beside results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Quiet,
    Normal,
    Verbose,
}

/// Where results and notes go, and in which shape.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: Option<Format>,
    voice: Voice,
    colour: bool,
    /// Standard output is a terminal.
    on_terminal: bool,
    /// Progress may be shown.
    pub(crate) shows_progress: bool,
}

impl Output {
    /// As the options say.
    pub(crate) fn new(settings: &Settings) -> Self {
        let on_terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let voice = match (settings.quiet, settings.verbose) {
            (true, _) => Voice::Quiet,
            (false, true) => Voice::Verbose,
            (false, false) => Voice::Normal,
        };
        Self {
            format: settings.output,
            voice,
            colour: match settings.color.unwrap_or_default() {
                Colour::Auto => on_terminal && !no_colour,
                Colour::Always => true,
                Colour::Never => false,
            },
            on_terminal,
            shows_progress: !settings.no_progress && !settings.quiet,
        }
    }

    /// The format that was asked for, or the command's own.
    pub(crate) fn format(&self, default: Format) -> Format {
        self.format.unwrap_or(default)
    }

    /// Whether results go to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.on_terminal
    }

    /// Whether words may be coloured.
    pub(crate) fn has_colour(&self) -> bool {
        self.colour
    }

    /// Bytes, as they are.
    ///
    /// # Errors
    /// [`OutputError`].
    #[expect(clippy::unused_self, reason = "only who may print has an output")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// A line of text of ours, or of text that may stand in a line.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(crate) fn line(&self, text: &str) -> Result<(), OutputError> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Text of a store as a line: for a terminal escaped, for a program as it is.
    pub(crate) fn shown(&self, text: &str) -> String {
        if self.on_terminal { escape(text).into_owned() } else { text.to_owned() }
    }

    /// A whole document.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(crate) fn document(&self, json: &Json) -> Result<(), OutputError> {
        self.line(&format!("{json:#}"))
    }

    /// A result in the format that was asked for, or in `default`.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(crate) fn report(&self, report: &Report, default: Format) -> Result<(), OutputError> {
        self.bytes(self.rendered(report, default).as_bytes())
    }

    /// A result as text, with the line feed at its end.
    pub(crate) fn rendered(&self, report: &Report, default: Format) -> String {
        match self.format(default) {
            Format::Text => report.text(),
            Format::Table => report.table(self.colour),
            Format::Json => format!("{:#}\n", report.document),
            Format::Ndjson => in_lines(&report.lines),
        }
    }

    /// Something worth knowing, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if self.voice != Voice::Quiet {
            complain(text);
        }
    }

    /// Something for who wants to know more, on standard error.
    pub(crate) fn detail(&self, text: impl FnOnce() -> String) {
        if self.voice == Voice::Verbose {
            complain(&text());
        }
    }
}

/// Each on a line of its own.
pub(crate) fn in_lines(items: &[Json]) -> String {
    let mut text = String::new();
    for item in items {
        text.push_str(&item.to_string());
        text.push('\n');
    }
    text
}

/// A line on standard error, after the program's name.
pub(crate) fn complain(text: &str) {
    // Without a standard error there is nobody to tell.
    drop(writeln!(io::stderr(), "gridkv: {text}"));
}

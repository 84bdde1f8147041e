//! Logs on standard error: what is logged and how it is written.
//!
//! Why it exists: the only file that names `tracing-subscriber`. People at a terminal get text, and
//! colours only there; machines get one JSON object per line. It refuses directives that filter by a
//! misspelt level, and it never writes to standard output, which is for data.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::str::FromStr;

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, reload};

/// The level names that a directive may end in.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What the HTTP library says of connections, always as an error, when a client sends nonsense or goes away: strangers
/// must not be able to fill the log, and the metrics count refusals. Who wants it names the target.
const UNHEARD: &str = "actix_http::h1=off";

/// What is logged: `info`, or parts of the program each at its own level, such as
/// `info,gridkv_actors=debug`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Directive(String);

/// A text that is no directive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectiveError {
    /// Neither a level nor `target=level`.
    #[error(
        "off, error, warn, info, debug, trace, or target=level, such as info,gridkv_actors=debug; \
         {0:?} is none of them"
    )]
    Level(String),
    /// Refused by the filter.
    #[error("a filter directive, such as info,gridkv_actors=debug: {0}")]
    Filter(String),
}

impl Directive {
    fn filter(&self) -> Result<EnvFilter, DirectiveError> {
        EnvFilter::builder()
            .parse(format!("{UNHEARD},{}", self.0))
            .map_err(|wrong| DirectiveError::Filter(wrong.to_string()))
    }
}

impl FromStr for Directive {
    type Err = DirectiveError;

    fn from_str(text: &str) -> Result<Self, DirectiveError> {
        // The filter takes a bare word for a target at every level: "inof" would silence the node
        // and say nothing. So each part must end in a level.
        for part in text.split(',') {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
            if !LEVELS.contains(&level.to_lowercase().as_str()) {
                return Err(DirectiveError::Level(part.to_owned()));
            }
        }
        let directive = Self(text.to_owned());
        directive.filter().map(|_| directive)
    }
}

impl TryFrom<String> for Directive {
    type Error = DirectiveError;

    fn try_from(text: String) -> Result<Self, DirectiveError> {
        text.parse()
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How logs are written, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How logs are written, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text { colour: bool },
    Json,
}

fn shape(format: Format, terminal: bool, no_colour: bool) -> Shape {
    let text = match format {
        Format::Auto => terminal,
        Format::Text => true,
        Format::Json => false,
    };
    if text { Shape::Text { colour: terminal && !no_colour } } else { Shape::Json }
}

/// Logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// The directive is none; the configuration refuses it before.
    #[error("log.level must be {0}")]
    Directive(#[from] DirectiveError),
    /// The process logs already; nothing was changed.
    #[error("logs are set up already: {0}")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log that was set up is gone; nothing was changed.
    #[error("the log can not be changed")]
    Reload(#[from] reload::Error),
}

type Reload = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

/// Changes what is logged while the process runs.
pub(crate) struct Switch(Box<Reload>);

impl Switch {
    /// Logs what `directive` says from now on, and nothing else.
    ///
    /// # Errors
    ///
    /// [`TelemetryError`]; nothing was changed.
    pub(crate) fn set(&self, directive: &Directive) -> Result<(), TelemetryError> {
        Ok(self.0(directive.filter()?)?)
    }
}

/// Sets up logs for the process, once. `no_colour`: the environment has a non-empty `NO_COLOR`.
///
/// # Errors
///
/// [`TelemetryError`]; nothing was changed.
pub(crate) fn start(
    level: &Directive,
    format: Format,
    no_colour: bool,
) -> Result<Switch, TelemetryError> {
    let logs = tracing_subscriber::fmt().with_env_filter(level.filter()?).with_writer(io::stderr);
    let (done, reload): (_, Box<Reload>) =
        match shape(format, io::stderr().is_terminal(), no_colour) {
            Shape::Text { colour } => {
                let logs = logs.with_ansi(colour).with_filter_reloading();
                let handle = logs.reload_handle();
                (logs.try_init(), Box::new(move |filter| handle.reload(filter)))
            }
            Shape::Json => {
                let logs = logs.json().flatten_event(true).with_ansi(false).with_filter_reloading();
                let handle = logs.reload_handle();
                (logs.try_init(), Box::new(move |filter| handle.reload(filter)))
            }
        };
    done.map_err(TelemetryError::Twice)?;
    Ok(Switch(reload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_text_and_colour_and_nobody_else_does() {
        let table = [
            (Format::Auto, true, false, Shape::Text { colour: true }),
            (Format::Auto, true, true, Shape::Text { colour: false }),
            (Format::Auto, false, false, Shape::Json),
            (Format::Text, false, false, Shape::Text { colour: false }),
            (Format::Text, true, false, Shape::Text { colour: true }),
            (Format::Json, true, false, Shape::Json),
        ];
        for (format, terminal, no_colour, expected) in table {
            assert_eq!(shape(format, terminal, no_colour), expected, "{format:?} {terminal}");
        }
    }

    #[test]
    fn directives() {
        for text in ["info", "WARN", "off", "info,gridkv_actors=debug", "[s{a=1}]=info"] {
            assert_eq!(text.parse::<Directive>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "inof",
            "info,",
            "info;debug",
            "gridkv_actors",
            "a=loud",
            "info,=",
            "warn, a=info",
            "[s",
            "[s{a=1}]",
        ] {
            assert!(text.parse::<Directive>().is_err(), "{text}");
        }
    }
}

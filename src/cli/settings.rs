//! What every command that talks to a node may be told: which node, which store, how to print.
//!
//! Why it exists: these options stand before the command or behind it, and a command of a command has them too;
//! the innermost wins, then the environment. It refuses nothing itself: what is wrong with a value, who uses it says.

#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "help texts, shown as they are")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Bare values, one thing on a line, columns separated by tabs
    Text,
    /// One JSON document
    Json,
    /// One JSON object on each line
    Ndjson,
    /// Aligned columns under a headline
    Table,
}

/// When words are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The options of every command that talks to a node.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Node and output")]
pub(crate) struct Settings {
    /// Where the node is; repeat it, or separate by commas, for more: the next one is asked when one can not be
    /// connected to [env: GRIDKV_URL] [default: http://127.0.0.1:7400]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) url: Vec<String>,
    /// The store [env: GRIDKV_STORE] [default: main]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) store: Option<String>,
    /// A file that holds the token [env: GRIDKV_TOKEN_FILE, or the token itself in GRIDKV_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The authority of the nodes' certificates, PEM: the only one that is believed; https needs it
    /// [env: GRIDKV_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// How to print; each command has its own default
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Longest time for one request, such as 500ms, 30s, 5m [default: 30s; none for what streams]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Print results and errors only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Tell more on standard error: which node answered, and how
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// When words are coloured [default: auto, which heeds NO_COLOR]
    #[arg(long, value_name = "WHEN")]
    pub(crate) color: Option<Colour>,
    /// Show no progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}

impl Settings {
    /// These, and where they say nothing, the outer ones.
    #[must_use]
    pub(crate) fn or(self, outer: Self) -> Self {
        Self {
            url: if self.url.is_empty() { outer.url } else { self.url },
            store: self.store.or(outer.store),
            token_file: self.token_file.or(outer.token_file),
            ca: self.ca.or(outer.ca),
            output: self.output.or(outer.output),
            timeout: self.timeout.or(outer.timeout),
            quiet: self.quiet || outer.quiet,
            verbose: self.verbose || outer.verbose,
            color: self.color.or(outer.color),
            no_progress: self.no_progress || outer.no_progress,
        }
    }

    /// The first option that was given.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--url", !self.url.is_empty()),
            ("--store", self.store.is_some()),
            ("--token-file", self.token_file.is_some()),
            ("--ca", self.ca.is_some()),
            ("--output", self.output.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--quiet", self.quiet),
            ("--verbose", self.verbose),
            ("--color", self.color.is_some()),
            ("--no-progress", self.no_progress),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// A duration of the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    crate::config::duration::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_wins() {
        let outer = Settings {
            url: vec!["http://a".to_owned()],
            store: Some("outer".to_owned()),
            verbose: true,
            ..Settings::default()
        };
        let inner = Settings { store: Some("inner".to_owned()), ..Settings::default() };
        let both = inner.or(outer);
        assert_eq!(both.url, ["http://a"]);
        assert_eq!(both.store.as_deref(), Some("inner"));
        assert!(both.verbose && !both.quiet);
        assert_eq!(both.first_given(), Some("--url"));
        assert_eq!(Settings::default().first_given(), None);
    }
}

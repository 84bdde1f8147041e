//! `gridkv log-level`: how much a node logs, until it starts again or reads its configuration anew.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::Settings;
use crate::client::Call;

const HELP: &str = "\
Examples:
  gridkv log-level debug
      More, from now on.
  gridkv log-level info
      As it is without a configuration.

It holds until the node starts again, or another log.level is read on SIGHUP.";

/// `gridkv log-level`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv log-level --help")]
pub(crate) struct LogLevelArgs {
    /// Each level includes those before it
    level: Level,
    #[command(flatten)]
    settings: Settings,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// What failed
    Error,
    /// What may fail
    Warn,
    /// What happened
    Info,
    /// How it happened
    Debug,
    /// All of it
    Trace,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Run for LogLevelArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let level = self.level.as_str();
        let call = Call::put("/v1/admin/log-level").json(&json!({ "level": level }));
        let answer = context.client.call(call)?;
        context.output.note(&format!("{} logs at the level {level}", answer.url()));
        Ok(Exit::Done)
    }
}

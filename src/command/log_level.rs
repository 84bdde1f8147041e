//! `gridkv log-level`: how much a node logs, until it starts again or reads its configuration anew.

use clap::Args;
use gridkv_http::log_control::LogLevel;
use serde_json::json;

use super::word::one_of;
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
    #[arg(value_parser = one_of(&LogLevel::ALL, LogLevel::as_str, about))]
    level: LogLevel,
    #[command(flatten)]
    settings: Settings,
}

/// What is logged at a level, as the help says it.
fn about(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "What failed",
        LogLevel::Warn => "What may fail",
        LogLevel::Info => "What happened",
        LogLevel::Debug => "How it happened",
        LogLevel::Trace => "All of it",
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

//! `gridkv drain`: a node taken out of service before it is stopped.

use clap::Args;

use super::question::confirmed;
use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::Call;

const HELP: &str = "\
Examples:
  gridkv drain --url http://10.0.0.1:7400
      Takes no more writes there until the node starts again; it asks first, unless -y is given.
  gridkv health --url http://10.0.0.1:7400
      Says when every peer that is up has all that was written there: then stop it.

Reads, and what nodes send each other, go on. Only a start of the node takes it back.";

/// `gridkv drain`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv drain --help")]
pub(crate) struct DrainArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Run for DrainArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let url = context.client.url();
        let question = format!("Refuse all writes at {url} until the node there starts again?");
        if !confirmed(&question, self.yes)? {
            context.output.note("nothing was changed");
            return Ok(Exit::Failed);
        }
        let reply = context.client.call(Call::post("/v1/admin/drain"))?.json()?;
        match context.output.format(Format::Text) {
            Format::Text | Format::Table => context.output.line("draining")?,
            Format::Json => context.output.document(&reply)?,
            Format::Ndjson => context.output.line(&reply.to_string())?,
        }
        context.output.note("gridkv health says when peers have everything; then stop the node");
        Ok(Exit::Done)
    }
}

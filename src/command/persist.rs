//! `gridkv persist`: everything that was acknowledged is on the disk when it ends.

use clap::Args;
use serde_json::Value as Json;

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, ClientError, Patience, Problem, encoded};
use crate::output::human_bytes;

const HELP: &str = "\
Examples:
  gridkv persist -s users
      Before the machine is switched off, or its disk is copied.

Exit codes: 0 all of it is on the disk, 1 it is not, or the store keeps nothing there, 5 no node answered.";

/// `gridkv persist`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv persist --help")]
pub(crate) struct PersistArgs {
    #[command(flatten)]
    settings: Settings,
}

impl Run for PersistArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let path = format!("/v1/stores/{}/persist", encoded(&context.store));
        let reply = match context.client.call(Call::post(path).patience(Patience::Long)) {
            Ok(answer) => answer.json()?,
            Err(ClientError::Refused(problem)) if problem.code == "not_supported" => {
                return Err(volatile(*problem, &context.store).into());
            }
            Err(error) => return Err(error.into()),
        };
        match context.output.format(Format::Text) {
            Format::Text | Format::Table => {
                let number = |name| reply.get(name).and_then(Json::as_u64).unwrap_or(0);
                let (bytes, ms) = (human_bytes(number("bytes")), number("duration_ms"));
                context.output.line(&format!("{bytes} on the disk, in {ms} ms"))?;
            }
            Format::Json => context.output.document(&reply)?,
            Format::Ndjson => context.output.line(&reply.to_string())?,
        }
        Ok(Exit::Done)
    }
}

/// The refusal of a store without a disk, with what else is typed to keep what is in it.
fn volatile(problem: Problem, store: &str) -> ClientError {
    let detail = format!(
        "the store `{store}` keeps nothing on a disk; gridkv backup -s {store} FILE takes all of it as a file, and on the \
         backend file or fjall it would keep what is written"
    );
    ClientError::Refused(Box::new(Problem { detail, ..problem }))
}

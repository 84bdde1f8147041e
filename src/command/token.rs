//! `gridkv token`: a new token, and the line that a node knows it by.

use clap::Args;
use gridkv_http::Role;
use serde_json::json;

use super::word::one_of;
use super::{Exit, Usage};
use crate::cli::settings::Format;
use crate::config;
use crate::init::Token;
use crate::output::Output;

const HELP: &str = "\
Examples:
  gridkv token read
      Prints a token, and below it the line for `tokens = [...]` of a node's configuration or tokens_file.
  gridkv token write --name ci
      The name says in logs and metrics who did something.
  gridkv token write --name ci -o json
      For a program.

Nothing is kept here: the token goes to its owner, and into a file that only they can read; the line goes to every node, and
holds once that reads it (on SIGHUP, or within half a minute from a tokens_file). To replace a token add the new one first.";

/// `gridkv token`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv token --help")]
pub(crate) struct TokenArgs {
    /// What it allows; each role may do what those before it may
    #[arg(value_parser = one_of(&Role::ALL, Role::as_str, about))]
    role: Role,
    /// Whose it is [default: the role]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How to print
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
}

/// What a role allows, as the help says it.
fn about(role: Role) -> &'static str {
    match role {
        Role::Metrics => "Metrics and statistics",
        Role::Read => "Reading keys, lists, changes, snapshots",
        Role::Write => "Writing and deleting keys",
        Role::Admin => "Everything",
    }
}

/// Makes one and prints it.
///
/// # Errors
/// [`Usage`] for a name that can not be; anything else when there is no randomness or no output.
pub(crate) fn run(args: &TokenArgs, output: &Output) -> anyhow::Result<Exit> {
    let name = args.name.as_deref().unwrap_or(args.role.as_str());
    if let Some(fault) = config::token_name_fault(name) {
        return Err(Usage(format!("--name: a token {fault}")).into());
    }
    let token = Token::make(args.role)?;
    let (text, sha256) = (&token.text, token.sha256());
    let json = json!({ "name": name, "role": args.role.as_str(), "sha256": sha256, "token": text });
    match args.output.unwrap_or_else(|| output.format(Format::Text)) {
        Format::Text | Format::Table => output.line(&format!("{text}\n{}", token.line(name)))?,
        Format::Json => output.document(&json)?,
        Format::Ndjson => output.line(&json.to_string())?,
    }
    Ok(Exit::Done)
}

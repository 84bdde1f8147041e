//! `gridkv receipts`: which nodes have a write.

use clap::Args;
use serde_json::{Value as Json, json};

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, encoded};
use crate::output::{Cell, Paint, Report, left};

const HELP: &str = "\
Examples:
  gridkv receipts $(gridkv put order 17)
      Each node, and whether it is known to have the write that was given this version.
  gridkv receipts 018f3c...-0000000100000001 -o json
      For a program.

It is what the nodes said of themselves: one that is down says nothing new.";

/// `gridkv receipts`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv receipts --help")]
pub(crate) struct ReceiptsArgs {
    /// The version that put printed
    #[arg(value_name = "VERSION")]
    write: String,
    #[command(flatten)]
    settings: Settings,
}

impl Run for ReceiptsArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let (store, version) = (encoded(&context.store), encoded(&self.write));
        let path = format!("/v1/stores/{store}/receipts/{version}");
        let reply = context.client.call(Call::get(path))?.json()?;
        let nodes: Vec<(&String, bool)> = reply
            .get("nodes")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .map(|(name, has)| (name, has == &Json::Bool(true)))
            .collect();
        let row = |(name, has): &(&String, bool)| {
            let has = if *has { ("yes", Paint::Good) } else { ("no", Paint::Warning) };
            vec![Cell::text(*name), Cell::painted(has.0, has.1)]
        };
        let report = Report {
            columns: vec![left("NODE"), left("HAS IT")],
            rows: nodes.iter().map(row).collect(),
            lines: nodes.iter().map(|(node, has)| json!({ "node": node, "has_it": has })).collect(),
            document: reply.clone(),
        };
        context.output.report(&report, Format::Table)?;
        Ok(Exit::Done)
    }
}

//! `gridkv convergence`: whether a store holds the same here and at each peer, and which keys differed.

use clap::Args;
use serde_json::Value as Json;

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, encoded};
use crate::output::{Cell, Paint, Report, left, right};

const HELP: &str = "\
Examples:
  gridkv convergence
      Each peer, since when every comparison has found the same there, and what it does not have yet.
  gridkv convergence n2 -s users
      The keys that differed at n2 when the last repair from there looked, in their versions here and there.

Nothing is said that was not proven: a - means that the two differ, or could not be compared for some seconds.";

/// `gridkv convergence`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv convergence --help")]
pub(crate) struct ConvergenceArgs {
    /// Show which keys differed at this peer
    #[arg(value_name = "PEER")]
    peer: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Run for ConvergenceArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let path = format!("/v1/stores/{}/convergence", encoded(&context.store));
        let report = match &self.peer {
            None => of_peers(context.client.call(Call::get(path))?.json()?),
            Some(peer) => {
                let path = format!("{path}/{}", encoded(peer));
                let reply = context.client.call(Call::get(path))?.json()?;
                context.output.note(&found(&reply));
                of_keys(reply)
            }
        };
        context.output.report(&report, Format::Table)?;
        Ok(Exit::Done)
    }
}

fn list(document: &Json, name: &str) -> Vec<Json> {
    document.get(name).and_then(Json::as_array).cloned().unwrap_or_default()
}

fn cell(of: &Json, name: &str) -> Cell {
    Cell::json(of.get(name).unwrap_or(&Json::Null))
}

fn of_peers(document: Json) -> Report {
    let peers = list(&document, "peers");
    let row = |peer: &Json| {
        let buckets = peer.get("diverged_buckets").and_then(Json::as_u64).unwrap_or(0);
        let paint = if buckets == 0 { Paint::Plain } else { Paint::Bad };
        vec![
            cell(peer, "name"),
            cell(peer, "identical_since"),
            Cell::painted(buckets.to_string(), paint),
            cell(peer, "behind_ops"),
        ]
    };
    Report {
        columns: vec![
            left("PEER"),
            left("IDENTICAL SINCE"),
            right("DIVERGED BUCKETS"),
            right("BEHIND"),
        ],
        rows: peers.iter().map(row).collect(),
        lines: peers,
        document,
    }
}

fn of_keys(document: Json) -> Report {
    let keys = list(&document, "differing");
    let row = |key: &Json| vec![cell(key, "key"), cell(key, "here"), cell(key, "there")];
    Report {
        columns: vec![left("KEY"), left("HERE"), left("THERE")],
        rows: keys.iter().map(row).collect(),
        lines: keys,
        document,
    }
}

/// What the keys are of.
fn found(reply: &Json) -> String {
    let more = reply.get("more").and_then(Json::as_u64).unwrap_or(0);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    match reply.get("found_at").and_then(Json::as_str) {
        Some(at) => {
            let count = list(reply, "differing").len();
            format!("{count} keys differed when that was looked at, {at}{more}")
        }
        None => "no repair from there has found that keys differ".to_owned(),
    }
}

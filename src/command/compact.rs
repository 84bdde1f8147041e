//! `gridkv compact`: a store rewritten on the disk, so that it takes as little room there as it can.

use clap::Args;

use super::{Context, Exit, Run, operation, plain_settings};
use crate::cli::settings::Settings;
use crate::client::{Call, Patience, encoded};

const HELP: &str = "\
Examples:
  gridkv compact -s users
      Waits until it is done; Ctrl-C ends the wait, and the node goes on.

The store is read and written meanwhile. It needs room for a second copy of the store.";

/// `gridkv compact`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv compact --help")]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    settings: Settings,
}

impl Run for CompactArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let path = format!("/v1/stores/{}/compact", encoded(&context.store));
        let begun = context.client.call(Call::post(path).patience(Patience::Long))?;
        operation::follow(context, begun, "compacting")
    }
}

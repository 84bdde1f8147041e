//! `cluster`: the program behind `make run` and `make cluster`. It starts nodes, proves that they replicate, and stays.

mod command;

use anyhow::Error;
use clap::{Parser, Subcommand};
use command::{CommandError, LoadDebian, Run, Up, With};
use std::process::ExitCode;

/// The shell's convention for "ended by Ctrl-C".
const EXIT_INTERRUPTED: u8 = 130;

/// Starts GridKV nodes on this machine, and proves that what one takes the others have.
#[derive(Debug, Parser)]
#[command(name = "cluster", version)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Start three nodes, load data through the first, compare it on the last, print a table, stay up.
    Run(Run),
    /// Start a number of nodes, print a table, stay up.
    Up(Up),
    /// Start a number of nodes, run a command beside them, stop them.
    With(With),
    /// Load the Debian package index of this machine through one node and compare it on all.
    LoadDebian(LoadDebian),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Subcommands::Run(run) => run.execute(),
        Subcommands::Up(up) => up.execute(),
        Subcommands::With(with) => with.execute(),
        Subcommands::LoadDebian(load) => load.execute(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Interrupted) => ExitCode::from(EXIT_INTERRUPTED),
        Err(error) => {
            eprintln!("error: {:#}", Error::from(error));
            ExitCode::FAILURE
        }
    }
}

//! `chaos`: the runs from the command line. Progress goes to standard error, the page to standard output.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use gridkv_chaos::{History, Setup, judge, run};
use gridkv_soak::RunError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Something was found.
const EXIT_FOUND: u8 = 1;
/// The run could not be made.
const EXIT_NO_RUN: u8 = 2;
/// The shell's convention for "ended by Ctrl-C".
const EXIT_INTERRUPTED: u8 = 130;

/// Puts nodes behind proxies that fail, kills and stops them under load, and judges what clients were told.
///
/// Exit codes: 0 nothing was found, 1 something was, 2 the run could not be made.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run nodes with a store of every kind, and small logs.
    Run(RunArgs),
    /// Run nodes with a configuration of your own: its stores and settings; names, ports and directories are set.
    Prove {
        /// The configuration of the nodes, a TOML file as for `gridkv serve --config`.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Judge a history that a run left.
    Judge {
        /// The file `history.jsonl`.
        history: PathBuf,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The program whose nodes are tried.
    #[arg(long, default_value = "target/release/gridkv")]
    gridkv: PathBuf,
    /// How long things are done to the cluster.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// How many clients.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: u16,
    /// Makes the same plan as a run before.
    #[arg(long)]
    seed: Option<u64>,
    /// Puts the page, the history and the nodes' logs into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FOUND),
        Err(error) if matches!(error.downcast_ref(), Some(RunError::Interrupted)) => {
            ExitCode::from(EXIT_INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(EXIT_NO_RUN)
        }
    }
}

/// Whether nothing was found.
fn execute(command: Subcommands) -> anyhow::Result<bool> {
    let (config, args) = match command {
        Subcommands::Run(args) => (None, args),
        Subcommands::Prove { config, run } => (Some(config), run),
        Subcommands::Judge { history } => {
            let verdict = judge(&History::read(&history)?);
            verdict.findings.iter().for_each(|finding| tell(&finding.to_string()));
            tell(&format!("{} findings", verdict.findings.len()));
            return Ok(verdict.findings.is_empty());
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted)).context("cannot watch signals")?;
    }
    let page = run(&Setup {
        gridkv: args.gridkv,
        config,
        nodes: args.nodes,
        clients: args.clients,
        rest: Duration::from_millis(20),
        lasts: Duration::from_secs(args.seconds),
        recovers_within: Duration::from_secs(30),
        seed: args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
        out: args.out,
        interrupted,
        progress: |line| eprintln!("{line}"),
    })?;
    tell(page.to_string().trim_end());
    Ok(page.passed())
}

/// A line of standard output; whoever closed it does not want it.
fn tell(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

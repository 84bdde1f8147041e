//! `soak`: the long runs from the command line. Progress goes to standard error, one line for each run and target to
//! standard output.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use gridkv_soak::{Durability, Report, Run, RunError, Scale, Setup, TARGETS, promising};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The shell's convention for "ended by Ctrl-C".
const EXIT_INTERRUPTED: u8 = 130;

/// Kills, cuts the power of, damages and fills real nodes, and counts what they acknowledged and lost.
#[derive(Debug, Parser)]
#[command(name = "soak", version)]
struct Cli {
    #[command(subcommand)]
    run: Subcommands,
    /// The program whose nodes are tried.
    #[arg(long, global = true, default_value = "target/release/gridkv")]
    gridkv: PathBuf,
    /// Faults for each backend and durability.
    #[arg(long, global = true)]
    cycles: Option<u64>,
    /// Makes the same choices as a run before.
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Only this backend, or this backend in this durability (`file`, `file-fsync`); repeatable.
    #[arg(long, global = true)]
    backend: Vec<String>,
    /// As small as it is beside all other tests.
    #[arg(long, global = true)]
    small: bool,
    /// Judges as if every acknowledgement promised this: to see the checker find what was lost.
    #[arg(long, global = true, value_name = "memory|os|fsync")]
    promise: Option<Durability>,
    /// Keeps the data of a run that failed.
    #[arg(long, global = true)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Subcommands {
    /// `kill -9` under load: what was acknowledged `os` or `fsync` is there afterwards.
    Crash,
    /// A power cut under load: what was acknowledged `fsync` is there afterwards, and nothing torn.
    Power,
    /// A flipped bit or a truncation at rest: nothing wrong is served, and peers give back what was lost.
    Flips,
    /// A full disk: writes are refused, nothing is lost, and writes are taken again when there is space.
    Full,
}

impl Subcommands {
    /// The run, and how many cycles of it are a full one.
    fn full(self) -> (Run, u64) {
        match self {
            Self::Crash => (Run::Crash, 100),
            Self::Power => (Run::Power, 20),
            Self::Flips => (Run::Flips, 150),
            Self::Full => (Run::Full, 10),
        }
    }
}

fn main() -> ExitCode {
    match execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if matches!(error.downcast_ref(), Some(RunError::Interrupted)) => {
            ExitCode::from(EXIT_INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted)).context("cannot watch signals")?;
    }
    let wanted = |name: &str| cli.backend.is_empty() || cli.backend.iter().any(|one| one == name);
    let targets = TARGETS.iter().filter(|target| wanted(target.name) || wanted(target.backend));
    let targets: Vec<_> = targets
        .map(|target| cli.promise.map_or(*target, |promise| promising(*target, promise)))
        .collect();
    if targets.is_empty() {
        bail!("no such backend; there are {}", TARGETS.map(|target| target.name).join(", "));
    }
    let (run, cycles) = cli.run.full();
    let setup = Setup {
        gridkv: cli.gridkv,
        targets,
        cycles: cli.cycles.unwrap_or(cycles),
        seed: cli.seed.unwrap_or_else(|| fastrand::u64(..)),
        scale: if cli.small { Scale::small() } else { Scale::full() },
        keep: cli.keep,
        interrupted,
        progress: |line| eprintln!("{line}"),
        done: |summary| tell(&summary.to_string()),
    };
    match run.over(&setup)? {
        Report::Done(summaries) if summaries.is_empty() => bail!("{run} has nothing to do with it"),
        Report::Done(_) => {}
        Report::Skipped(reason) => tell(&format!("{run}: SKIPPED: {reason}")),
    }
    Ok(())
}

/// One line of standard output; whoever closed it does not want it.
fn tell(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

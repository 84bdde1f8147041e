//! `dashboards`: the program behind `make dashboards`, `make dashboards-check` and `make grafana`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use gridkv_dashboards::{Check, Error, Screen, Show, operator, pages, root};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Something was found.
const EXIT_FOUND: u8 = 1;
/// The check could not be made.
const EXIT_NO_CHECK: u8 = 2;
/// The shell's convention for "ended by Ctrl-C".
const EXIT_INTERRUPTED: u8 = 130;

/// Writes the dashboards, checks them against a real Prometheus, and shows them.
///
/// Exit codes: 0 all is well, 1 something was found, 2 the check could not be made.
#[derive(Debug, Parser)]
#[command(name = "dashboards", version)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Write grafana/dashboards and the rules for the Prometheus operator anew.
    Write,
    /// Check dashboards and rules against a real Prometheus that scrapes three nodes.
    Check {
        /// The node program.
        #[arg(long, value_name = "PATH", default_value = "target/debug/gridkv")]
        gridkv: PathBuf,
        /// Where packages of npm are installed.
        #[arg(long, value_name = "DIR", default_value = "target/grafana-schema")]
        packages: PathBuf,
        /// Where nodes and Prometheus have their data and logs.
        #[arg(long, value_name = "DIR", default_value = "target/dashboards")]
        dir: PathBuf,
    },
    /// Start Prometheus, and Grafana where it is installed, for the development cluster; Ctrl-C stops them.
    Show {
        /// How many nodes the cluster has.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=32))]
        nodes: u16,
        /// Where data and logs go.
        #[arg(long, value_name = "DIR", default_value = "target/grafana")]
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FOUND),
        Err(error) if matches!(error.downcast_ref(), Some(Error::Interrupted)) => {
            ExitCode::from(EXIT_INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(EXIT_NO_CHECK)
        }
    }
}

fn execute(command: Subcommands) -> anyhow::Result<bool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted)).context("can not listen to signals")?;
    }
    let (screen, root) = (Screen::new(), root());
    match command {
        Subcommands::Write => {
            let dashboards = pages::write(&root)?;
            for path in dashboards.into_iter().chain([operator::write(&root)?]) {
                screen.line(&path.display().to_string());
            }
            Ok(true)
        }
        Subcommands::Check { gridkv, packages, dir } => {
            let check = Check { root, gridkv, packages, directory: dir, interrupted };
            let findings = check.run(&screen)?;
            for finding in &findings {
                screen.line(&format!("WRONG  {finding}"));
            }
            let verdict = if findings.is_empty() { "all is well" } else { "not all is well" };
            screen.step(&format!("dashboards-check: {verdict}"));
            Ok(findings.is_empty())
        }
        Subcommands::Show { nodes, dir } => {
            Show { root, nodes, directory: dir, interrupted }.run(&screen)?;
            Ok(true)
        }
    }
}

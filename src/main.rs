//! `gridkv`: reads the command line, and runs a node, or a command that talks to one.

mod banner;
mod bounded;
mod cli;
mod client;
mod command;
mod config;
mod data_dir;
mod exposure;
mod init;
mod interrupt;
mod made_stores;
mod node;
mod operating;
mod output;
mod private_file;
mod reload;
mod service_manager;
mod signals;
mod store_setup;
mod telemetry;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use gridkv_actors::clock::ClockSource;

/// Exit code of a node that could not start or go on.
const EXIT_FAILED: i32 = 1;

fn main() -> ExitCode {
    let cli::Cli { command, settings } = cli::help::parsed();
    let cli::Command::Serve(args) = command else { return command::run(command, settings) };
    let done = match settings.first_given() {
        Some(flag) => Ok(refused(flag)),
        None => serve(&args),
    };
    done.unwrap_or_else(|error| {
        complain(format_args!("gridkv: {}", command::reason(&error)));
        ExitCode::FAILURE
    })
}

/// An option of the other commands, before one that is no client.
fn refused(flag: &str) -> ExitCode {
    complain(format_args!(
        "gridkv: {flag} is for commands that talk to a node, and this one does not"
    ));
    ExitCode::from(cli::EXIT_USAGE)
}

fn serve(args: &cli::ServeArgs) -> anyhow::Result<ExitCode> {
    let registry = gridkv_actors::Registry::with_built_in();
    let (typed, backends) = (args.clone(), registry.spellings());
    let read = move || {
        config::load(config::Sources {
            file: typed.config.as_deref(),
            environment: std::env::vars_os(),
            flags: cli::overlay(&typed),
            backends: &backends,
            host_name: gethostname::gethostname(),
            expose_without_auth: typed.insecure_expose_without_auth,
        })
    };
    let loaded = match read() {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(format_args!("gridkv: {error}"));
            return Ok(ExitCode::from(cli::EXIT_USAGE));
        }
    };
    let tls = match tls::Tls::read(&loaded.config, ClockSource::start().now()) {
        Ok(tls) => tls,
        Err(error) => {
            complain(format_args!("gridkv: {error}"));
            return Ok(ExitCode::from(cli::EXIT_USAGE));
        }
    };
    if args.check {
        std::io::stdout().write_all(loaded.to_toml().as_bytes()).context("can not write")?;
        return Ok(ExitCode::SUCCESS);
    }
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = telemetry::start(&loaded.config.log.level, loaded.config.log.format, no_colour)?;
    let system = actix_rt::System::new();
    if let Err(error) = system.block_on(node::run(&loaded, &registry, (log, tls), read)) {
        complain(format_args!("gridkv: {}", command::reason(&error.into())));
        // Not by returning: that would wait for what a failed node still has on its hands.
        std::process::exit(EXIT_FAILED);
    }
    Ok(ExitCode::SUCCESS)
}

/// Before there are logs, and after them, standard error is where people look.
fn complain(message: std::fmt::Arguments<'_>) {
    // Without a standard error there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{message}"));
}

//! The command line: what may be typed, and which settings it overrides.
//!
//! Why it exists: flags are the highest layer of the configuration; this file turns them into that
//! layer and knows nothing else. It refuses to judge values: the configuration does, so that all
//! problems are reported together, wherever they were given.

pub(crate) mod help;
pub(crate) mod settings;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use toml::Value;

use crate::command::backup::BackupArgs;
use crate::command::bench::BenchArgs;
use crate::command::compact::CompactArgs;
use crate::command::config::ConfigArgs;
use crate::command::convergence::ConvergenceArgs;
use crate::command::del::DelArgs;
use crate::command::documents::{CompletionsArgs, ManArgs};
use crate::command::drain::DrainArgs;
use crate::command::export::ExportArgs;
use crate::command::get::GetArgs;
use crate::command::health::HealthArgs;
use crate::command::import::ImportArgs;
use crate::command::init::InitArgs;
use crate::command::log_level::LogLevelArgs;
use crate::command::ls::LsArgs;
use crate::command::peers::PeersArgs;
use crate::command::persist::PersistArgs;
use crate::command::put::PutArgs;
use crate::command::receipts::ReceiptsArgs;
use crate::command::restore::RestoreArgs;
use crate::command::stats::StatsArgs;
use crate::command::stores::StoresArgs;
use crate::command::token::TokenArgs;
use crate::command::watch::WatchArgs;
use crate::config::Flag;
use settings::Settings;

/// Exit code of a wrong command line or a refused configuration.
pub(crate) const EXIT_USAGE: u8 = 2;

/// A replicated key-value node: every node holds all data, takes writes at any time, and all
/// converge.
#[derive(Debug, Parser)]
#[command(name = "gridkv", version, propagate_version = true, after_help = CLI_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// They may stand here, or behind the command.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const CLI_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 a condition does not hold, 5 no node answered, or not in
time, 6 done in part, 130 interrupted. Examples of each command: gridkv COMMAND --help";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node
    #[command(after_long_help = SERVE_HELP, after_help = "More, with examples: gridkv serve --help")]
    Serve(ServeArgs),
    /// Make the certificates, tokens and configuration of a new cluster
    Init(InitArgs),
    /// Print the value of a key
    Get(GetArgs),
    /// Write a value
    #[command(alias = "set")]
    Put(PutArgs),
    /// Delete keys, or all keys with a prefix
    #[command(aliases = ["rm", "delete"])]
    Del(DelArgs),
    /// List keys
    Ls(LsArgs),
    /// List, make and drop stores
    Stores(StoresArgs),
    /// Show what the stores hold and do
    Stats(StatsArgs),
    /// List, add, forget and sync members of the cluster
    Peers(PeersArgs),
    /// Ask whether a node is ready
    Health(HealthArgs),
    /// Follow the changes of a store
    Watch(WatchArgs),
    /// Measure a node
    Bench(BenchArgs),
    /// Save a store as one file
    Backup(BackupArgs),
    /// Put such a file into a store
    Restore(RestoreArgs),
    /// Write keys and values out of a file of another system
    Import(ImportArgs),
    /// Print keys and values for another system
    Export(ExportArgs),
    /// Show which nodes have a write
    Receipts(ReceiptsArgs),
    /// Show whether peers hold the same, and which keys differed
    Convergence(ConvergenceArgs),
    /// Bring a store to the disk
    Persist(PersistArgs),
    /// Let a store take less room on the disk
    Compact(CompactArgs),
    /// Take a node out of service before it is stopped
    Drain(DrainArgs),
    /// Change how much a node logs
    LogLevel(LogLevelArgs),
    /// Make a token, and the line that a node knows it by
    Token(TokenArgs),
    /// Show, check or begin a configuration
    Config(ConfigArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

const SERVE_HELP: &str = "\
Examples:
  gridkv serve
      One node: HTTP on 127.0.0.1:7400, one store `main` on disk under ./data.
  gridkv serve --data-dir \"\" --store cache=memory
      Nothing is kept: one volatile store, a fresh identity at each start.
  gridkv serve --name n2 --listen 127.0.0.1:7402 --peer-listen 127.0.0.1:7502 \\
      --data-dir ./data/n2 --join 127.0.0.1:7501
      A second node on this machine, joining the one whose peers' port is 7501.
  gridkv serve -c gridkv.toml --check
      Validate a file together with environment and flags, print what holds, and exit.

Settings, lowest first: defaults, the file of --config, GRIDKV_* variables, flags. A variable is
GRIDKV_ and the path with two underscores between levels: GRIDKV_HTTP__LISTEN for listen in [http],
GRIDKV_STORES__MAIN__BACKEND for backend in [stores.main]. Lists are separated by commas.

Exit codes: 0 stopped in order or --check passed, 1 failed while starting or running, 2 wrong usage
or configuration.";

/// `gridkv serve`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Read this TOML file; without it no file is read
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Validate, print the effective configuration as TOML with the origin of each value, and exit
    #[arg(long)]
    pub(crate) check: bool,
    /// Name of this node, for people; unique in the cluster [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Name of the cluster; peers of another one are refused [default: gridkv]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Where identity and stores are kept; "" keeps nothing [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// Address for clients (HTTP) [default: 127.0.0.1:7400]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<String>,
    /// Address for peers [default: 127.0.0.1:7500]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) peer_listen: Option<String>,
    /// Address that peers dial [default: that of --peer-listen]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise: Option<String>,
    /// Address of a peer to ask first; repeat for more. Replaces the list of file and environment
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) join: Vec<String>,
    /// Form a new cluster although the peers of --join are silent; only for its very first node
    #[arg(long)]
    pub(crate) bootstrap: bool,
    /// A store and its backend, such as main=file; repeat for more. Naming any store replaces the
    /// default set, which is main=file
    #[arg(long, value_name = "NAME=BACKEND", value_parser = store)]
    pub(crate) store: Vec<StoreArg>,
    /// What is logged: a level, or `target=level` for a part, separated by commas [default: info]
    #[arg(long, value_name = "DIRECTIVE")]
    pub(crate) log_level: Option<String>,
    /// auto (text on a terminal, JSON otherwise), text or json [default: auto]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Allow listeners that other machines can reach without authentication or in clear: whoever
    /// reaches them may read and change everything
    #[arg(long)]
    pub(crate) insecure_expose_without_auth: bool,
}

/// One `--store NAME=BACKEND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreArg {
    name: String,
    backend: String,
}

fn store(text: &str) -> Result<StoreArg, String> {
    let (name, backend) =
        text.split_once('=').ok_or_else(|| "write NAME=BACKEND, such as main=file".to_owned())?;
    Ok(StoreArg { name: name.to_owned(), backend: backend.to_owned() })
}

/// The flags as the highest layer of the configuration; a flag that was not given sets nothing.
pub(crate) fn overlay(args: &ServeArgs) -> Vec<Flag> {
    let texts = [
        ("--name", &args.name),
        ("--cluster", &args.cluster),
        ("--data-dir", &args.data_dir),
        ("--listen", &args.listen),
        ("--peer-listen", &args.peer_listen),
        ("--advertise", &args.advertise),
        ("--log-level", &args.log_level),
        ("--log-format", &args.log_format),
    ];
    let mut flags: Vec<Flag> = texts
        .into_iter()
        .filter_map(|(flag, text)| Some(Flag::Key { flag, value: Value::String(text.clone()?) }))
        .collect();
    if !args.join.is_empty() {
        let seeds = args.join.iter().cloned().map(Value::String).collect();
        flags.push(Flag::Key { flag: "--join", value: Value::Array(seeds) });
    }
    if args.bootstrap {
        flags.push(Flag::Key { flag: "--bootstrap", value: Value::Boolean(true) });
    }
    flags.extend(
        args.store
            .iter()
            .map(|store| Flag::Store { name: store.name.clone(), backend: store.backend.clone() }),
    );
    flags
}

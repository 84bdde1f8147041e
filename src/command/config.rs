//! `gridkv config`: the configuration that `serve` would go by: shown, checked, and an example to begin with.
//!
//! It starts nothing, talks to no node, and reads the same layers as `serve` by the same code.

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use gridkv_actors::clock::ClockSource;
use serde_json::{Value as Json, json};

use super::Exit;
use crate::cli::{self, ServeArgs};
use crate::config::{self, ConfigError, Loaded};
use crate::output::{Output, complain};
use crate::tls::Tls;

/// Column at which the origin starts, unless the value is longer.
const COLUMN: usize = 40;

/// The file that is shipped.
const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/gridkv.example.toml"));

const HELP: &str = "\
Examples:
  gridkv config example > gridkv.toml
      Every key with its default and what it is for.
  gridkv config check -c gridkv.toml
      Every problem at once, each with its place; exit code 2 when there are some.
  gridkv config show -c gridkv.toml --origin
      What holds after file, environment and flags, and which of them set it.
  gridkv config show -o json --store cache=memory
      The flags are those of serve.";

/// `gridkv config`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv config --help")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the effective configuration of a node that is started like this
    #[command(after_help = "Examples: gridkv config --help")]
    Show {
        /// Say which layer set each value
        #[arg(long)]
        origin: bool,
        /// How to print it
        #[arg(short, long, value_name = "FORMAT", default_value = "toml")]
        output: Shape,
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
    /// Print a configuration with every key, to begin with
    Example,
    /// Look for problems, and print all of them
    #[command(after_help = "Examples: gridkv config --help")]
    Check {
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Toml,
    Json,
}

/// Does it.
///
/// # Errors
/// When the output can not be written.
pub(crate) fn run(args: ConfigArgs, output: &Output) -> anyhow::Result<Exit> {
    match args.what {
        What::Example => output.bytes(EXAMPLE.as_bytes())?,
        What::Check { serve } => match load(&serve) {
            Ok(loaded) => {
                // As a node would: the files that it names are part of it.
                if let Err(error) = Tls::read(&loaded.config, ClockSource::start().now()) {
                    return Ok(refused(&error));
                }
                output.note("the configuration is fine");
            }
            Err(error) => return Ok(refused(&error)),
        },
        What::Show { origin, output: shape, serve } => match load(&serve) {
            Ok(loaded) => show(&loaded, origin, shape, output)?,
            Err(error) => return Ok(refused(&error)),
        },
    }
    Ok(Exit::Done)
}

fn load(args: &ServeArgs) -> Result<Loaded, Box<ConfigError>> {
    let registry = gridkv_actors::Registry::with_built_in();
    let loaded = config::load(config::Sources {
        file: args.config.as_deref(),
        environment: std::env::vars_os(),
        flags: cli::overlay(args),
        backends: &registry.spellings(),
        host_name: gethostname::gethostname(),
        expose_without_auth: args.insecure_expose_without_auth,
    });
    loaded.map_err(Box::new)
}

fn refused(error: &impl std::fmt::Display) -> Exit {
    complain(&error.to_string());
    Exit::Usage
}

fn show(loaded: &Loaded, origin: bool, shape: Shape, output: &Output) -> anyhow::Result<()> {
    let text = match shape {
        Shape::Toml => by_line(loaded, origin),
        Shape::Json => {
            let mut json = loaded.to_json().context("the configuration has no JSON form")?;
            if origin {
                with_origins(&mut json, "", loaded);
            }
            format!("{json:#}\n")
        }
    };
    Ok(output.bytes(text.as_bytes())?)
}

/// The lines of the configuration, each with what set it, or without anything beside it.
fn by_line(loaded: &Loaded, origin: bool) -> String {
    let (mut out, mut section) = (String::new(), "");
    let text = loaded.to_toml();
    for line in text.lines() {
        // What `serve --check` says of the layer is the last comment of a line.
        let bare = line.rfind(" # ").and_then(|at| line.get(..at)).unwrap_or(line).trim_end();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        let leaf = bare.split_once(" = ").map(|(leaf, _)| format!("{section}.{leaf}"));
        match leaf.and_then(|path| loaded.origin_of(&path)).filter(|_| origin) {
            Some(set_by) => out.extend([&*format!("{bare:<COLUMN$} # "), &set_by]),
            None => out.push_str(bare),
        }
        out.push('\n');
    }
    out
}

/// Puts beside each value what set it.
fn with_origins(json: &mut Json, path: &str, loaded: &Loaded) {
    let Json::Object(table) = json else { return };
    for (name, value) in table {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match loaded.origin_of(&path) {
            Some(set_by) => *value = json!({ "value": value.take(), "origin": set_by }),
            None => with_origins(value, &path, loaded),
        }
    }
}

//! `gridkv completions` and `gridkv man`: what is made of the command line itself.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Exit;
use crate::cli::help;
use crate::output::Output;

const COMPLETIONS_HELP: &str = "\
Examples:
  source <(gridkv completions bash)
      For this shell only.
  gridkv completions bash > ~/.local/share/bash-completion/completions/gridkv
  gridkv completions zsh > ~/.zfunc/_gridkv
  gridkv completions fish > ~/.config/fish/completions/gridkv.fish
      For all that come.";

/// `gridkv completions`.
#[derive(Debug, Args)]
#[command(after_long_help = COMPLETIONS_HELP, after_help = "More, with examples: gridkv completions --help")]
pub(crate) struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

const MAN_HELP: &str = "\
Examples:
  gridkv man ./man && man ./man/gridkv-put.1
      A page for each command.";

/// `gridkv man`.
#[derive(Debug, Args)]
#[command(after_long_help = MAN_HELP, after_help = "More, with examples: gridkv man --help")]
pub(crate) struct ManArgs {
    /// The directory; it is made when it is not there
    directory: PathBuf,
}

/// Prints completions.
///
/// # Errors
/// When the output can not be written.
pub(crate) fn completions(args: &CompletionsArgs, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "gridkv", &mut script);
    output.bytes(&script)?;
    Ok(Exit::Done)
}

/// Writes the manual, a page for each command, and for each command of a command.
///
/// # Errors
/// When a file can not be written.
pub(crate) fn man(args: &ManArgs, output: &Output) -> anyhow::Result<Exit> {
    let directory = &args.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("can not make {}", directory.display()))?;
    let mut command = help::command().disable_help_subcommand(true);
    command.build();
    pages(&command, directory)
        .with_context(|| format!("can not write into {}", directory.display()))?;
    output.note(&format!(
        "the manual is in {}; begin with man {}",
        directory.display(),
        directory.join("gridkv.1").display()
    ));
    Ok(Exit::Done)
}

/// The page of a command, and those of its commands.
fn pages(command: &Command, directory: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        pages(inner, directory)?;
    }
    let page = Man::new(command.clone())
        .manual("GridKV")
        .date(concat!("version ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text)?;
    // What stands there are examples; its own headline is then one too many.
    let text = String::from_utf8_lossy(&text);
    let text = text
        .replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n")
        .replace(".SH EXTRA\n", ".SH NOTES\n");
    fs::write(directory.join(page.get_filename()), text)
}

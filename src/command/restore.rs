//! `gridkv restore`: a snapshot put into a store.
//!
//! The node applies nothing before it has all of it and found it whole, so a cut upload changes nothing.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::progress::Unit;
use super::question::confirmed;
use super::{Context, Exit, Progress, Run, Usage, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, ClientError, Patience, Payload, Query, encoded};

const HELP: &str = "\
Examples:
  gridkv restore main.gkvs
      Into the store main: what is newer there stays.
  gridkv restore main.gkvs -s copy --mode missing
      Into another store, and only keys that it does not have.
  gridkv restore main.gkvs --mode replace
      The store holds what the snapshot holds, and nothing else; it asks first, unless -y is given.
  gridkv restore main.gkvs --dry-run
      What would be done.
  zcat main.ndjson.gz | gridkv restore -
      From standard input.

What is written is written anew, and reaches the other nodes like any write. Exit codes: 0 restored, 1 the snapshot is
damaged and nothing was changed, or the node failed, 5 the node did not say what became of it.";

/// `gridkv restore`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv restore --help")]
pub(crate) struct RestoreArgs {
    /// The snapshot; - for standard input
    file: PathBuf,
    /// merge: newer records stay; missing: only keys that are absent; replace: all other keys are deleted
    #[arg(long, value_name = "MODE", default_value = "merge")]
    mode: Mode,
    /// Change nothing, and say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before a replace
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Merge,
    Missing,
    Replace,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Missing => "missing",
            Self::Replace => "replace",
        }
    }
}

impl Run for RestoreArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let is_stdin = self.file.as_os_str() == "-";
        if self.mode == Mode::Replace && !self.dry_run {
            if is_stdin && !self.yes {
                let why = "standard input is the snapshot, so nobody can be asked: add -y if replace is meant";
                return Err(Usage(why.to_owned()).into());
            }
            let (store, url) = (&context.store, context.client.url());
            let question = format!(
                "Delete everything in the store {store} at {url} that the snapshot does not have?"
            );
            if !confirmed(&question, self.yes)? {
                context.output.note("nothing was changed");
                return Ok(Exit::Failed);
            }
        }
        let (source, length): (Box<dyn Read>, Option<u64>) = if is_stdin {
            (Box::new(io::stdin().lock()), None)
        } else {
            let name = || format!("can not read {}", self.file.display());
            let file = File::open(&self.file).with_context(name)?;
            let metadata = file.metadata().with_context(name)?;
            if metadata.is_dir() {
                bail!("{} is a directory", self.file.display());
            }
            // A pipe has no length that could be known before its end.
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        context.standing.hold();
        let query = Query::of(format!("/v1/stores/{}/snapshot", encoded(&context.store)))
            .with("mode", Some(self.mode.as_str()))
            .with("dry_run", self.dry_run.then_some("true"));
        let progress = Progress::new(&context.output, "restore", Unit::Bytes, length);
        let mut from = Sending { source, context, progress, length, sent: 0, is_sent: false };
        let payload = Payload::Reader { from: &mut from, length };
        let answer =
            context.client.call(Call::put(query).payload(payload).patience(Patience::Long));
        let (words, is_sent) = (from.progress.words(), from.is_sent);
        drop(from);
        if context.interrupt.is_set() && answer.is_err() && !is_sent {
            context
                .output
                .note(&format!("interrupted after {words} were sent; nothing was changed"));
            return Ok(Exit::Interrupted);
        }
        let answer = answer.map_err(|error| {
            let is_foreign = matches!(&error, ClientError::Refused(problem)
                if problem.code == "snapshot_corrupt" && problem.detail.contains("at byte 0:"));
            let error = anyhow::Error::from(error);
            let name = if is_stdin { "standard input".into() } else { self.file.to_string_lossy() };
            if is_foreign { error.context(format!("{name} is no snapshot")) } else { error }
        })?;
        let mut counts = answer.json()?;
        if let (true, Some(counts)) = (self.dry_run, counts.as_object_mut()) {
            counts.insert("dry_run".to_owned(), true.into());
        }
        self.print(context, &counts)
    }
}

impl RestoreArgs {
    fn print(&self, context: &Context, counts: &Json) -> anyhow::Result<Exit> {
        match context.output.format(Format::Text) {
            Format::Json => context.output.document(counts)?,
            Format::Ndjson => context.output.line(&counts.to_string())?,
            Format::Text | Format::Table => {
                let names = [
                    ("applied", "applied"),
                    ("skipped_older", "not newer than what is there"),
                    ("expired", "expired"),
                    ("deleted", "deleted"),
                ];
                let part = |(name, words): (&str, &str)| {
                    Some(format!("{} {words}", counts.get(name).and_then(Json::as_u64)?))
                };
                let parts: Vec<String> = names.into_iter().filter_map(part).collect();
                let would = if self.dry_run { "would be: " } else { "" };
                context.output.line(&format!("{would}{}", parts.join(", ")))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A snapshot on its way to the node.
struct Sending<'a> {
    source: Box<dyn Read>,
    context: &'a Context,
    progress: Progress,
    length: Option<u64>,
    sent: u64,
    /// The node has all of it.
    is_sent: bool,
}

impl Read for Sending<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.context.interrupt.is_set() && !self.is_sent {
            // The node has not all of it, so it will do nothing.
            return Err(io::Error::other("interrupted"));
        }
        let read = self.source.read(buffer)?;
        let count = u64::try_from(read).unwrap_or(u64::MAX);
        self.sent = self.sent.saturating_add(count);
        self.is_sent = read == 0 || self.length == Some(self.sent);
        self.progress.set(self.sent);
        self.context.standing.set(if self.is_sent {
            "all of it was sent, and the node goes on with it: whether it is restored is unknown"
                .to_owned()
        } else {
            format!("after {} were sent; nothing was changed", self.progress.words())
        });
        Ok(read)
    }
}

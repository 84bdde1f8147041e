//! `gridkv backup`: all of a store as one file, checked while it comes.
//!
//! The file appears under its name when it is whole and on the disk; what was cut or damaged on its way leaves none.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::new_file::NewFile;
use super::progress::Unit;
use super::snapshot_check::SnapshotCheck;
use super::{Context, Exit, Progress, Run, Usage, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, Patience, Query, encoded};
use crate::output::human_bytes;

/// Bytes that are taken at once.
const PIECE: usize = 128 * 1_024;

const HELP: &str = "\
Examples:
  gridkv backup main.gkvs
      The store main; the file appears when it is whole and on the disk.
  gridkv backup -s sessions --verify sessions.gkvs
      Read once more from the disk, and every checksum compared.
  gridkv backup --format ndjson | gzip > main.ndjson.gz
      To standard output, one JSON object for each key.

It is taken while others write: of what is written meanwhile, some is in it. Exit codes: 0 it is whole, 1 it was
damaged or can not be kept, 5 the node did not answer or the connection was cut.";

/// `gridkv backup`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv backup --help")]
pub(crate) struct BackupArgs {
    /// The file; without one, or as -, standard output
    file: Option<PathBuf>,
    /// The same
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with = "file")]
    named: Option<PathBuf>,
    /// gkv: frames with checksums; ndjson: lines of JSON; restore reads both
    #[arg(long, value_name = "FORMAT", default_value = "gkv")]
    format: SnapshotFormat,
    /// Read the file once more when it is written
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SnapshotFormat {
    Gkv,
    Ndjson,
}

impl SnapshotFormat {
    fn check(self) -> SnapshotCheck {
        match self {
            Self::Gkv => SnapshotCheck::of_frames(),
            Self::Ndjson => SnapshotCheck::of_lines(),
        }
    }
}

impl Run for BackupArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let file =
            self.file.clone().or_else(|| self.named.clone()).filter(|file| file != Path::new("-"));
        if self.verify && file.is_none() {
            return Err(Usage("--verify reads the file once more: name one".to_owned()).into());
        }
        if file.is_none() && io::stdout().is_terminal() {
            return Err(Usage("a backup is nothing for a terminal: name a file".to_owned()).into());
        }
        context.standing.hold();
        let mut kept = file.as_deref().map(|file| new_file(context, file)).transpose()?;
        let query = Query::of(format!("/v1/stores/{}/snapshot", encoded(&context.store)))
            .with("format", (self.format == SnapshotFormat::Ndjson).then_some("ndjson"));
        let answer = context.client.call(Call::get(query).patience(Patience::Stream))?;
        let total = answer.header("gridkv-key-count").and_then(|count| count.parse().ok());
        let mut progress = Progress::new(&context.output, "backup", Unit::Things("keys"), total);
        let (mut check, mut bytes) = (self.format.check(), 0_u64);
        let (url, mut from) = (answer.url().to_owned(), answer.into_reader());
        let mut piece = vec![0; PIECE];
        loop {
            if context.interrupt.is_set() {
                progress.end();
                let (keys, kept) =
                    (check.records(), if kept.is_some() { "; no file was kept" } else { "" });
                context.output.note(&format!("interrupted after {keys} keys{kept}"));
                return Ok(Exit::Interrupted);
            }
            let taken = from.read(&mut piece).map_err(|error| {
                crate::client::ClientError::BrokenOff { url: url.clone(), why: error.to_string() }
            })?;
            let Some(piece) = piece.get(..taken).filter(|piece| !piece.is_empty()) else { break };
            check.take(piece)?;
            match &mut kept {
                Some(kept) => {
                    kept.write_all(piece).with_context(|| cannot_write(file.as_deref()))?;
                }
                None => context.output.bytes(piece)?,
            }
            bytes += u64::try_from(taken).unwrap_or(u64::MAX);
            progress.set(check.records());
            context.standing.set(format!("after {}; no file was kept", progress.words()));
        }
        let keys = check.finish()?;
        progress.end();
        if let Some(kept) = kept {
            if self.verify {
                self.read_again(context, kept.path(), keys)?;
            }
            kept.appear().with_context(|| cannot_write(file.as_deref()))?;
        }
        self.tell(context, file.as_deref(), keys, bytes)
    }
}

fn new_file(context: &Context, path: &Path) -> anyhow::Result<NewFile> {
    let file = NewFile::beside(path).with_context(|| cannot_write(Some(path)))?;
    context.standing.part(file.path().to_owned());
    Ok(file)
}

fn cannot_write(path: Option<&Path>) -> String {
    format!("can not write {}", path.unwrap_or(Path::new("standard output")).display())
}

impl BackupArgs {
    fn read_again(&self, context: &Context, path: &Path, keys: u64) -> anyhow::Result<()> {
        let mut file =
            File::open(path).with_context(|| format!("can not read {}", path.display()))?;
        let mut progress =
            Progress::new(&context.output, "verifying", Unit::Things("keys"), Some(keys));
        let (mut check, mut piece) = (self.format.check(), vec![0; PIECE]);
        loop {
            let taken = file
                .read(&mut piece)
                .with_context(|| format!("can not read {}", path.display()))?;
            let Some(piece) = piece.get(..taken).filter(|piece| !piece.is_empty()) else { break };
            check.take(piece).context("what is on the disk is not what came")?;
            progress.set(check.records());
        }
        check.finish().context("what is on the disk is not what came")?;
        Ok(())
    }

    /// What was kept: on standard output when the backup itself did not go there.
    fn tell(
        &self,
        context: &Context,
        file: Option<&Path>,
        keys: u64,
        bytes: u64,
    ) -> anyhow::Result<Exit> {
        let Some(file) = file else {
            context.output.note(&format!("{keys} keys, {}", human_bytes(bytes)));
            return Ok(Exit::Done);
        };
        let name = file.display().to_string();
        let json = json!({
            "file": name, "store": context.store, "keys": keys, "bytes": bytes, "verified": self.verify,
        });
        match context.output.format(Format::Text) {
            Format::Json => context.output.document(&json)?,
            Format::Ndjson => context.output.line(&json.to_string())?,
            Format::Text | Format::Table => {
                let verified = if self.verify { ", verified" } else { "" };
                context
                    .output
                    .note(&format!("{name}: {keys} keys, {}{verified}", human_bytes(bytes)));
            }
        }
        Ok(Exit::Done)
    }
}

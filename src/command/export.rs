//! `gridkv export`: keys and values for other systems, page by page.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::new_file::NewFile;
use super::progress::Unit;
use super::{Context, Exit, Progress, Run, plain_settings};
use crate::cli::settings::Settings;
use crate::client::{Call, Query, encoded};

/// Keys of a page, as many as a node gives.
const PAGE: &str = "1000";
/// What a value is of which nobody said what it is.
const UNTYPED: &str = "application/octet-stream";

const HELP: &str = "\
Examples:
  gridkv export > main.ndjson
      One JSON object for each key; import reads it.
  gridkv export user: --format csv -f users.csv
      Columns key and value, of keys that begin with user:.
  gridkv export --format csv --base64 -f all.csv
      Columns key and value_base64: for values that are not text.

It is no snapshot of a moment: keys are read in order while others write. A value that is not text can not stand in
CSV without --base64: it is left out, told, and the exit code is 6.";

/// `gridkv export`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv export --help")]
pub(crate) struct ExportArgs {
    /// Only keys that begin like this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// The file, which appears when all is in it; without one, or as -, standard output
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
    format: ExportFormat,
    /// Write all values in base64
    #[arg(long)]
    base64: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One JSON object on each line
    Ndjson,
    /// Rows with a headline
    Csv,
}

impl Run for ExportArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let file = self.file.as_deref().filter(|file| *file != Path::new("-"));
        let name = || format!("can not write {}", file.unwrap_or(Path::new("")).display());
        context.standing.hold();
        let mut kept = file.map(NewFile::beside).transpose().with_context(name)?;
        if let Some(kept) = &kept {
            context.standing.part(kept.path().to_owned());
        }
        let mut progress =
            Progress::new(&context.output, "export", Unit::Things("keys"), self.total(context)?);
        let (mut written, mut left_out, mut cursor) = (0_u64, 0_u64, None::<String>);
        let mut is_first = true;
        loop {
            if context.interrupt.is_set() {
                progress.end();
                let kept = if kept.is_some() { "; no file was kept" } else { "" };
                context.output.note(&format!("interrupted after {written} keys{kept}"));
                return Ok(Exit::Interrupted);
            }
            let query = Query::of(format!("/v1/kv/{}", encoded(&context.store)))
                .with("prefix", Some(&self.prefix))
                .with("limit", Some(PAGE))
                .with("include", Some("meta,value"))
                .with("cursor", cursor.as_deref());
            let page = context.client.call(Call::get(query))?.json()?;
            let keys =
                page.get("keys").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let (text, skipped) = self.rendered(keys, is_first)?;
            is_first = false;
            match &mut kept {
                Some(kept) => kept.write_all(&text).with_context(name)?,
                None => context.output.bytes(&text)?,
            }
            left_out += skipped;
            written += u64::try_from(keys.len()).unwrap_or(u64::MAX) - skipped;
            progress.set(written);
            context.standing.set(format!("after {written} keys"));
            cursor = page.get("next_cursor").and_then(Json::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        progress.end();
        if let Some(kept) = kept {
            kept.appear().with_context(name)?;
        }
        context.output.note(&format!("{written} keys exported"));
        if left_out > 0 {
            let told = format!("{left_out} values are not text and were left out: add --base64");
            crate::output::complain(&told);
            return Ok(Exit::Partial);
        }
        Ok(Exit::Done)
    }
}

impl ExportArgs {
    /// How many keys there are, where that is known: of a part of the store, nobody counts them.
    fn total(&self, context: &Context) -> anyhow::Result<Option<u64>> {
        if !self.prefix.is_empty() {
            return Ok(None);
        }
        let path = format!("/v1/stores/{}/stats", encoded(&context.store));
        Ok(context.client.call(Call::get(path))?.json()?.get("key_count").and_then(Json::as_u64))
    }

    /// A page as it goes out, and how many values could not.
    fn rendered(&self, keys: &[Json], is_first: bool) -> anyhow::Result<(Vec<u8>, u64)> {
        match self.format {
            ExportFormat::Ndjson => {
                let lines: anyhow::Result<Vec<Json>> =
                    keys.iter().map(|key| self.line(key)).collect();
                Ok((crate::output::in_lines(&lines?).into_bytes(), 0))
            }
            ExportFormat::Csv => self.rows(keys, is_first),
        }
    }

    fn line(&self, record: &Json) -> anyhow::Result<Json> {
        let field = |name: &str| record.get(name).unwrap_or(&Json::Null);
        let bytes = super::record::value(field("value"))?;
        let mut line = match String::from_utf8(bytes) {
            Ok(text) if !self.base64 => {
                json!({"key": field("key"), "value": text, "encoding": "utf8"})
            }
            _ => json!({"key": field("key"), "value": field("value"), "encoding": "base64"}),
        };
        if let Some(line) = line.as_object_mut() {
            for name in ["content_type", "expires_at"] {
                let value = field(name);
                if !value.is_null() && value != UNTYPED {
                    line.insert(name.to_owned(), value.clone());
                }
            }
        }
        Ok(line)
    }

    fn rows(&self, keys: &[Json], is_first: bool) -> anyhow::Result<(Vec<u8>, u64)> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        let mut left_out = 0;
        if is_first {
            rows.write_record(["key", if self.base64 { "value_base64" } else { "value" }])?;
        }
        for record in keys {
            let text = |name: &str| record.get(name).and_then(Json::as_str).unwrap_or_default();
            if self.base64 {
                rows.write_record([text("key"), text("value")])?;
                continue;
            }
            let bytes = super::record::value(record.get("value").unwrap_or(&Json::Null))?;
            match String::from_utf8(bytes) {
                Ok(value) => rows.write_record([text("key"), &value])?,
                Err(_) => left_out += 1,
            }
        }
        let bytes = rows.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok((bytes, left_out))
    }
}

//! `gridkv get`: the value of a key, as it was stored.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value as Json, json};

use super::record::{self, by_batch};
use super::write_terms::in_words;
use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings, duration};
use crate::client::{Answer, Call, Patience, Query, key_path, needs_batch};
use crate::output::{Cell, Report, left};

const HELP: &str = "\
Examples:
  gridkv get greeting
      The value as it was stored; on a terminal it ends with a line feed.
  gridkv get photo --out photo.jpg
      Into a file, which appears when all of it is there.
  gridkv get greeting -o json
      With version, type and deadline; the value in base64.
  gridkv get greeting --meta
      What is known of it, without the value.
  gridkv get config --wait 10m
      Prints it when it changes; exit code 5 when it does not in time.
  v=$(gridkv put --url http://127.0.0.1:7401 k v); gridkv get --url http://127.0.0.1:7402 k --min-version $v
      Reads what was written at another node.

Exit codes: 0 printed, 3 the key has no value, 5 no node answered, or nothing changed in time.";

/// `gridkv get`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv get --help")]
pub(crate) struct GetArgs {
    /// The key
    key: String,
    /// Print what is known of it instead of the value
    #[arg(long, conflicts_with = "out")]
    meta: bool,
    /// Write the value into this file; it appears when all of it is there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Wait until it changes, at most so long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// The version that you have; a change since then is printed at once [default: the one it has now]
    #[arg(long, value_name = "VERSION", requires = "wait")]
    known: Option<String>,
    /// Wait until the node has this write, such as one of another node
    #[arg(long, value_name = "VERSION")]
    min_version: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Run for GetArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        if needs_batch(&self.key) {
            return self.by_batch(context);
        }
        let known = match (&self.wait, &self.known) {
            (Some(_), None) => Some(self.version_now(context)?),
            (_, known) => known.clone(),
        };
        let in_json = context.output.format(Format::Text) != Format::Text;
        let query = Query::of(key_path(&context.store, &self.key))
            .with("min_version", self.min_version.as_deref())
            .with("timeout", self.min_version.as_ref().and(context.settings.timeout).map(in_words))
            .with("wait", self.wait.map(in_words))
            .with("format", (in_json && !self.meta).then_some("json"));
        let call =
            if self.meta && self.wait.is_none() { Call::head(query) } else { Call::get(query) };
        // A long poll may be stretched by the node.
        let wait = self.wait.unwrap_or_default();
        let wait = wait
            .saturating_add(wait / 8)
            .saturating_add(context.settings.timeout.unwrap_or_default());
        let call = call
            .header("if-none-match", known.map(|known| format!("\"{}\"", known.trim_matches('"'))))
            .patience(Patience::Answer { beyond: wait });
        let answer = context.client.call(call)?;
        if answer.status() == 304 {
            context.output.note("it did not change in time");
            return Ok(Exit::Unreachable);
        }
        context.output.detail(|| told(&answer));
        if self.meta { self.print_known(context, &answer) } else { self.print(context, answer) }
    }
}

impl GetArgs {
    fn version_now(&self, context: &Context) -> anyhow::Result<String> {
        let answer = context.client.call(Call::head(key_path(&context.store, &self.key)))?;
        Ok(answer.header("gridkv-version").unwrap_or_default().to_owned())
    }

    fn print(&self, context: &Context, answer: Answer) -> anyhow::Result<Exit> {
        let format = context.output.format(Format::Text);
        if format == Format::Text {
            self.print_value(context, &answer.bytes()?)?;
        } else {
            print_envelope(context, format, answer.json()?)?;
        }
        Ok(Exit::Done)
    }

    fn print_value(&self, context: &Context, value: &[u8]) -> anyhow::Result<()> {
        if let Some(path) = &self.out {
            return whole(path, value);
        }
        context.output.bytes(value)?;
        if context.output.is_terminal() && !value.ends_with(b"\n") {
            context.output.bytes(b"\n")?;
        }
        Ok(())
    }

    fn print_known(&self, context: &Context, answer: &Answer) -> anyhow::Result<Exit> {
        let mut known = record::known(answer);
        known.insert(0, ("key", self.key.clone()));
        let size = answer.header("content-length").map(str::to_owned);
        known.extend(size.map(|size| ("size", size)));
        print_fields(context, &known)?;
        Ok(Exit::Done)
    }

    fn by_batch(&self, context: &Context) -> anyhow::Result<Exit> {
        if self.wait.is_some() || self.min_version.is_some() {
            let why = format!("the key `{}` can not be waited for: no path can name it", self.key);
            return Err(super::Usage(why).into());
        }
        let op = json!({"op": "get", "key": self.key, "encoding": "base64"});
        let patience = Patience::Answer { beyond: Duration::ZERO };
        let mut found = by_batch(&context.client, &context.store, &op, |query| query, patience)?;
        let value = record::value(found.get("value").unwrap_or(&Json::Null))?;
        let format = context.output.format(Format::Text);
        if let Some(fields) = found.as_object_mut() {
            for name in ["status", "encoding"] {
                fields.remove(name);
            }
            fields.insert("key".to_owned(), self.key.clone().into());
            fields.insert("size".to_owned(), value.len().into());
        }
        if self.meta {
            found.as_object_mut().and_then(|fields| fields.remove("value"));
            let text = |(name, value): (&String, &Json)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), value)
            };
            let fields: Vec<_> = found.as_object().into_iter().flatten().map(text).collect();
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            print_fields(context, &fields)?;
        } else if format == Format::Text {
            self.print_value(context, &value)?;
        } else {
            print_envelope(context, format, found)?;
        }
        Ok(Exit::Done)
    }
}

fn told(answer: &Answer) -> String {
    let node = answer.header("gridkv-node").unwrap_or("somebody");
    let version = answer.header("gridkv-version").unwrap_or("no version");
    format!("{node} at {} has it in version {version}", answer.url())
}

/// A record with its value in base64.
fn print_envelope(context: &Context, format: Format, record: Json) -> anyhow::Result<()> {
    let cell = |name| Cell::json(record.get(name).unwrap_or(&Json::Null));
    let names = ["key", "version", "size", "content_type", "expires_at", "value"];
    let report = Report {
        columns: ["KEY", "VERSION", "SIZE", "TYPE", "EXPIRES", "VALUE"].map(left).to_vec(),
        rows: vec![names.map(cell).to_vec()],
        lines: vec![record.clone()],
        document: record,
    };
    Ok(context.output.report(&report, format)?)
}

/// What is known of something, name by name.
pub(crate) fn print_fields(context: &Context, fields: &[(&str, String)]) -> anyhow::Result<()> {
    let json: Json = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Json::from(value.clone())))
        .collect();
    let row = |(name, value): &(&str, String)| vec![Cell::text(*name), Cell::text(value)];
    let report = Report {
        columns: vec![left("WHAT"), left("VALUE")],
        rows: fields.iter().map(row).collect(),
        lines: vec![json.clone()],
        document: json,
    };
    Ok(context.output.report(&report, Format::Text)?)
}

/// A file that appears when all of it is there.
fn whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = super::new_file::NewFile::beside(path)?;
    file.write_all(bytes).with_context(|| format!("can not write {}", path.display()))?;
    file.appear()
        .map_err(|error: io::Error| error)
        .with_context(|| format!("can not write {}", path.display()))
}

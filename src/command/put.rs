//! `gridkv put`: a value for a key.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::get::print_fields;
use super::record::{by_batch, in_base64};
use super::write_terms::{WriteTerms, ttl};
use super::{Context, Exit, Run, plain_settings};
use crate::bounded;
use crate::cli::settings::{Format, Settings};
use crate::client::{Answer, Call, Payload, Query, key_path, needs_batch};

/// Bytes of a value, at most: no node can be told to take more.
const MAX_VALUE_BYTES: u64 = 2 << 20;

const HELP: &str = "\
Examples:
  gridkv put greeting hello
      Prints the version that it was given.
  date | gridkv put now
      Without a value, standard input is it.
  gridkv put photo -f photo.jpg --content-type image/jpeg
      A file.
  gridkv put lock $HOSTNAME --if-absent --ttl 30s
      Only when the key has no value; exit code 4 when it has one.
  gridkv put config new --if-match 018f3c...-0000000100000001
      Only when it still has this version; exit code 4 when it has another one.
  gridkv put order 17 --acks majority --durability fsync
      Answered when it is on the disk here, and most nodes have it.

Exit codes: 0 written, 4 the condition does not hold, 5 no node answered, or peers did not confirm in time: whether it
was written is then told, and unknown where it is unknown.";

/// `gridkv put`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv put --help")]
pub(crate) struct PutArgs {
    /// The key
    key: String,
    /// The value; without it, it is read from standard input
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
    /// The value is what this file holds; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "value")]
    file: Option<PathBuf>,
    /// How long it lives: a time such as 30s, 0 for ever, or keep for as long as the value before
    #[arg(long, value_name = "TIME", value_parser = ttl)]
    ttl: Option<String>,
    /// Only if the key has no value
    #[arg(long, conflicts_with = "if_match")]
    if_absent: bool,
    /// Only if the key has this version; * for any
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
    /// What it is, such as text/plain
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    terms: WriteTerms,
    #[command(flatten)]
    settings: Settings,
}

impl Run for PutArgs {
    plain_settings!();

    fn run(mut self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let value = self.take_value(context)?;
        if context.interrupt.is_set() {
            // What was piped in may have been cut off by the same Ctrl-C.
            context.output.note("interrupted; nothing was written");
            return Ok(Exit::Interrupted);
        }
        context.standing.set("whether it was written is unknown".to_owned());
        let fields = if needs_batch(&self.key) {
            self.by_batch(context, &value)?
        } else {
            let query =
                Query::of(key_path(&context.store, &self.key)).with("ttl", self.ttl.as_deref());
            let call = Call::put(self.terms.on(query))
                .header(
                    "content-type",
                    self.content_type.as_deref().or(Some("application/octet-stream")),
                )
                .header("if-none-match", self.if_absent.then_some("*"))
                .header("if-match", self.if_match.as_deref().map(quoted))
                .patience(self.terms.patience())
                .payload(Payload::Bytes(value));
            let answer = context.client.call(call)?;
            answer.said("gridkv-version")?;
            context.output.detail(|| told(&answer));
            written(&self.key, &answer)
        };
        let version = fields.get("version").and_then(Json::as_str).unwrap_or_default().to_owned();
        if context.output.format(Format::Text) == Format::Text {
            context.output.line(&version)?;
        } else {
            let text =
                |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let named: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
            match context.output.format(Format::Text) {
                Format::Json => context.output.document(&Json::Object(fields))?,
                Format::Ndjson => context.output.line(&Json::Object(fields).to_string())?,
                Format::Text | Format::Table => print_fields(context, &named)?,
            }
        }
        Ok(Exit::Done)
    }
}

impl PutArgs {
    fn take_value(&mut self, context: &Context) -> anyhow::Result<Vec<u8>> {
        match (self.value.take(), &self.file) {
            (Some(value), _) => Ok(value.into_bytes()),
            (None, Some(path)) if path.as_os_str() != "-" => {
                bounded::file(path, MAX_VALUE_BYTES).map_err(|error| unread(error, path.display()))
            }
            (None, _) => {
                if io::stdin().is_terminal() {
                    context.output.note(
                        "the value is read from here; Ctrl-D at the beginning of a line ends it",
                    );
                }
                let value = bounded::read(io::stdin().lock(), MAX_VALUE_BYTES);
                value.map_err(|error| unread(error, "standard input"))
            }
        }
    }

    fn by_batch(&self, context: &Context, value: &[u8]) -> anyhow::Result<Map<String, Json>> {
        let mut op =
            json!({"op": "put", "key": self.key, "encoding": "base64", "value": in_base64(value)});
        let fields = [
            ("ttl", self.ttl.clone()),
            ("content_type", self.content_type.clone()),
            ("if_none_match", self.if_absent.then(|| "*".to_owned())),
            ("if_match", self.if_match.as_deref().map(quoted)),
        ];
        for (name, field) in fields {
            if let (Some(op), Some(field)) = (op.as_object_mut(), field) {
                op.insert(name.to_owned(), field.into());
            }
        }
        let (client, store) = (&context.client, &context.store);
        let result =
            by_batch(client, store, &op, |query| self.terms.on(query), self.terms.patience())?;
        let status = result.get("status").and_then(Json::as_u64);
        let version = result.get("version").cloned().unwrap_or_default();
        let fields = json!({"key": self.key, "created": status == Some(201), "version": version});
        Ok(fields.as_object().cloned().unwrap_or_default())
    }
}

/// Why there is no value.
fn unread(error: io::Error, from: impl fmt::Display) -> anyhow::Error {
    let is_long = error.kind() == io::ErrorKind::FileTooLarge;
    let error = anyhow::Error::new(error).context(format!("can not take the value from {from}"));
    if is_long {
        error.context("nothing was written: no node takes so long a value")
    } else {
        error
    }
}

/// A version as a condition.
pub(crate) fn quoted(version: &str) -> String {
    if version == "*" { version.to_owned() } else { format!("\"{}\"", version.trim_matches('"')) }
}

fn written(key: &str, answer: &Answer) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("key".to_owned(), key.into());
    fields.insert("created".to_owned(), (answer.status() == 201).into());
    let headers = [
        ("gridkv-version", "version"),
        ("gridkv-durability", "durability"),
        ("gridkv-acks", "acks"),
        ("gridkv-expires-at", "expires_at"),
    ];
    for (header, name) in headers {
        if let Some(value) = answer.header(header) {
            fields.insert(name.to_owned(), value.into());
        }
    }
    fields
}

fn told(answer: &Answer) -> String {
    let header = |name| answer.header(name).unwrap_or("?");
    let did = if answer.status() == 201 { "created" } else { "replaced" };
    format!(
        "{did} at {} ({}), acks {}, durability {}",
        header("gridkv-node"),
        answer.url(),
        header("gridkv-acks"),
        header("gridkv-durability")
    )
}

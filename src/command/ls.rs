//! `gridkv ls`: the keys of a store in order, a page at a time.

use clap::Args;
use serde_json::{Value as Json, json};

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Call, Query, encoded};
use crate::output::{Cell, Report, in_lines, left, right};

/// Keys of a page, as many as a node gives.
const PAGE: usize = 1_000;
/// Keys that are shown when nothing is said.
const DEFAULT_LIMIT: usize = 100;

const HELP: &str = "\
Examples:
  gridkv ls
      The first 100 keys, one on a line; what follows is told on standard error.
  gridkv ls user: --all
      Every key that begins with user:, page by page.
  gridkv ls logs/ --delimiter /
      As a directory: what lies deeper is one line that ends in /.
  gridkv ls -l --limit 20
      With size, deadline and version.
  gridkv ls --all -o ndjson
      One JSON object for each key: the form for keys with line feeds in them.";

/// `gridkv ls`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv ls --help")]
pub(crate) struct LsArgs {
    /// Only keys that begin like this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// With size, deadline and version, as a table
    #[arg(short, long)]
    long: bool,
    /// Roll up keys that have this after the prefix into one line
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,
    /// Lines, at most
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT, conflicts_with = "all")]
    limit: usize,
    /// Go on until the last key
    #[arg(long)]
    all: bool,
    /// Go on where a list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Run for LsArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let format = context.output.format(if self.long { Format::Table } else { Format::Text });
        let mut left = if self.all { usize::MAX } else { self.limit };
        let mut cursor = self.cursor.clone();
        let mut shown = Pages { format, is_long: self.long, rows: Vec::new(), json: Json::Null };
        let mut count = 0;
        while left > 0 {
            if context.interrupt.is_set() {
                context.output.note(&format!("interrupted after {count} lines"));
                return Ok(Exit::Interrupted);
            }
            let query = Query::of(format!("/v1/kv/{}", encoded(&context.store)))
                .with("prefix", Some(&self.prefix))
                .with("delimiter", self.delimiter.as_deref())
                .with("limit", Some(left.min(PAGE).to_string()))
                .with("cursor", cursor.as_deref());
            let page = context.client.call(Call::get(query))?.json()?;
            let lines = shown.page(context, &page)?;
            count += lines;
            left = left.saturating_sub(lines);
            cursor = page.get("next_cursor").and_then(Json::as_str).map(str::to_owned);
            context.standing.set(format!("{count} lines"));
            if cursor.is_none() {
                break;
            }
        }
        shown.end(context, cursor.as_deref())?;
        if let Some(cursor) = cursor {
            context.output.note(&format!("there are more: --all, or --cursor {cursor}"));
        }
        Ok(Exit::Done)
    }
}

/// What was listed and is not shown yet.
struct Pages {
    format: Format,
    is_long: bool,
    /// For a table, whose columns are as wide as the longest.
    rows: Vec<Vec<Cell>>,
    /// The whole list as one document.
    json: Json,
}

impl Pages {
    /// One more page: how many lines it is.
    fn page(&mut self, context: &Context, page: &Json) -> anyhow::Result<usize> {
        let items = merged(page);
        let output = &context.output;
        match self.format {
            Format::Text => {
                let line = |item: &Json| {
                    let name = output.shown(name_of(item));
                    if !self.is_long {
                        return name + "\n";
                    }
                    let bare = |field| item.get(field).map(bare).unwrap_or_default();
                    format!(
                        "{name}\t{}\t{}\t{}\n",
                        bare("size"),
                        bare("expires_at"),
                        bare("version")
                    )
                };
                let text: String = items.iter().map(line).collect();
                output.bytes(text.as_bytes())?;
            }
            Format::Ndjson => {
                output.bytes(in_lines(&items).as_bytes())?;
            }
            Format::Table => {
                let is_long = self.is_long;
                self.rows.extend(items.iter().map(|item| row(item, is_long)));
            }
            Format::Json => self.add(page),
        }
        Ok(items.len())
    }

    fn add(&mut self, page: &Json) {
        if self.json.is_null() {
            self.json = page.clone();
            return;
        }
        for name in ["keys", "common_prefixes"] {
            let more = page.get(name).and_then(Json::as_array).into_iter().flatten().cloned();
            if let Some(all) = self.json.get_mut(name).and_then(Json::as_array_mut) {
                all.extend(more);
            }
        }
    }

    fn end(mut self, context: &Context, cursor: Option<&str>) -> anyhow::Result<()> {
        match self.format {
            Format::Text | Format::Ndjson => {}
            Format::Json => {
                if let Some(list) = self.json.as_object_mut() {
                    list.insert("next_cursor".to_owned(), json!(cursor));
                }
                context.output.document(&self.json)?;
            }
            Format::Table => {
                let mut columns = vec![left("KEY")];
                if self.is_long {
                    columns.extend([right("SIZE"), left("EXPIRES"), left("VERSION")]);
                }
                let rows = std::mem::take(&mut self.rows);
                let report = Report { columns, rows, document: Json::Null, lines: Vec::new() };
                context.output.report(&report, Format::Table)?;
            }
        }
        Ok(())
    }
}

fn row(item: &Json, is_long: bool) -> Vec<Cell> {
    let field = |name| item.get(name).unwrap_or(&Json::Null);
    let mut row = vec![Cell::text(name_of(item))];
    if is_long {
        row.extend([
            Cell::bytes(field("size")),
            Cell::json(field("expires_at")),
            Cell::json(field("version")),
        ]);
    }
    row
}

/// The keys and the common prefixes of a page, in order.
fn merged(page: &Json) -> Vec<Json> {
    let all = |name| page.get(name).and_then(Json::as_array).into_iter().flatten();
    let mut items: Vec<Json> = all("keys").cloned().collect();
    items.extend(all("common_prefixes").map(|prefix| json!({ "prefix": prefix })));
    items.sort_by(|a, b| name_of(a).as_bytes().cmp(name_of(b).as_bytes()));
    items
}

/// A key, or a common prefix.
fn name_of(item: &Json) -> &str {
    item.get("key").or_else(|| item.get("prefix")).and_then(Json::as_str).unwrap_or_default()
}

fn bare(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

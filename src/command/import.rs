//! `gridkv import`: keys and values out of files of other systems, in batches.
//!
//! What can not be taken is written beside the file with its line and the reason, and does not hold up the rest.

mod items;
mod object;
mod plain;
mod rejected;
mod row_bound;
mod source;
mod twice;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use self::rejected::Rejected;
use self::source::{Entry, Record, Source};
use self::twice::Twice;
use super::progress::Unit;
use super::record::in_base64;
use super::write_terms::WriteTerms;
use super::{Context, Exit, Progress, Run, plain_settings};
use crate::cli::settings::{Format, Settings};
use crate::client::{Answer, Call, ClientError, Query, encoded};

/// Records of a batch; a node takes a thousand.
const BATCH: usize = 500;
/// Bytes of the values of a batch, at most, unless one alone is larger: they grow by a third on their way.
const BATCH_BYTES: usize = 1 << 20;

const HELP: &str = "\
Examples:
  gridkv import users.csv
      Columns key and value, and where they are there ttl, expires_at and content_type; value_base64 for bytes.
  gridkv import dump.ndjson -s users
      One object on each line: {\"key\":\"a\",\"value\":\"text\"}, with \"encoding\":\"base64\" for bytes.
  consul kv export | gridkv import - --format consul
      What Consul exports.
  gridkv import users.csv --if-absent
      Only keys that have no value.
  gridkv import users.csv --from-line 50001
      Goes on where an interrupted import ended.

What can not be taken goes to FILE.rejected, one JSON object for each with its line and the reason; one that is there is
not overwritten. Of a key that comes more than once the last value holds, and how many did is told. Exit codes: 0 all were
taken, 6 some were rejected, 5 the node did not answer: the lines before the one that is told are written.";

/// `gridkv import`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv import --help")]
pub(crate) struct ImportArgs {
    /// The file; - for standard input
    file: PathBuf,
    /// What it is [default: by its name, else ndjson]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// Only keys that have no value; others are left alone
    #[arg(long)]
    if_absent: bool,
    /// Begin at this line
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true)]
    from_line: u64,
    /// Where rejected lines go [default: FILE.rejected]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    #[command(flatten)]
    terms: WriteTerms,
    #[command(flatten)]
    settings: Settings,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// One JSON object on each line
    Ndjson,
    /// Rows with a headline
    Csv,
    /// What `consul kv export` writes
    Consul,
}

/// What became of what was read.
struct Counts {
    written: u64,
    skipped: u64,
    rejected: Rejected,
    twice: Twice,
    /// The last line of which it is known what became of it.
    line: u64,
}

impl Run for ImportArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        context.standing.hold();
        let goes_on = self.from_line > 1;
        let mut counts = Counts::new(Rejected::new(self.rejected_path(), goes_on)?);
        let mut source = Source::new(self.format(), self.open()?).with_context(|| self.shown())?;
        let unit = Unit::Things("records");
        let mut progress = Progress::new(&context.output, "import", unit, None);
        let clock = Clock::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            let entry = source.next().transpose();
            let entry = entry.with_context(|| self.shown());
            let entry = entry.with_context(|| counts.where_to_go_on())?;
            if let Some(entry) = entry {
                if entry.line < self.from_line {
                    continue;
                }
                match entry.record.as_ref() {
                    Ok(record) => {
                        counts.twice.note(&record.key);
                        bytes += record.value.len();
                        batch.push(entry);
                    }
                    Err(why) => {
                        counts.rejected.add(context, &entry, why)?;
                    }
                }
                if batch.len() < BATCH && bytes < BATCH_BYTES {
                    continue;
                }
            } else if batch.is_empty() {
                break;
            }
            let sent = self.send(context, &clock, &batch, &mut counts);
            sent.with_context(|| counts.where_to_go_on())?;
            progress.set(counts.written + counts.skipped + counts.rejected.count());
            context.standing.set(counts.where_to_go_on());
            batch.clear();
            bytes = 0;
            if context.interrupt.is_set() {
                progress.end();
                context.output.note(&format!("interrupted: {}", counts.where_to_go_on()));
                return Ok(Exit::Interrupted);
            }
        }
        progress.end();
        if let Some(told) = counts.twice.told(self.if_absent) {
            context.output.note(&told);
        }
        print(context, &counts)?;
        let rejected = counts.rejected.count();
        counts.rejected.finish(context)?;
        Ok(if rejected > 0 { Exit::Partial } else { Exit::Done })
    }
}

impl ImportArgs {
    fn open(&self) -> anyhow::Result<Box<dyn Read>> {
        if self.file.as_os_str() == "-" {
            return Ok(Box::new(io::stdin().lock()));
        }
        let name = || format!("can not read {}", self.shown());
        let file = File::open(&self.file).with_context(name)?;
        if file.metadata().with_context(name)?.is_dir() {
            bail!("{} is a directory: name a file in it, or - for standard input", self.shown());
        }
        Ok(Box::new(BufReader::new(file)))
    }

    /// The file, as it is called in a complaint.
    fn shown(&self) -> String {
        if self.file.as_os_str() == "-" {
            return "standard input".to_owned();
        }
        self.file.display().to_string()
    }

    fn format(&self) -> FileFormat {
        let ending = self.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        self.format.unwrap_or(match ending.to_ascii_lowercase().as_str() {
            "csv" => FileFormat::Csv,
            "json" => FileFormat::Consul,
            _ => FileFormat::Ndjson,
        })
    }

    fn rejected_path(&self) -> PathBuf {
        self.rejected.clone().unwrap_or_else(|| {
            let is_stdin = self.file.as_os_str() == "-";
            let mut name =
                if is_stdin { "stdin".into() } else { self.file.clone().into_os_string() };
            name.push(".rejected");
            name.into()
        })
    }

    /// Sends a batch until the node has taken it; what it did not take of it is rejected.
    fn send(
        &self,
        context: &Context,
        clock: &Clock,
        batch: &[Entry],
        counts: &mut Counts,
    ) -> anyhow::Result<()> {
        let mut ops = Vec::with_capacity(batch.len());
        for entry in batch {
            if let Ok(record) = &entry.record {
                ops.push(self.op(context, clock, record)?);
            }
        }
        let results = self.answered(context, &json!({ "ops": ops }))?;
        let mut failure = None;
        for (entry, result) in batch.iter().zip(&results) {
            let status = result.get("status").and_then(Json::as_u64).unwrap_or(500);
            let word = |name| result.get(name).and_then(Json::as_str).unwrap_or_default();
            match status {
                ..400 => counts.written += 1,
                412 if self.if_absent => counts.skipped += 1,
                _ => {
                    let why = format!("{}: {}", word("code"), word("detail"));
                    counts.rejected.add(context, entry, &why)?;
                    failure = (status >= 500).then_some(why).or(failure);
                }
            }
            counts.line = entry.line;
        }
        match failure {
            // The node is full or failed: what follows would fare no better.
            Some(why) if results.iter().all(is_failure) => bail!("{why}"),
            _ => Ok(()),
        }
    }

    fn op(&self, context: &Context, clock: &Clock, record: &Record) -> anyhow::Result<Json> {
        let mut op = json!({
            "op": "put", "key": record.key, "encoding": "base64", "value": in_base64(&record.value),
        });
        let ttl = match (&record.ttl, &record.expires_at) {
            (Some(ttl), _) => Some(ttl.clone()),
            (None, Some(moment)) => Some(format!("{}ms", clock.until(context, *moment)?)),
            (None, None) => None,
        };
        let fields = [
            ("ttl", ttl),
            ("content_type", record.content_type.clone()),
            ("if_none_match", self.if_absent.then(|| "*".to_owned())),
        ];
        for (name, field) in fields {
            if let (Some(op), Some(field)) = (op.as_object_mut(), field) {
                op.insert(name.to_owned(), field.into());
            }
        }
        Ok(op)
    }

    /// The results of a batch; a node that has too much to do is asked again.
    fn answered(&self, context: &Context, batch: &Json) -> anyhow::Result<Vec<Json>> {
        loop {
            let path =
                self.terms.on(Query::of(format!("/v1/stores/{}/batch", encoded(&context.store))));
            let call = Call::post(path).json(batch).patience(self.terms.patience());
            let pause = match context.client.call(call) {
                Ok(answer) => return results(answer, batch),
                Err(ClientError::Refused(problem)) => match problem.pause() {
                    Some(pause) => pause,
                    None => return Err(ClientError::Refused(problem).into()),
                },
                Err(error) => return Err(error.into()),
            };
            if !context.interrupt.sleep(pause) {
                bail!("interrupted while the node had too much to do");
            }
        }
    }
}

/// What became of each operation of a batch.
fn results(answer: Answer, batch: &Json) -> anyhow::Result<Vec<Json>> {
    let asked = batch.get("ops").and_then(Json::as_array).map_or(0, Vec::len);
    let url = answer.url().to_owned();
    let unknown = |why: String| ClientError::Unknown { url: url.clone(), why };
    let mut reply = answer.json().map_err(|error| unknown(error.to_string()))?;
    let results = reply.get_mut("results").and_then(Json::as_array_mut);
    let results = results.map(std::mem::take).unwrap_or_default();
    if results.len() == asked {
        return Ok(results);
    }
    Err(unknown(format!("{} results for {asked} operations", results.len())).into())
}

fn is_failure(result: &Json) -> bool {
    result.get("status").and_then(Json::as_u64).is_none_or(|status| status >= 500)
}

impl Counts {
    fn new(rejected: Rejected) -> Self {
        Self { written: 0, skipped: 0, rejected, twice: Twice::default(), line: 0 }
    }

    fn where_to_go_on(&self) -> String {
        format!("{}; go on with --from-line {}", self.words(), self.line + 1)
    }

    fn words(&self) -> String {
        let Self { written, skipped, rejected, line, .. } = self;
        let rejected = rejected.count();
        let skipped = if *skipped > 0 { format!(", {skipped} were there") } else { String::new() };
        format!("up to line {line}: {written} written{skipped}, {rejected} rejected")
    }
}

fn print(context: &Context, counts: &Counts) -> anyhow::Result<()> {
    let Counts { written, skipped, rejected, .. } = counts;
    let rejected = rejected.count();
    let json = json!({ "written": written, "skipped": skipped, "rejected": rejected });
    match context.output.format(Format::Text) {
        Format::Json => context.output.document(&json)?,
        Format::Ndjson => context.output.line(&json.to_string())?,
        Format::Text | Format::Table => {
            let skipped =
                if *skipped > 0 { format!(", {skipped} were there") } else { String::new() };
            context.output.line(&format!("{written} written{skipped}, {rejected} rejected"))?;
        }
    }
    Ok(())
}

/// What time it is at the node: deadlines are as good as its clock. Asked once, when it is needed.
#[derive(Default)]
struct Clock {
    asked: std::cell::OnceCell<(u64, gridkv_http::stopwatch::Stopwatch)>,
}

impl Clock {
    /// Milliseconds until a moment, at least one.
    fn until(&self, context: &Context, moment: u64) -> anyhow::Result<u64> {
        let (then, since) = if let Some(asked) = self.asked.get() {
            *asked
        } else {
            let node = context.client.call(Call::get("/v1/node"))?.json()?;
            let now = node.pointer("/clock/now").and_then(Json::as_str);
            let now = now
                .and_then(gridkv_http::rfc3339::parse)
                .context("the node does not tell the time")?;
            *self.asked.get_or_init(|| (now.0, gridkv_http::stopwatch::Stopwatch::start()))
        };
        let passed = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(moment.saturating_sub(then.saturating_add(passed)).max(1))
    }
}

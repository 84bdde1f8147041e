//! `gridkv stats`: what the stores of a node hold and do, once or again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use gridkv_actors::clock::ClockSource;
use gridkv_http::rfc3339;
use serde_json::{Value as Json, json};

use super::{Context, Exit, Run, plain_settings};
use crate::cli::settings::{Format, Settings, duration};
use crate::client::{Call, ClientError};
use crate::output::{Cell, Paint, Report, Screen, left, right};
use gridkv_http::stopwatch::Stopwatch;

/// Length of the op ring from which on peers lag behind.
const DEEP_RING: u64 = 1_000;

const HELP: &str = "\
Examples:
  gridkv stats
      All stores of a node.
  gridkv stats -s main -o json
      One store with every number that the node tells.
  gridkv stats --watch 2s
      Again every two seconds, with operations per second; Ctrl-C ends it.

RING is what waits for peers; red from 1000 on. HITS is the part of reads that a cache answered.";

/// `gridkv stats`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "More, with examples: gridkv stats --help")]
pub(crate) struct StatsArgs {
    /// Show it again and again, so far apart [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = duration, num_args = 0..=1, default_missing_value = "2s")]
    watch: Option<Duration>,
    #[command(flatten)]
    settings: Settings,
}

impl Run for StatsArgs {
    plain_settings!();

    fn run(self: Box<Self>, context: &Context) -> anyhow::Result<Exit> {
        let only = context.settings.store.as_deref();
        let Some(every) = self.watch else {
            let stores = ask(context, only)?;
            context.output.report(&report(&stores, None), Format::Table)?;
            return Ok(Exit::Done);
        };
        let mut rates = Rates::default();
        watch(context, every, || {
            let stores = ask(context, only)?;
            let since = rates.since(&stores);
            Ok(context.output.rendered(&report(&stores, Some(&since)), Format::Table))
        })
    }
}

/// Shows a block again and again until Ctrl-C; a node that does not answer is said so above what it said before.
pub(crate) fn watch(
    context: &Context,
    every: Duration,
    mut block: impl FnMut() -> Result<String, ClientError>,
) -> anyhow::Result<Exit> {
    context.standing.hold();
    let mut screen = Screen::new(&context.output);
    // What a program reads has no head.
    let has_head = context.output.format(Format::Table) == Format::Table;
    let clock = ClockSource::start();
    let mut last: Option<(String, String)> = None;
    loop {
        let answer = block();
        let now = rfc3339::format(clock.now());
        let head = format!("{}  {now}  every {every:?}; Ctrl-C ends\n", context.client.url());
        match (answer, &last) {
            (Ok(block), _) => {
                screen.show(&if has_head { format!("{head}{block}") } else { block.clone() })?;
                last = Some((now, block));
            }
            // The first time, it is a command that failed; later, a node that may come back.
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some((then, block))) if has_head => {
                screen.show(&format!("{head}no answer: {error}\nold, of {then}:\n{block}"))?;
            }
            (Err(error), Some(_)) => context.output.note(&format!("no answer: {error}")),
        }
        if !context.interrupt.sleep(every) {
            return Ok(Exit::Interrupted);
        }
    }
}

fn ask(context: &Context, only: Option<&str>) -> Result<Vec<Json>, ClientError> {
    if let Some(store) = only {
        let path = format!("/v1/stores/{}/stats", crate::client::encoded(store));
        return Ok(vec![context.client.call(Call::get(path))?.json()?]);
    }
    let reply = context.client.call(Call::get("/v1/stats"))?.json()?;
    Ok(reply.get("stores").and_then(Json::as_array).cloned().unwrap_or_default())
}

fn field<'a>(store: &'a Json, path: &str) -> &'a Json {
    store.pointer(path).unwrap_or(&Json::Null)
}

fn count(store: &Json, path: &str) -> u64 {
    field(store, path).as_u64().unwrap_or(0)
}

fn reads(store: &Json) -> u64 {
    count(store, "/operations/get_hit") + count(store, "/operations/get_miss")
}

fn writes(store: &Json) -> u64 {
    ["put", "delete", "touch"].iter().map(|op| count(store, &format!("/operations/{op}"))).sum()
}

/// Operations per second, reads and writes.
type PerSecond = BTreeMap<String, (f64, f64)>;

/// What was counted the last time.
#[derive(Default)]
struct Rates {
    before: BTreeMap<String, (u64, u64)>,
    at: Option<Stopwatch>,
}

impl Rates {
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one digit")]
    fn since(&mut self, stores: &[Json]) -> PerSecond {
        let seconds = self.at.map(|at| at.elapsed().as_secs_f64());
        self.at = Some(Stopwatch::start());
        let mut rates = PerSecond::new();
        for store in stores {
            let name = field(store, "/store").as_str().unwrap_or_default().to_owned();
            let now = (reads(store), writes(store));
            let before = self.before.insert(name.clone(), now);
            if let (Some(seconds), Some(before)) = (seconds, before) {
                // A node that began anew counts from nothing.
                let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
                rates.insert(name, (rate(now.0, before.0), rate(now.1, before.1)));
            }
        }
        rates
    }
}

fn report(stores: &[Json], rates: Option<&PerSecond>) -> Report {
    let mut columns = vec![
        left("STORE"),
        left("BACKEND"),
        right("KEYS"),
        right("MEMORY"),
        right("DISK"),
        right("RING"),
        right("HITS"),
        right("READS"),
        right("WRITES"),
    ];
    if rates.is_some() {
        columns.extend([right("READS/S"), right("WRITES/S")]);
    }
    let row = |store: &Json| {
        let hits = match field(store, "/cache_hit_rate").as_f64() {
            Some(rate) => Cell::text(rate.to_string()).shown_as(format!("{:.1}%", rate * 100.0)),
            None => Cell::json(&Json::Null),
        };
        let ring = count(store, "/sync_buffer_len");
        let paint = if ring >= DEEP_RING { Paint::Bad } else { Paint::Plain };
        let mut row = vec![
            Cell::json(field(store, "/store")),
            Cell::json(field(store, "/backend")),
            Cell::json(field(store, "/key_count")),
            Cell::bytes(field(store, "/memory_bytes")),
            Cell::bytes(field(store, "/db_size")),
            Cell::painted(ring.to_string(), paint),
            hits,
            Cell::text(reads(store).to_string()),
            Cell::text(writes(store).to_string()),
        ];
        if let Some(rates) = rates {
            let name = field(store, "/store").as_str().unwrap_or_default();
            row.extend(match rates.get(name) {
                Some((reads, writes)) => {
                    [format!("{reads:.1}"), format!("{writes:.1}")].map(Cell::text)
                }
                None => [Cell::json(&Json::Null), Cell::json(&Json::Null)],
            });
        }
        row
    };
    Report {
        columns,
        rows: stores.iter().map(row).collect(),
        document: json!({ "stores": stores }),
        lines: stores.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_since() {
        let store =
            |gets, puts| json!({"store": "main", "operations": {"get_hit": gets, "put": puts}});
        let mut rates = Rates::default();
        assert!(rates.since(&[store(10, 1)]).is_empty());
        let since = rates.since(&[store(30, 1)]);
        assert!(since["main"].0 > 0.0 && since["main"].1 == 0.0, "{since:?}");
        let anew = rates.since(&[store(0, 0)]);
        assert_eq!(anew["main"], (0.0, 0.0));
    }
}

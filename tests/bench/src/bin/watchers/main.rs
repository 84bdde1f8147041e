//! What a thousand who watch, and have nothing to hear, cost a writer.
//!
//! **Measured**: one real node as a process, alone, with a `memory` store `main` and the settings that it has by
//! default. It is written to at a fixed pace, one key at random per request, in turns: while nobody watches; while a
//! thousand watch keys of the same store that begin like none that is written (`elsewhere`); and while they watch
//! keys that stand right behind those that are written, and differ from them in the last digits only (`beside`). Half
//! of them are streams of server-sent events, each with a prefix of its own; half are long polls, each of a key of its
//! own with the version that it has.
//!
//! **Reading it**: turns lie beside each other in rounds; times of writes are from when they were due, and ratios are
//! the medians of the rounds' ratios to the turn without watchers. After each turn it is made sure that every watcher
//! was there to the end and was told nothing. Not measured is what it costs to wake somebody: who watches what is
//! written is told of each write, and that is an answer more.
//!
//! **Aim**: a write takes at most a fifth longer, p50 and mean.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin watchers -- --seconds 5 --rounds 1
//! ```

mod crowd;
mod turn;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::bulk;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::{median, median_ratio, millis, per_second};
use gridkv_bench::load::Tally;
use gridkv_bench::mesh::Plan;
use gridkv_bench::report::{Report, against};
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use crowd::Place;
use turn::Pace;

/// What p50 and mean of writes may grow to, times what they are without watchers.
const AIM: f64 = 1.2;
/// Keys that are written; all are there already.
const KEYS: usize = 100_000;

/// Measures what watchers who have nothing to hear cost a writer.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// How many watch.
    #[arg(long, default_value_t = 1_000)]
    watchers: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Writes per second.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { subject, mut watchers, mut seconds, mut rate, mut rounds } = Arguments::parse();
    let mut keys = KEYS;
    if subject.quick {
        (watchers, seconds, rate, rounds, keys) = (50, 0.5, 500, 1, 1_000);
    }
    let gridkv = &subject.gridkv;
    let node =
        Plan { gridkv, nodes: 1, backend: "memory", proxies: false, settings: &[] }.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bulk::fill(node.address(1), 0..keys + watchers))?;
    let pace = Pace { rate, lasts: Duration::from_secs_f64(seconds), keys, watchers };
    pace.turn(&node, None)?;
    let mut turns = Place::TURNS.map(|place| (place, Vec::new()));
    for round in 0..rounds {
        for (place, all) in &mut turns {
            eprintln!("round {}: watchers {}", round + 1, name(*place));
            all.push(pace.turn(&node, *place)?);
        }
    }
    node.stop()?;
    let mut report = Report::new()?;
    let title = format!("{watchers} watchers who are told nothing, beside {rate} writes/s");
    report.section(&title, &times(&turns), "")?;
    subject.publish("watchers", &report)
}

type Turns = [(Option<Place>, Vec<Tally>); 3];
type Figure = fn(&Distribution) -> Duration;

fn name(place: Option<Place>) -> &'static str {
    place.map_or("none", Place::name)
}

/// One row for each place, one ratio for each figure.
fn times(turns: &Turns) -> Table {
    let mut table = Table::new(&[
        "watchers", "writes/s", "p50 ms", "ratio", "mean ms", "ratio", "p99 ms", "ratio", "aim",
        "refused",
    ]);
    let figures: [(Figure, bool); 3] = [
        (|times| times.per_mille(500), true),
        (Distribution::mean, true),
        (|times| times.per_mille(990), false),
    ];
    let [(_, without), ..] = turns;
    for (place, all) in turns {
        let rate = median(&all.iter().map(Tally::rate).collect::<Vec<_>>());
        let mut cells = vec![name(*place).to_owned(), per_second(rate)];
        for (figure, has_aim) in figures {
            let of = |turns: &[Tally]| {
                let seconds = turns.iter().map(|turn| figure(&turn.times).as_secs_f64());
                seconds.collect::<Vec<_>>()
            };
            let ratio = median_ratio(&of(all), &of(without));
            cells.push(millis(Duration::from_secs_f64(median(&of(all)).max(0.0))));
            cells.push(against(format!("{ratio:.2}"), !has_aim || ratio <= AIM));
        }
        cells.push(place.map_or_else(|| "-".to_owned(), |_| format!("{AIM}")));
        cells.push(all.iter().map(|turn| turn.refused).sum::<usize>().to_string());
        table.row(cells);
    }
    table
}

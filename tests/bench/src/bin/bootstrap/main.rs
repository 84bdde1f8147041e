//! What it takes to fill an empty node, and what that costs the one that it is filled from.
//!
//! **Measured**: a real node with a store `main` of a million keys (16 bytes, values of 100), which is written to at a
//! fixed pace over the same keys, so that its data does not grow. After a while a second, empty node is started
//! that knows it. The clock runs from then until the second node is ready, which it is once it has everything. The
//! times of writes on the first are compared before that and meanwhile. Each round begins anew.
//!
//! **Reading it**: times of writes are from when they were due; the ratio is the median of the rounds' ratios. Memory is
//! what is resident. Of the donor: the most meanwhile, above what it had just before. Of the empty node: the most until it
//! is ready, above what a node without data takes (the donor's, at its start) and the data themselves (as the
//! donor's store counts them). Both nodes and the load share the machine.
//!
//! **Aims**: at most 64 MiB above the data on either side; p99 of writes at most twice what it was before.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin bootstrap -- --keys 100000 --rounds 1
//! ```

mod filling;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::figure::{median, median_ratio, millis};
use gridkv_bench::load::Tally;
use gridkv_bench::report::{Report, against};
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use filling::{Filled, Filling};

/// Bytes above the data that either side may take.
const AIM_BYTES: f64 = 64.0 * MIB;
/// What the p99 of writes may grow to, times what it was.
const AIM_RATIO: f64 = 2.0;

const MIB: f64 = 1024.0 * 1024.0;

/// Measures what it takes to fill an empty node beside a live one.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Keys that the first node has.
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// The backend of both.
    #[arg(long, default_value = "memory")]
    backend: String,
    /// Writes per second on the first node.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Seconds of them before the second node is started.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    if arguments.subject.quick {
        arguments = Arguments { keys: 20_000, seconds: 0.5, rounds: 1, ..arguments };
    }
    let Arguments { subject, keys, backend, rate, seconds, rounds } = &arguments;
    let before = Duration::from_secs_f64(*seconds);
    let filling = Filling { gridkv: &subject.gridkv, backend, keys: *keys, rate: *rate, before };
    let mut all = Vec::new();
    for round in 0..*rounds {
        eprintln!("round {}", round + 1);
        all.push(filling.run()?);
    }
    let mut report = Report::new()?;
    let title = format!("Bootstrap: an empty node beside one with {keys} keys, `{backend}`");
    let note = format!(
        "The data are {:.0} MiB, as the store counts them.",
        of(&all, |one| one.data) / MIB
    );
    report.section(&title, &filled(&all), &note)?;
    let title = format!("Writes on the donor, {rate}/s");
    report.section(&title, &writes(&all), "")?;
    subject.publish("bootstrap", &report)
}

type Figure = fn(&Filled) -> f64;
type Phase = fn(&Filled) -> &Tally;

fn of(all: &[Filled], figure: Figure) -> f64 {
    median(&all.iter().map(figure).collect::<Vec<_>>())
}

fn filled(all: &[Filled]) -> Table {
    let mut table =
        Table::new(&["", "seconds until ready", "MB/s", "MiB above the data", "most", "aim"]);
    let seconds = of(all, |one| one.took.as_secs_f64());
    let speed = of(all, |one| one.content / one.took.as_secs_f64() / 1e6);
    let sides: [(&str, Figure); 2] =
        [("empty node", |one| one.receiver_above), ("donor", |one| one.donor_above)];
    for (place, (side, above)) in sides.into_iter().enumerate() {
        let most = all.iter().map(above).fold(f64::MIN, f64::max);
        let only_first = |shown: String| if place == 0 { shown } else { "-".to_owned() };
        table.row([
            side.to_owned(),
            only_first(format!("{seconds:.1}")),
            only_first(format!("{speed:.0}")),
            format!("{:.1}", of(all, above) / MIB),
            against(format!("{:.1}", most / MIB), most <= AIM_BYTES),
            format!("{:.0}", AIM_BYTES / MIB),
        ]);
    }
    table
}

fn writes(all: &[Filled]) -> Table {
    let mut table = Table::new(&[
        "",
        "writes/s",
        "refused",
        "p50 ms",
        "p99 ms",
        "longest",
        "p99, ratio",
        "aim",
    ]);
    let p99 = |tally: Phase| {
        let p99 = all.iter().map(|one| tally(one).times.per_mille(990).as_secs_f64());
        p99.collect::<Vec<_>>()
    };
    let ratio = median_ratio(&p99(|one| &one.during), &p99(|one| &one.before));
    let phases: [(&str, Phase); 2] =
        [("before", |one| &one.before), ("meanwhile", |one| &one.during)];
    for (place, (phase, tally)) in phases.into_iter().enumerate() {
        let figure = |figure: fn(&Tally) -> f64| {
            median(&all.iter().map(|one| figure(tally(one))).collect::<Vec<_>>())
        };
        let refused: usize = all.iter().map(|one| tally(one).refused).sum();
        let longest = all.iter().map(|one| tally(one).times.longest()).max().unwrap_or_default();
        let time = |rank| {
            let times = all.iter().map(|one| tally(one).times.per_mille(rank).as_secs_f64());
            millis(Duration::from_secs_f64(median(&times.collect::<Vec<_>>()).max(0.0)))
        };
        let only_last = |shown: String| if place == 1 { shown } else { "-".to_owned() };
        table.row([
            phase.to_owned(),
            format!("{:.0}", figure(Tally::rate)),
            refused.to_string(),
            time(500),
            time(990),
            millis(longest),
            only_last(against(format!("{ratio:.2}"), ratio <= AIM_RATIO)),
            only_last(format!("{AIM_RATIO:.0}")),
        ]);
    }
    table
}

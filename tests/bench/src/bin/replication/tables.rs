//! What was measured, as tables.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::{median, median_ratio, millis, per_second};
use gridkv_bench::report::{Report, against};
use gridkv_bench::table::Table;

use crate::paced::{Round, Turn};
use crate::throughput::Series;
use crate::wire::PerOp;

/// Within this time 99 of 100 writes are visible everywhere ...
const AIM_LAG: Duration = Duration::from_millis(25);
/// ... at this many writes per second.
const AIM_LAG_RATE: u32 = 5_000;
/// Bytes per operation above its key and value.
const AIM_OVERHEAD: f64 = 40.0;

/// Rounds at each pace.
type Paces = [(u32, Vec<Round>)];

/// From the acknowledgement on node 1 until visible elsewhere.
pub(crate) fn lag(report: &mut Report, paces: &Paces) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&["writes/s", "node", "p50 ms", "p99 ms", "longest", "aim"]);
    for (rate, rounds) in paces {
        for (place, node) in [2, 3].into_iter().enumerate() {
            let lags = rounds.iter().filter_map(|round| round.three.lag.get(place).cloned());
            let lag = Distribution::joined(lags);
            let (p99, has_aim) = (lag.per_mille(990), *rate == AIM_LAG_RATE);
            table.row([
                pace(*rate, rounds),
                node.to_string(),
                millis(lag.per_mille(500)),
                against(millis(p99), !has_aim || p99 <= AIM_LAG),
                millis(lag.longest()),
                if has_aim { format!("p99 {}", AIM_LAG.as_millis()) } else { "-".to_owned() },
            ]);
        }
    }
    let title = "Lag: from the acknowledgement on node 1 until visible on another";
    Ok(report.section(title, &table, "The time includes the answer to the read that waits.")?)
}

/// On the wire.
pub(crate) fn bytes(report: &mut Report, paces: &Paces) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&[
        "writes/s",
        "bytes per op and peer",
        "overhead",
        "of it at rest",
        "answers",
        "aim for overhead",
    ]);
    for (rate, rounds) in paces.iter().filter(|(rate, _)| *rate > 0) {
        let of = |figure: fn(&PerOp) -> f64| {
            median(&rounds.iter().map(|round| figure(&round.wire)).collect::<Vec<_>>())
        };
        let overhead = of(|wire| wire.overhead);
        table.row([
            pace(*rate, rounds),
            format!("{:.1}", of(|wire| wire.sent)),
            against(format!("{overhead:.1}"), overhead <= AIM_OVERHEAD),
            format!("{:.1}", of(|wire| wire.at_rest)),
            format!("{:.1}", of(|wire| wire.answers)),
            format!("{AIM_OVERHEAD:.0}"),
        ]);
    }
    let note = "Overhead is what is neither key (16) nor value (100): of operations, batches, frames, \
                reports and heartbeats, whose share at rest stands apart.";
    Ok(report.section("Bytes on the wire", &table, note)?)
}

/// Beside the same writes on a node without peers.
pub(crate) fn cost(report: &mut Report, paces: &Paces) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&[
        "writes/s",
        "p50 ms alone",
        "with peers",
        "p99 ms alone",
        "with peers",
        "CPU us alone",
        "with peers",
        "ratio",
        "all three",
    ]);
    for (rate, rounds) in paces.iter().filter(|(rate, _)| *rate > 0) {
        let times = |turn: fn(&Round) -> &Turn| {
            Distribution::joined(rounds.iter().map(|round| turn(round).writes.times.clone()))
        };
        let (alone, three) = (times(|round| &round.alone), times(|round| &round.three));
        let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        let alone_us = of(|round| round.alone.writer_us);
        let three_us = of(|round| round.three.writer_us);
        table.row([
            pace(*rate, rounds),
            millis(alone.per_mille(500)),
            millis(three.per_mille(500)),
            millis(alone.per_mille(990)),
            millis(three.per_mille(990)),
            format!("{:.1}", median(&alone_us)),
            format!("{:.1}", median(&three_us)),
            format!("{:.2}", median_ratio(&three_us, &alone_us)),
            format!("{:.1}", median(&of(|round| round.three.all_us))),
        ]);
    }
    let title = "What peers cost a node that takes single writes";
    Ok(report.section(title, &table, "Ratios above 1 are what the writer spends on its peers.")?)
}

/// As fast as they are answered.
pub(crate) fn batches(
    report: &mut Report,
    all: &[Series; 3],
    puts: usize,
) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&[
        "batches of 500",
        "puts/s",
        "ratio",
        "CPU us",
        "all nodes",
        "lost by the ring",
    ]);
    let [alone, ..] = all;
    for series in all {
        table.row([
            series.way.name().to_owned(),
            per_second(median(&series.rates)),
            format!("{:.2}", median_ratio(&series.rates, &alone.rates)),
            format!("{:.1}", median(&series.writer_us)),
            format!("{:.1}", median(&series.all_us)),
            format!("{:.0}", median(&series.lost)),
        ]);
    }
    let title = format!("Throughput: {puts} puts from one writer, four batches under way");
    Ok(report.section(&title, &table, "")?)
}

/// The pace, as the three nodes really took it.
fn pace(rate: u32, rounds: &[Round]) -> String {
    if rate == 0 {
        return "at rest".to_owned();
    }
    let taken: Vec<f64> = rounds.iter().map(|round| round.three.writes.rate()).collect();
    format!("{rate} ({})", per_second(median(&taken)))
}

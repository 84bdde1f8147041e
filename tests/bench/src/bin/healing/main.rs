//! How soon all nodes are equal after a partition, with writes on both sides of it.
//!
//! **Measured**: three real nodes as processes behind proxies, each with a `memory` store `main`. For a while the
//! proxies carry nothing between node 1 and the other two, as when packets are lost and sent again: connections stay
//! until a node gives them up. Meanwhile node 1 and node 2 are written to at a fixed pace, over the same keys, and all
//! three are read. Then writes end, the links are clear, and the clock runs until every node has everything, and until
//! every node has found its digest to be the same as each peer's. At last keys and versions of all nodes are compared.
//! Twice: with the backlog well within the op log, and with a log so small that catch-up has to bring it.
//!
//! **Reading it**: times of requests are from when they were due. `all there` is when a read with `min_version` of the
//! last write on each side was answered by all three; `digests equal` is when `convergence` of all three named a
//! moment for each peer (nodes compare with every report, so it comes up to a heartbeat later). The backlog is what
//! both sides wrote, keys and values: what is sent may be less, because keys are written more than once.
//!
//! **Aims**: equal within 5 s when the backlog fits the log, else within 10 s + backlog / 20 MB/s; no request is
//! refused on either side.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin healing -- --seconds 10
//! ```

mod partition;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::figure::{float, median, millis, per_second};
use gridkv_bench::report::{Report, against};
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use partition::{Case, Healed, Partition};

/// Within this time all is equal when the backlog fits the log.
const AIM_FITS: Duration = Duration::from_secs(5);
/// Else within this time, and that of carrying it ...
const AIM_EXCEEDS: Duration = Duration::from_secs(10);
/// ... at so many bytes per second.
const AIM_BYTES_PER_SECOND: f64 = 20e6;

/// Measures how soon nodes are equal after a partition.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Seconds of the partition.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Writes per second on each side.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Rounds.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { subject, mut seconds, rate, mut rounds } = Arguments::parse();
    if subject.quick {
        (seconds, rounds) = (2.0, 1);
    }
    let partition = Partition { lasts: Duration::from_secs_f64(seconds), rate };
    let mut cases = Case::ALL.map(|case| (case, Vec::new()));
    for round in 0..rounds {
        for (case, all) in &mut cases {
            eprintln!("round {}: the backlog {}", round + 1, case.name());
            all.push(partition.heal(*case, &subject.gridkv)?);
        }
    }
    let mut report = Report::new()?;
    let title = format!(
        "Healing: a partition of {seconds} s, {rate} writes/s on node 1 and as many on nodes 2 and 3"
    );
    let note = "Keys and versions of all nodes were equal at the end of each round.";
    report.section(&title, &healing(&cases), note)?;
    let note = "What does not fit is caught up by pages; `sessions` are those of all three nodes.";
    report.section("Service during the partition, both sides", &service(&cases), note)?;
    subject.publish("healing", &report)
}

type Cases = [(Case, Vec<Healed>); 2];

fn healing(cases: &Cases) -> Table {
    let mut table = Table::new(&[
        "the backlog",
        "MB",
        "all there, s",
        "digests equal, s",
        "longest",
        "aim",
        "sessions",
    ]);
    for (case, rounds) in cases {
        let of = |figure: fn(&Healed) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        let (backlog, equal) = (of(|one| one.backlog), of(|one| one.equal.as_secs_f64()));
        let longest = equal.iter().copied().fold(0.0, f64::max);
        let aim = aim(*case, median(&backlog));
        table.row([
            case.name().to_owned(),
            format!("{:.1}", median(&backlog) / 1e6),
            format!("{:.2}", median(&of(|one| one.there.as_secs_f64()))),
            format!("{:.2}", median(&equal)),
            against(format!("{longest:.2}"), longest <= aim),
            format!("{aim:.1}"),
            format!("{:.0}", median(&of(|one| one.sessions))),
        ]);
    }
    table
}

fn aim(case: Case, backlog: f64) -> f64 {
    match case {
        Case::Fits => AIM_FITS.as_secs_f64(),
        Case::Exceeds => AIM_EXCEEDS.as_secs_f64() + backlog / AIM_BYTES_PER_SECOND,
    }
}

fn service(cases: &Cases) -> Table {
    let mut table = Table::new(&[
        "the backlog",
        "node",
        "writes/s",
        "p99 ms",
        "longest",
        "reads/s",
        "p99 ms",
        "longest",
        "refused, aim 0",
    ]);
    for (case, rounds) in cases {
        for (place, served) in rounds.iter().flat_map(|one| one.served.iter().enumerate()) {
            let mut cells = vec![case.name().to_owned(), (place + 1).to_string()];
            let tallies = [served.writes.as_ref(), Some(&served.reads)];
            for tally in tallies {
                cells.extend(tally.map_or_else(
                    || ["-", "-", "-"].map(str::to_owned),
                    |tally| {
                        let times = &tally.times;
                        let longest = millis(times.longest());
                        [per_second(tally.rate()), millis(times.per_mille(990)), longest]
                    },
                ));
            }
            let refused: usize = tallies.iter().flatten().map(|tally| tally.refused).sum();
            cells.push(against(format!("{:.0}", float(refused)), refused == 0));
            table.row(cells);
        }
    }
    table
}

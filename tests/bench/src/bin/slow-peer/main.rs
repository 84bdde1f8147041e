//! What a peer that is slow, or stands still, costs the others.
//!
//! **Measured**: three real nodes as processes behind proxies, each with a `memory` store `main`. Node 1 is written to at
//! a fixed pace, in turns while all is well, while every link to and from node 3 carries 1 KiB/s, and while node 3 is stopped
//! (SIGSTOP). Beside it one value after the other is put on node 1, and a read with `min_version` waits for it on node 2.
//! Between two turns node 3 comes back and catches up. Before the first turn the op log of node 1, which keeps
//! operations whether peers lag or not, is filled, and a turn that does not count has made all it needs.
//!
//! **Reading it**: turns lie beside each other in rounds; times of writes are from when they were due, and ratios are the
//! medians of the rounds' ratios to the turn when all is well. Memory is how much more node 1 had at most in a turn than
//! at its beginning, the most of all rounds. What the links carry is held by the proxies no further than 64 KiB.
//!
//! **Aims**: neither the time of writes nor the lag of node 2 grows, which is to say by less than what two turns of the
//! same differ by on a shared machine (p50 by a fifth, p99 by half); memory grows by at most `peers.max_queue_bytes`.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin slow-peer -- --seconds 5 --rounds 1
//! ```

mod turn;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::bulk;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::{median, median_ratio, millis, per_second};
use gridkv_bench::mesh::Plan;
use gridkv_bench::report::{Report, against};
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use turn::{Pace, Plight, Turn};

/// What the p50 may grow to, times what it is while all is well: two turns of the same differ by as much.
const AIM_P50: f64 = 1.2;
/// The same for the p99.
const AIM_P99: f64 = 1.5;
/// `peers.max_queue_bytes` as nodes have it by default.
const AIM_BYTES: f64 = 16.0 * MIB;
/// Puts that fill the op log: more than its 64 MiB.
const FILL: usize = 500_000;

const MIB: f64 = 1024.0 * 1024.0;

/// Measures what a peer that is slow, or stands still, costs the others.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Writes per second.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { subject, mut seconds, mut rate, mut rounds } = Arguments::parse();
    let mut fill = FILL;
    if subject.quick {
        (seconds, rate, rounds, fill) = (1.0, 500, 1, 2_000);
    }
    let gridkv = &subject.gridkv;
    let mesh =
        Plan { gridkv, nodes: 3, backend: "memory", proxies: true, settings: &[] }.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    eprintln!("filling the op log");
    runtime.block_on(bulk::fill(mesh.address(1), 0..fill))?;
    let pace = Pace { rate, lasts: Duration::from_secs_f64(seconds), keys: fill };
    turn::settle(&mesh, &runtime)?;
    pace.turn(&mesh, Plight::Well, &runtime)?;
    let mut turns = Plight::ALL.map(|plight| (plight, Vec::new()));
    for round in 0..rounds {
        for (plight, all) in &mut turns {
            eprintln!("round {}: {}", round + 1, plight.name());
            all.push(pace.turn(&mesh, *plight, &runtime)?);
            turn::settle(&mesh, &runtime)?;
        }
    }
    mesh.stop()?;
    let mut report = Report::new()?;
    let title = format!("A slow peer and a stopped one, beside {rate} writes/s");
    report.section(&title, &times(&turns), "")?;
    let note = "At most, above the beginning of a turn; the aim is `peers.max_queue_bytes`.";
    report.section("Memory of the writer", &memory(&turns), note)?;
    subject.publish("slow-peer", &report)
}

type Turns = [(Plight, Vec<Turn>); 3];
type Times = fn(&Turn) -> &Distribution;

/// One row for each plight, one ratio for each figure.
fn times(turns: &Turns) -> Table {
    let mut table = Table::new(&[
        "node 3",
        "writes/s",
        "p50 ms",
        "ratio",
        "p99 ms",
        "ratio",
        "lag of node 2: p50 ms",
        "ratio",
        "p99 ms",
        "ratio",
        "refused",
    ]);
    let [(_, well), ..] = turns;
    for (plight, all) in turns {
        let rate = median(&all.iter().map(|turn| turn.writes.rate()).collect::<Vec<_>>());
        let mut cells = vec![plight.name().to_owned(), per_second(rate)];
        let times: [Times; 2] = [|turn| &turn.writes.times, |turn| &turn.lag];
        let ranks = [(500, AIM_P50), (990, AIM_P99)];
        for (times, (rank, aim)) in times.iter().flat_map(|times| ranks.map(|rank| (times, rank))) {
            let of = |turns: &[Turn]| {
                let seconds = turns.iter().map(|turn| times(turn).per_mille(rank).as_secs_f64());
                seconds.collect::<Vec<_>>()
            };
            let ratio = median_ratio(&of(all), &of(well));
            cells.push(millis(Duration::from_secs_f64(median(&of(all)).max(0.0))));
            cells.push(against(format!("{ratio:.2}"), ratio <= aim));
        }
        cells.push(all.iter().map(|turn| turn.writes.refused).sum::<usize>().to_string());
        table.row(cells);
    }
    table
}

fn memory(turns: &Turns) -> Table {
    let mut table = Table::new(&["node 3", "MiB more in a turn", "most", "aim"]);
    for (plight, all) in turns {
        let grown: Vec<f64> = all.iter().map(|turn| turn.grown).collect();
        let most = grown.iter().copied().fold(f64::MIN, f64::max);
        let has_aim = *plight != Plight::Well;
        table.row([
            plight.name().to_owned(),
            format!("{:.1}", median(&grown) / MIB),
            against(format!("{:.1}", most / MIB), !has_aim || most <= AIM_BYTES),
            if has_aim { format!("{:.0}", AIM_BYTES / MIB) } else { "-".to_owned() },
        ]);
    }
    table
}

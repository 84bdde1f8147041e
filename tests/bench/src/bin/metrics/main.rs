//! What a scrape takes, and what scrapes cost clients.
//!
//! **Measured**: real nodes as processes. Seven that know each other, with seven stores each on all backends and some
//! keys in every store: the first is asked for `/metrics` again and again, on one connection; and one alone with the
//! same stores, whose `main` is read and written on keep-alive connections, each with one request under way, in turns:
//! while nobody scrapes it, and while somebody does each second, beginning with the turn.
//!
//! **Reading it**: a scrape is from the request to the last byte of the answer, with six other nodes on the same
//! machine that do nothing but beat; `CPU ms` is the processor time of the node for each, without what it takes when
//! it is not asked. Turns lie beside each other in rounds, and each ratio is the median of the rounds'
//! ratios to the turn without scrapes: noise of the machine is in both.
//!
//! **Aim**: a scrape under 5 ms, p50 and p99.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin metrics -- --rounds 3
//! ```

mod contest;
mod nodes;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::connection::Connection;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::{bytes, float, millis};
use gridkv_bench::report::{Report, against};
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use contest::Contest;
use nodes::Nodes;

/// What a scrape may take.
const AIM: Duration = Duration::from_millis(5);

/// How long the node is watched while nobody asks.
const QUIET: Duration = Duration::from_secs(3);

/// Measures scrapes.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Nodes that know each other.
    #[arg(long, default_value_t = 7)]
    nodes: u16,
    /// Scrapes of one of them.
    #[arg(long, default_value_t = 2_000)]
    scrapes: usize,
    /// Keys in each store.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Keep-alive connections of the generator.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Rounds.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    if arguments.subject.quick {
        arguments = Arguments {
            nodes: 3,
            scrapes: 20,
            keys: 200,
            rounds: 1,
            seconds: 0.3,
            connections: 4,
            ..arguments
        };
    }
    let Arguments { subject, nodes, scrapes, keys, connections, rounds, seconds } = arguments;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new()?;

    let mesh = Nodes::start(&subject.gridkv, nodes)?;
    runtime.block_on(mesh.fill(keys))?;
    let scraped = runtime.block_on(scrape(&mesh, scrapes))?;
    mesh.stop()?;
    let peers = nodes - 1;
    let title = format!("A scrape of a node with {} stores and {peers} peers", nodes::STORES.len());
    report.section(&title, &scraped, "")?;

    let alone = Nodes::start(&subject.gridkv, 1)?;
    runtime.block_on(alone.fill(keys))?;
    let lasts = Duration::from_secs_f64(seconds);
    let contest = Contest { addr: alone.address(1), connections, keys, lasts };
    let table = contest.measure(&runtime, rounds)?;
    alone.stop()?;
    report.section("Clients of a node that is scraped each second", &table, "")?;
    subject.publish("metrics", &report)
}

/// Asks the first node again and again.
async fn scrape(mesh: &Nodes, scrapes: usize) -> Result<Table, Box<dyn Error>> {
    let mut connection = Connection::open(mesh.address(1)).await?;
    let (mut times, mut size, mut series) = (Distribution::default(), 0, 0);
    let process = mesh.process(1)?;
    let quiet = process.cpu()?;
    tokio::time::sleep(QUIET).await;
    let before = process.cpu()?;
    let quiet = before.saturating_sub(quiet).as_secs_f64() / QUIET.as_secs_f64();
    let all = Stopwatch::start();
    for _ in 0..scrapes {
        let begun = Stopwatch::start();
        let answer = connection.get("/metrics").await?;
        times.note(begun.elapsed());
        if answer.status != 200 {
            return Err(format!("a scrape was answered {}", answer.status).into());
        }
        size = answer.body.len();
        let lines = answer.body.split(|byte| *byte == b'\n');
        series = lines.filter(|line| line.first().is_some_and(|first| *first != b'#')).count();
    }
    let spent = process.cpu()?.saturating_sub(before).as_secs_f64();
    let spent = (spent - quiet * all.elapsed().as_secs_f64()) / float(scrapes);
    let mut table = Table::new(&[
        "scrapes",
        "series",
        "KiB",
        "CPU ms",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "aim",
    ]);
    let within = |rank| {
        let time = times.per_mille(rank);
        against(millis(time), time <= AIM)
    };
    table.row([
        times.count().to_string(),
        series.to_string(),
        format!("{:.0}", bytes(u64::try_from(size)?) / 1_024.0),
        format!("{:.2}", spent * 1e3),
        within(500),
        within(990),
        millis(times.longest()),
        format!("{:.0}", float(usize::try_from(AIM.as_millis())?)),
    ]);
    Ok(table)
}

//! What clients that are slow, stand still or do not listen cost a good one, and how soon each is let go.
//!
//! **Measured**: one real node as a process, alone, with a `memory` store `main`. A good client reads and writes at a
//! fixed pace over connections that it keeps, in turns: while all is well, and beside bad clients of one kind each,
//! who come again as soon as they are let go, so that as many are there all the time:
//!
//! - `slow head`: a byte of a request's head now and then;
//! - `slow next head`: the same, after a request that was whole and was answered;
//! - `slow body`: a body of one byte per second;
//! - `stalled body`: a body that does not go on;
//! - `unread`: requests for a large value, as many as the node takes, and no answer is ever read;
//! - `idle`: many more connections on which nothing is said, half of them ever, half of them after a request.
//!
//! The node has the settings that it has by default, but for those that make a turn short (`http.head_timeout`,
//! `http.body_timeout` and `http.keep_alive` are three seconds instead of 5, 30 and 75) and `http.max_connections`,
//! which by default is less than the idle connections need.
//!
//! **Reading it**: each turn beside bad clients has one of its own in which all is well, before it and after it by
//! turns, and each begins a second after the one before; times of the good client's requests are from when they were
//! due, and ratios are the medians of the rounds' ratios between the two. The good client begins when all bad ones are
//! there. How soon one was let go is how long it took from when its deadline began until it saw the end of its
//! connection: the soonest and the latest of all rounds. `allowed` is what the node promises: the deadline, and for
//! bodies, whose clients are told that they are refused, the five seconds that they have to read that, by the
//! framework's clock, which may be half a second early. Memory is how much more the node had at most in a turn than
//! before it, the most of all rounds. A connection of the good client that breaks ends the benchmark. Bad clients get
//! the processor when nobody else wants it: what they take of it themselves is no cost of the node.
//!
//! **Aims**: the good client's p99 at most doubles, none of its requests is refused, and all bad clients are let go
//! no more than two seconds later than promised.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin bad-clients -- --seconds 2 --rounds 1
//! ```

mod crowd;
mod plight;
mod turn;

use std::error::Error;
use std::fs;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::figure::{median, median_ratio, millis};
use gridkv_bench::mesh::{Mesh, Plan};
use gridkv_bench::report::{Report, against};
use gridkv_bench::subject::Subject;
use gridkv_bench::table::Table;

use plight::Plight;
use turn::{Pace, Turn};

/// What the good client's p99 may grow to, times what it is while all is well.
const AIM_P99: f64 = 2.0;
/// How much later than promised a bad client may be let go.
const AIM_LATE: Duration = Duration::from_secs(2);
/// Open files that either process needs beside those of bad clients.
const MORE_FILES: usize = 500;

const MIB: f64 = 1024.0 * 1024.0;

/// Measures what bad clients cost a good one.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// The good client's requests per second, half reads, half writes.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Bad clients at a time.
    #[arg(long, default_value_t = 200)]
    bad: usize,
    /// Idle connections at a time.
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// Rounds.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Beside these bad clients only.
    #[arg(long, value_enum)]
    beside: Vec<Plight>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    let mut deadline = Duration::from_secs(3);
    if arguments.subject.quick {
        deadline = Duration::from_secs(1);
        arguments =
            Arguments { seconds: 0.5, rate: 500, bad: 20, idle: 100, rounds: 1, ..arguments };
    }
    let Arguments { subject, seconds, rate, bad, idle, rounds, beside } = &arguments;
    may_open(bad.max(idle) + MORE_FILES)?;
    let (brief, most) = (format!("{}s", deadline.as_secs()), (bad.max(idle) * 2).to_string());
    let settings = [
        ("GRIDKV_HTTP__HEAD_TIMEOUT", brief.as_str()),
        ("GRIDKV_HTTP__BODY_TIMEOUT", &brief),
        ("GRIDKV_HTTP__KEEP_ALIVE", &brief),
        ("GRIDKV_HTTP__MAX_CONNECTIONS", &most),
    ];
    let gridkv = &subject.gridkv;
    let node = Plan { gridkv, nodes: 1, backend: "memory", proxies: false, settings: &settings }
        .start()?;
    turn::prepare(&node)?;
    let lasts = Duration::from_secs_f64(*seconds);
    let pace = Pace { rate: *rate, lasts, deadline, bad: *bad, idle: *idle };
    pace.well(&node)?;
    let is_meant = |plight| beside.is_empty() || beside.contains(&plight);
    let meant = Plight::ALL.into_iter().filter(|plight| is_meant(*plight));
    let mut trials: Vec<_> = meant.map(|plight| Trial { plight, pairs: Vec::new() }).collect();
    for round in 0..*rounds {
        for trial in &mut trials {
            eprintln!("round {}: {}", round + 1, trial.plight.name());
            trial.pairs.push(pair(pace, &node, trial.plight, round)?);
        }
    }
    node.stop()?;
    let mut report = Report::new()?;
    let title = format!("A good client, {rate} requests/s, beside bad ones");
    report.section(&title, &good(&trials), "")?;
    let title = format!("How soon bad clients are let go, with deadlines of {brief}");
    let aim = format!("The aim is at most {} s more than allowed.", AIM_LATE.as_secs());
    report.section(&title, &let_go(&trials, deadline), &aim)?;
    subject.publish("bad-clients", &report)
}

/// Refuses to begin where a process may not have so many files open: connections that can not be made
/// would look like a fault of the node.
fn may_open(files: usize) -> Result<(), Box<dyn Error>> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).ok_or("no limit of files")?;
    // `unlimited` is enough.
    match soft.parse::<usize>() {
        Ok(soft) if soft < files => Err(format!(
            "{files} open files are needed, and a process here may have {soft}: \
             run `ulimit -n {files}` in this shell first, or take fewer with --idle"
        )
        .into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// One kind of bad clients, and what was seen in each round.
struct Trial {
    plight: Plight,
    pairs: Vec<Pair>,
}

/// Two turns, one after the other or the other way round.
struct Pair {
    well: Turn,
    beside: Turn,
}

/// Both turns of a round.
fn pair(pace: Pace, node: &Mesh, plight: Plight, round: usize) -> Result<Pair, Box<dyn Error>> {
    if round.is_multiple_of(2) {
        let well = pace.well(node)?;
        Ok(Pair { well, beside: pace.beside(node, plight)? })
    } else {
        let beside = pace.beside(node, plight)?;
        Ok(Pair { well: pace.well(node)?, beside })
    }
}

/// One row for when all was well, and one for each plight.
fn good(trials: &[Trial]) -> Table {
    let mut table = Table::new(&[
        "beside",
        "at a time",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "ratio",
        "aim",
        "refused",
        "MiB more",
    ]);
    let pairs = || trials.iter().flat_map(|trial| &trial.pairs);
    let well: Vec<&Turn> = pairs().map(|pair| &pair.well).collect();
    table.row(row("well", &well, ["1.00".to_owned(), "-".to_owned()]));
    for Trial { plight, pairs } in trials {
        let well: Vec<&Turn> = pairs.iter().map(|pair| &pair.well).collect();
        let beside: Vec<&Turn> = pairs.iter().map(|pair| &pair.beside).collect();
        let ratio = median_ratio(&seconds(&beside, 990), &seconds(&well, 990));
        let ratio = against(format!("{ratio:.2}"), ratio <= AIM_P99);
        table.row(row(plight.name(), &beside, [ratio, format!("{AIM_P99:.0}")]));
    }
    table
}

/// What the good client saw in these turns.
fn row(beside: &str, turns: &[&Turn], [ratio, aim]: [String; 2]) -> [String; 9] {
    let time = |rank| millis(Duration::from_secs_f64(median(&seconds(turns, rank)).max(0.0)));
    let rate = median(&turns.iter().map(|turn| turn.good.rate()).collect::<Vec<_>>());
    let refused: usize = turns.iter().map(|turn| turn.good.refused).sum();
    let grown = turns.iter().map(|turn| turn.grown).fold(0.0, f64::max);
    let at_a_time = turns.first().map_or(0, |turn| turn.at_a_time);
    [
        beside.to_owned(),
        at_a_time.to_string(),
        format!("{rate:.0}"),
        time(500),
        time(990),
        ratio,
        aim,
        against(refused.to_string(), refused == 0),
        format!("{:.1}", grown / MIB),
    ]
}

/// The time in which so many of a thousand requests were answered, in each turn.
fn seconds(turns: &[&Turn], rank: usize) -> Vec<f64> {
    turns.iter().map(|turn| turn.good.times.per_mille(rank).as_secs_f64()).collect()
}

/// One row for each plight.
fn let_go(trials: &[Trial], deadline: Duration) -> Table {
    let mut table = Table::new(&["bad clients", "came", "let go", "after s", "at most", "allowed"]);
    for Trial { plight, pairs } in trials {
        let tolls = || pairs.iter().map(|pair| &pair.beside.toll);
        let came: usize = tolls().map(|toll| toll.came).sum();
        let gone = tolls().flat_map(|toll| toll.let_go.iter().copied());
        let count = gone.clone().count();
        let (soonest, latest) = (gone.clone().min(), gone.max());
        let allowed = plight.allowed(deadline);
        let shown = |time: Option<Duration>| {
            time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
        };
        let in_time = latest.is_none_or(|latest| latest <= allowed + AIM_LATE);
        table.row([
            plight.name().to_owned(),
            came.to_string(),
            against(count.to_string(), count == came),
            shown(soonest),
            against(shown(latest), in_time),
            format!("{:.0}", allowed.as_secs_f64()),
        ]);
    }
    table
}

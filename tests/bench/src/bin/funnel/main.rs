//! What the record funnel costs above the map that it stands on, without actors and without HTTP.
//!
//! **Measured**: puts through `StoreWriter::stage` and `commit` on the `memory` backend (a version is
//! minted, the standing record judged, the op ring fed, counts kept), against `RecordMap::put` of an
//! equal record (the map under that backend) and against an upsert into a bare `scc::HashMap`; gets
//! through `StoreReader::get` against `RecordMap::get` and the bare map. `backends` holds all five
//! backends against bare libraries; here it is seen where the time of `memory` goes. Keys of 16 bytes, values of
//! 100, in random order, all there before the first round: puts overwrite. Making the key and the value
//! belongs to every put, as to every request. `batch` is staged in one go and committed; `atomic batch` is
//! checked whole before.
//!
//! **The ring** overflows by default: nobody drains it, so each push also drops the oldest op on the
//! same thread, which is the dearest case. `--drain` empties it from a second thread, as a publisher
//! would; that needs a core of its own.
//!
//! **Reading it**: times are medians over rounds, per record. Contenders take turns within each round,
//! and each ratio is the median of the rounds' ratios: speed of the funnel as a share of the map's
//! (1.00 is as fast).
//!
//! ```text
//! cargo run --release -p gridkv-bench --bin funnel -- --keys 10000,1000000 --rounds 9
//! ```

mod bare;
mod contest;
mod drain;

use std::error::Error;

use clap::Parser;
use gridkv_bench::figure::{median, median_ratio, per_second};
use gridkv_bench::screen;
use gridkv_bench::table::Table;

use contest::{Contest, Outcome};

/// Measures the record funnel against bare maps.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of keys, one table each.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    keys: Vec<usize>,
    /// Rounds per table.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Records that each contender puts, and gets, in a round.
    #[arg(long, default_value_t = 100_000)]
    records: usize,
    /// Slots of the op ring.
    #[arg(long, default_value_t = 8_192)]
    ring: usize,
    /// Empty the ring from a second thread instead of letting it overflow.
    #[arg(long)]
    drain: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { keys, rounds, records, ring, drain } = Arguments::parse();
    for keys in keys {
        let contest = Contest { keys, records, ring, drain };
        let outcomes = contest.run(rounds)?;
        let ring = if drain { "drained beside" } else { "overflowing" };
        screen::line(format_args!("\n### Funnel: {keys} keys, ring {ring}\n"))?;
        screen::line(render(&outcomes))?;
    }
    Ok(())
}

fn render(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[
        "per record",
        "funnel ns",
        "funnel ops/s",
        "RecordMap ns",
        "scc ns",
        "funnel / RecordMap",
        "funnel / scc",
    ]);
    for Outcome { name, funnel, map, scc } in outcomes {
        table.row([
            (*name).to_owned(),
            format!("{:.0}", median(funnel)),
            per_second(1e9 / median(funnel)),
            format!("{:.0}", median(map)),
            format!("{:.0}", median(scc)),
            format!("{:.2}", median_ratio(map, funnel)),
            format!("{:.2}", median_ratio(scc, funnel)),
        ]);
    }
    table
}

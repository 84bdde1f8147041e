//! How soon a write is visible on the other nodes.
//!
//! **Measured**: three real nodes as processes, each with a `memory` store `main`. A value is put on
//! node 1; from the moment its acknowledgement is read, one keep-alive connection to node 2 and one to
//! node 3 ask for the key, as fast as they are answered, until the new value comes. First at rest (one
//! write at a time), then beside a paced load of writes on node 1 from another thread. At last
//! a flood: so many puts in batches of 500, until all nodes have them all.
//!
//! **Reading it**: the time noted is when the answer with the new value was read, so it is too long by up to
//! one poll; `poll` says how long these are. Nodes, load and measurement share the machine: with few
//! cores the scheduler is part of every time. `load/s` is what the nodes really took. A flood that is
//! faster than the publisher drains the op ring loses ops there; they arrive by catch-up, later.
//!
//! **Aim**: 99 of 100 writes visible everywhere within 25 ms at 5,000 writes/s.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin replication -- --rate 5000 --samples 500
//! ```

mod flood;
mod load;
mod nodes;
mod visibility;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::figure::{millis, per_second};
use gridkv_bench::screen;
use gridkv_bench::table::Table;

use flood::Flood;
use load::Load;
use nodes::Nodes;
use visibility::{Seen, Visibility};

/// Measures how soon a write on one node is visible on two others.
#[derive(Debug, Parser)]
struct Arguments {
    /// The node program.
    #[arg(long, value_name = "PATH", default_value = "target/release/gridkv")]
    gridkv: PathBuf,
    /// Writes whose way is measured, at rest and again under load.
    #[arg(long, default_value_t = 500)]
    samples: usize,
    /// Milliseconds between two of them, on average.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    spacing: u64,
    /// Writes per second of the load.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Keep-alive connections of the load.
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Puts of the flood.
    #[arg(long, default_value_t = 100_000)]
    flood: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let nodes = Nodes::start(&arguments.gridkv)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let visibility = Visibility {
        addresses: nodes.addresses(),
        samples: arguments.samples,
        spacing: Duration::from_millis(arguments.spacing),
    };
    eprintln!("at rest");
    let rest = runtime.block_on(visibility.measure())?;
    eprintln!("under load");
    let load = Load::start(nodes.addresses()[0], arguments.rate, arguments.connections);
    let busy = runtime.block_on(visibility.measure());
    let taken = load.stop()?;
    eprintln!("flood");
    let flood = flood::run(&nodes, arguments.flood, &runtime)?;
    nodes.stop()?;

    screen::line(
        "\n### Replication: from the acknowledgement on node 1 until visible elsewhere, ms\n",
    )?;
    let mut table =
        Table::new(&["load", "load/s", "node", "p50", "p99", "max", "poll p50", "poll p99"]);
    rows(&mut table, "at rest", 0.0, &rest);
    rows(&mut table, "writes", taken, &busy?);
    screen::line(table)?;
    let Flood { ops, acknowledged, arrived, lost_by_ring } = flood;
    screen::line(format_args!(
        "{ops} puts in batches: acknowledged after {} ms, on all nodes after {} ms; the op ring lost {lost_by_ring}.",
        millis(acknowledged),
        millis(arrived)
    ))?;
    Ok(())
}

fn rows(table: &mut Table, load: &str, rate: f64, seen: &[Seen; 2]) {
    for (Seen { after, polls }, node) in seen.iter().zip(["2", "3"]) {
        table.row([
            load.to_owned(),
            per_second(rate),
            node.to_owned(),
            millis(after.per_mille(500)),
            millis(after.per_mille(990)),
            millis(after.longest()),
            millis(polls.per_mille(500)),
            millis(polls.per_mille(990)),
        ]);
    }
}

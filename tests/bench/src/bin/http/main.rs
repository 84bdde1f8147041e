//! What a node costs above an HTTP handler that does nothing, and a batch over HTTP above the same
//! batch put straight into the store.
//!
//! **Measured**: one process runs a real node (one `memory` store, alone, ready, served by
//! `gridkv_http`) and, on another port, an actix-web server with as many workers whose handlers answer
//! a constant 100 bytes to `GET` and read the body of a `PUT`. A second process, this program again,
//! is the load generator: one thread, keep-alive connections, each with one request under way, random
//! ones of 10,000 keys. Batches of 100 puts go to the node as JSON and as MessagePack, and from as many
//! tasks on one thread straight into the `StoreHandle`.
//!
//! **Reading it**: node and constant handler take turns within each round. Figures are medians over
//! rounds, and each ratio is the median of the rounds' ratios. `ops/s` counts puts, also within batches. `CPU us` is
//! processor time of the serving process per request (per batch), without the generator's: it does not
//! care what else the machine does, where throughput does. On a machine with few cores the generator
//! takes time from the servers, from both alike, so throughput ratios come out nearer to 1 than on a
//! large one; the CPU ratio does not. A single-threaded generator can also be what limits a server with
//! many workers: then throughput says nothing, and CPU does.
//!
//! **Aims**: GET at 0.85 and PUT at 0.75 of the constant handler's throughput, batches at 0.50 of
//! straight ones.
//!
//! ```text
//! cargo run --release -p gridkv-bench --bin http -- --workers 1 --connections 64 --rounds 31
//! ```

mod batches;
mod constant;
mod contest;
mod generator;
mod node;
mod straight;
mod tally;

use std::error::Error;

use clap::{Args, Parser, Subcommand};

/// Measures a node's HTTP interface against a constant handler.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    task: Option<Task>,
}

/// How it is measured.
#[derive(Clone, Copy, Debug, Args)]
struct Settings {
    /// Threads of each server.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Keep-alive connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Keys.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Rounds.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Seconds that each contender works in a round.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The second process: sends requests and prints what it counted.
    #[command(hide = true)]
    Generate(generator::Order),
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { settings, task } = Arguments::parse();
    match task {
        Some(Task::Generate(order)) => generator::run(&order),
        None => actix_rt::System::new().block_on(contest::run(settings)),
    }
}

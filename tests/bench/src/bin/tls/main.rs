//! What TLS and tokens cost clients, and TLS the links between nodes.
//!
//! **Measured**: four clusters of real nodes as processes, each with a `memory` store `main`. Two are of one node, which
//! serves plain HTTP without tokens, or HTTPS to those who have one; the same requests go to both, in turns: gets
//! and puts of random keys on keep-alive connections, each with one request under way, and gets on a connection of
//! their own each. Two are of three nodes, whose links are plain, or TLS with certificates on both sides; the same
//! batches go to the first node of each, in turns, until all have all, and answered once both others have them.
//! Certificates, tokens and settings are those of `gridkv init`.
//!
//! **Reading it**: nodes and generator share the machine, and the generator speaks TLS too: with few cores
//! throughput falls by what both take. `CPU us` is processor time per request (per put) of the node that took it,
//! without the generator's. Figures are medians over rounds, and each ratio is the median of the rounds' ratios.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin tls -- --rounds 3
//! ```

mod clients;
mod links;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::report::Report;
use gridkv_bench::subject::Subject;

/// Measures what TLS and tokens take.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Keep-alive connections of the generator.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Keys.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Rounds.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of a turn of clients.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Puts of a turn of links.
    #[arg(long, default_value_t = 200_000)]
    puts: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    if arguments.subject.quick {
        arguments = Arguments { rounds: 1, seconds: 0.2, keys: 500, puts: 2_000, ..arguments };
    }
    let Arguments { subject, connections, keys, rounds, seconds, puts } = &arguments;
    let clients = clients::Clients {
        connections: *connections,
        keys: *keys,
        lasts: Duration::from_secs_f64(*seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new()?;
    clients.measure(subject, &runtime, *rounds, &mut report)?;
    links::measure(subject, &runtime, (*rounds, *puts), &mut report)?;
    subject.publish("tls", &report)
}

//! How soon a write is visible on the other nodes, and what replication costs: bytes on the wire, processor time,
//! throughput.
//!
//! **Measured**: three real nodes as processes and a fourth one alone, each with a `memory` store `main`. The same
//! writes go to the first of the three and to the one alone, in turns: at a fixed pace, then in batches as fast as
//! they are answered. Beside the pace one value after the other is put on the first node; from the moment its
//! acknowledgement is read, a read with `min_version` waits on each of the others until the value is there.
//!
//! **Reading it**: nodes, load and measurement share the machine: with few cores the scheduler is part of every
//! time. `writes/s` is what the nodes really took. Times of writes are from when they were due. Bytes are those of
//! frames, as the nodes count them (TCP and IP come on top), over operations as they were sent: what was
//! overwritten within a batch is not sent. `at rest` is the share that goes over the same link while nobody writes
//! (heartbeats and reports), measured in the same round; it is included in what stands before it. Answers are what
//! comes back from a peer, reports of its own included. `CPU us` is processor time per write, of the node that takes it
//! and of all three. Batches that nobody waits for may be faster than the publisher drains the op ring: what it
//! lost arrived by catch-up.
//!
//! **Aims**: 99 of 100 writes visible everywhere within 25 ms at 5,000 writes/s; at most 40 bytes per operation
//! above its key and value.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin replication -- --rates 5000 --rounds 1
//! ```

mod paced;
mod tables;
mod throughput;
mod wire;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::mesh::{Mesh, Plan};
use gridkv_bench::report::Report;
use gridkv_bench::subject::Subject;
use tokio::runtime::Runtime;

use paced::{Paced, Round};
use throughput::{Series, Way};
use wire::Wire;

/// Measures what replication takes, and how soon it is done.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Writes per second.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 20_000])]
    rates: Vec<u32>,
    /// Rounds.
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Seconds of a turn at one pace.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Puts of a turn in batches.
    #[arg(long, default_value_t = 200_000)]
    puts: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    if arguments.subject.quick {
        let usual = arguments;
        let rates = usual.rates.into_iter().take(1).collect();
        arguments = Arguments { rates, rounds: 1, seconds: 0.3, puts: 2_000, ..usual };
    }
    let contenders = Contenders::start(&arguments.subject)?;
    // The first pace is none: only the writes whose way is measured.
    let rates: Vec<u32> = std::iter::once(0).chain(arguments.rates.iter().copied()).collect();
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); rates.len()];
    let mut batches = Way::ALL.map(Series::new);
    for number in 0..arguments.rounds {
        eprintln!("round {}", number + 1);
        let idle = Wire::at_rest(&contenders.three, arguments.seconds)?;
        for (rate, rounds) in rates.iter().zip(&mut rounds) {
            let paced = Paced { rate: *rate, lasts: Duration::from_secs_f64(arguments.seconds) };
            rounds.push(paced.round(&contenders, idle)?);
        }
        throughput::round(&contenders, &mut batches, (number, arguments.puts))?;
    }
    contenders.three.stop()?;
    contenders.alone.stop()?;
    let mut report = Report::new()?;
    let paces: Vec<_> = rates.into_iter().zip(rounds).collect();
    tables::lag(&mut report, &paces)?;
    tables::bytes(&mut report, &paces)?;
    tables::cost(&mut report, &paces)?;
    tables::batches(&mut report, &batches, arguments.puts)?;
    arguments.subject.publish("replication", &report)
}

/// Who takes turns, and what the requests are made on.
struct Contenders {
    three: Mesh,
    alone: Mesh,
    runtime: Runtime,
}

impl Contenders {
    fn start(subject: &Subject) -> Result<Self, Box<dyn Error>> {
        let plan = |nodes| Plan {
            gridkv: &subject.gridkv,
            nodes,
            backend: "memory",
            proxies: false,
            settings: &[],
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { three: plan(3).start()?, alone: plan(1).start()?, runtime })
    }
}

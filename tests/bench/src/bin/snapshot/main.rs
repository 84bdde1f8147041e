//! How long a store takes to go out as a file and to come back, and what that costs its node.
//!
//! **Measured**: real nodes as processes, with a store `main` of each backend. One with a million keys (16 bytes,
//! values of 100) is downloaded over HTTP into a file: as frames and as lines of JSON, by a client that takes its
//! time, and beside a steady writer. The frames are then put into a node without data, and into one of two nodes that
//! have 100,000 other keys and are written to (keys of the file, whose values stay), which keep their other keys
//! (`merge`) or lose them (`replace`). And they are put into a node with one bit flipped. All of it begins anew in
//! each round; files are in the directory for temporary ones.
//!
//! **Checked**: an error ends the run when any key or value is not as it was (by a sum of hashes of a download in
//! lines; versions are minted anew), when `key_count` is another, when the two nodes do not find their digests to be
//! the same or differ in any version, and when a flipped bit is not refused with 400 `snapshot_corrupt` that names a
//! place within a frame before it, or anything changed.
//!
//! **Reading it**: memory is what is resident, at most, meanwhile, above what is at rest. Of a download that is what
//! the node had when all had been read and walked once, so that an engine's caches were full. Of an upload
//! it is what the data took in the first node, where they came in batches and nothing had been read, or what the node
//! keeps afterwards, if that is less: so what a live node has beside the data, other keys and what a peer costs,
//! counts too. `equal after` is from the end of upload and writes until both nodes have found their digests to be the
//! same. Times of writes are from when they were due; ratios are the medians of the rounds' ratios. Nodes, load and
//! whoever measures share the machine.
//!
//! **Aims**: at most 64 MiB of memory above the data, either way.
//!
//! ```text
//! cargo build --release -p gridkv
//! cargo run --release -p gridkv-bench --bin snapshot -- --keys 100000 --rounds 1 --backend memory
//! ```

mod case;
mod contents;
mod damage;
mod download;
mod head;
mod source;
mod tables;
mod target;
mod upload;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use gridkv_bench::report::Report;
use gridkv_bench::subject::Subject;

use case::Case;
use tables::{Backend, Turns};

/// Measures a store on its way out as a file, and back.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// A backend; may be given several times.
    #[arg(long = "backend", value_name = "BACKEND", default_values = ["memory", "fjall"])]
    backends: Vec<String>,
    /// Keys of the snapshot.
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// Other keys of a node that it is put into.
    #[arg(long, default_value_t = 100_000)]
    others: usize,
    /// Writes per second beside.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Seconds of them before.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// MB per second that a slow reader takes.
    #[arg(long, default_value_t = 10.0)]
    slow: f64,
    /// Rounds.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::parse();
    if arguments.subject.quick {
        arguments = Arguments { keys: 20_000, others: 2_000, seconds: 0.5, rounds: 1, ..arguments };
    }
    let mut backends: Vec<Backend> = Vec::new();
    for backend in &arguments.backends {
        let case = arguments.case(backend);
        let mut outcomes = Vec::new();
        for round in 0..arguments.rounds {
            eprintln!("round {}", round + 1);
            outcomes.push(case.run()?);
        }
        backends.push((backend.clone(), outcomes));
    }
    let report = arguments.report(&backends)?;
    arguments.subject.publish("snapshot", &report)
}

impl Arguments {
    fn case<'a>(&'a self, backend: &'a str) -> Case<'a> {
        Case {
            gridkv: &self.subject.gridkv,
            backend,
            keys: self.keys,
            others: self.others,
            rate: self.rate,
            before: Duration::from_secs_f64(self.seconds),
            slow: self.slow * 1e6,
        }
    }

    fn report(&self, backends: &[Backend]) -> Result<Report, Box<dyn Error>> {
        let Self { keys, others, rate, slow, .. } = self;
        let (downloads, uploads): (Turns, Turns) = (|it| &it.downloads, |it| &it.uploads);
        let mut report = Report::new()?;
        let title = format!("A snapshot of {keys} keys goes out");
        let note = format!("A slow reader takes {slow:.0} MB/s.");
        report.section(&title, &tables::transfers(backends, downloads), &note)?;
        let note = format!(
            "A live node has {others} other keys, one peer, and a steady writer. Keys, values and counts were \
             found to be equal, on both nodes."
        );
        report.section("It comes in, as frames", &tables::transfers(backends, uploads), &note)?;
        let title = format!("A steady writer meanwhile, {rate}/s");
        report.section(&title, &tables::writers(backends, &[downloads, uploads]), "")?;
        let note = "All were answered 400 `snapshot_corrupt`, in both modes, and changed nothing.";
        report.section("One flipped bit", &tables::refusals(backends), note)?;
        Ok(report)
    }
}

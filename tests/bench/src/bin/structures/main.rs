//! Decides which in-memory structure GridKV's `memory` backend stands on.
//!
//! The backend has one writer and many readers, must answer point reads beside
//! that writer, walk every key in order page by page, and ideally walk a
//! picture of one instant. This program holds every structure that could do it
//! to the same workload and prints one markdown table per number of keys.
//!
//! ```text
//! cargo run --release -p gridkv-bench --bin structures -- --keys 10000,1000000 --rounds 3
//! cargo run --release -p gridkv-bench --bin structures -- --only papaya --rounds 1
//! ```
//!
//! How to read it: every figure is the median over the rounds, and the figure in
//! brackets is its ratio to the best candidate in that column (1.0 is best).
//! Each measurement of a candidate runs in a fresh child process, so that no
//! candidate inherits another's heap. A put includes making the key and the
//! record, as a request would. "Lost" columns count correctness failures: a key
//! that is always present, yet a read or a walk beside the writer did not see it.
//! The "blocked" columns carry scheduler noise on a busy machine: compare the
//! longest put beside a walk with the longest put of the same writer alone.

mod arguments;
mod candidate;
mod key_order;
mod measure;
mod node_map;
mod ordered;
mod paired;
mod persistent;
mod point_map;
mod probe;
mod record;
mod report;
mod rounds;

use std::error::Error;

use arguments::{Arguments, Task};

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse(std::env::args().skip(1))?.task {
        Task::Child { candidate, keys } => {
            candidate.measure(keys)?.print()?;
            // Tearing a million keys down is not part of any figure.
            std::process::exit(0);
        }
        Task::Compare { sizes, rounds, only } => {
            let results = rounds::run(&sizes, rounds, only.as_deref())?;
            Ok(report::print(&results)?)
        }
    }
}

//! What each backend costs above its bare library, and what it takes; writes the tables of `PERFORMANCE.md`.
//!
//! **Measured**, with keys of 16 bytes and values of 100:
//!
//! 1. Speed of a store (`StoreWriter` and `StoreReader`, without actors and HTTP) against its bare
//!    library, which keeps values and nothing else: `scc` for `memory`, the same and one write to a file
//!    per commit for `file`, a cache that does not weigh for `moka`, a keyspace with the same settings
//!    and durability for both kinds of `fjall`. `file` and `fjall` commit at `os`.
//! 2. Allocations per operation, by the program `allocations`.
//! 3. Resident memory per key, each backend in a process of its own.
//! 4. The time to open a store that is on the disk; its files are in the page cache.
//! 5. Group commit through a real node, `os` and `fsync`, beside what a bare `fdatasync` takes.
//! 6. How long commits wait while an image of `file` is written beside them.
//!
//! **Reading it**: contenders take turns within each round, the first one another each time. Figures are
//! medians over rounds, and each ratio is the median of the rounds' ratios: 1.00 is as fast as bare.
//! A figure that misses its aim says so.
//!
//! ```text
//! cargo build --release -p gridkv-bench && target/release/backends
//! target/release/backends --only file --rounds 3 --keys 10000
//! ```

mod allocations;
mod counted;
mod disk;
mod group;
mod room;
mod speed;
mod stall;
mod startup;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use gridkv_bench::engine::Engine;
use gridkv_bench::report::Report;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::{page, screen};

/// Measures the backends against their bare libraries.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of keys whose speed is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    keys: Vec<usize>,
    /// Rounds of the speed; the other parts take half as many.
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Only this backend.
    #[arg(long)]
    only: Option<Engine>,
    /// Everything once and small: whether it runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// Where files are made, on the disk that is to be measured; beside this program if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A page whose tables are replaced; left alone by runs that are not whole.
    #[arg(long)]
    page: Option<PathBuf>,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// A process of its own for the memory of one backend.
    #[command(hide = true)]
    Room(room::Order),
}

/// How it is measured.
#[derive(Clone, Debug)]
struct Settings {
    keys: Vec<usize>,
    /// Keys of all parts but the speed.
    many: usize,
    rounds: usize,
    /// Records that each contender puts, or gets, in a turn.
    records: usize,
    /// Seconds of a turn of group commit.
    seconds: f64,
    only: Option<Engine>,
    dir: PathBuf,
}

impl Settings {
    fn of(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let beside = program.parent().map(PathBuf::from).unwrap_or_default();
        let dir = arguments.dir.clone().unwrap_or(beside);
        let only = arguments.only;
        Ok(if arguments.quick {
            Self { keys: vec![500], many: 500, rounds: 1, records: 500, seconds: 0.02, only, dir }
        } else {
            let (keys, rounds) = (arguments.keys.clone(), arguments.rounds);
            Self { keys, many: 1_000_000, rounds, records: 100_000, seconds: 0.7, only, dir }
        })
    }

    /// The backends that are measured, of these.
    fn engines(&self, of: &[Engine]) -> Vec<Engine> {
        of.iter().copied().filter(|engine| self.only.is_none_or(|it| it == *engine)).collect()
    }

    /// Rounds of the parts that take long.
    fn few(&self) -> usize {
        self.rounds.div_ceil(2)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(Task::Room(order)) = &arguments.task {
        return room::measure(order);
    }
    let settings = Settings::of(&arguments)?;
    let begun = Stopwatch::start();
    let mut report = Report::new()?;
    speed::run(&settings, &mut report)?;
    allocations::run(&settings, &mut report)?;
    room::run(&settings, &mut report)?;
    startup::run(&settings, &mut report)?;
    group::run(&settings, &mut report)?;
    stall::run(&settings, &mut report)?;
    screen::line(&report)?;
    eprintln!("took {:.0} s", begun.elapsed().as_secs_f64());
    let usual = Arguments::try_parse_from(["backends"])?;
    let is_whole = !arguments.quick && arguments.only.is_none() && arguments.keys == usual.keys;
    match &arguments.page {
        Some(page) if is_whole => page::write(page, "backends", &report),
        Some(page) => {
            eprintln!("{} is left as it is: the run was not whole", page.display());
            Ok(())
        }
        None => Ok(()),
    }
}

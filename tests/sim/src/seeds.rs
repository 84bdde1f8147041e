//! Runs seeds: one, or many on all cores.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use gridkv_protocol::mutant::{self, Mutant};

use crate::oracle::Violation;
use crate::trace::Trace;
use crate::world::{Counts, World};

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What did not hold.
    pub violation: Violation,
}

/// What many seeds came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Seeds that ran to their end.
    pub seeds: u64,
    /// What they came to together.
    pub counts: Counts,
}

/// Runs one seed, with a rule broken or none.
///
/// # Errors
/// What did not hold.
pub fn run(seed: u64, broken: Option<Mutant>) -> Result<Counts, Violation> {
    mutant::set(broken);
    World::new(seed, Trace::default()).run()
}

/// Runs one seed again, and keeps its trace.
pub fn replay(seed: u64, broken: Option<Mutant>) -> (Result<Counts, Violation>, Vec<String>) {
    mutant::set(broken);
    let mut world = World::new(seed, Trace::kept());
    let outcome = world.run();
    (outcome, world.trace().lines().to_vec())
}

/// Runs seeds on `threads` threads until one fails. Of those that fail, the least is reported.
///
/// # Errors
/// The seed that failed.
pub fn run_all(seeds: Range<u64>, broken: Option<Mutant>, threads: usize) -> Result<Sum, Failure> {
    let (sum, failures) = survey(seeds, broken, (threads, 1));
    failures.into_iter().min_by_key(|failure| failure.seed).map_or(Ok(sum), Err)
}

/// Runs seeds on some threads until so many have failed. What the others came to, and those that failed.
#[must_use]
pub fn survey(
    seeds: Range<u64>,
    broken: Option<Mutant>,
    (threads, most): (usize, usize),
) -> (Sum, Vec<Failure>) {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicUsize::new(0);
    let sum = Mutex::new(Sum::default());
    let failures: Mutex<Vec<Failure>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut mine = Sum::default();
                while failed.load(Ordering::Relaxed) < most {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match run(seed, broken) {
                        Ok(counts) => mine.add(counts),
                        Err(violation) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            if let Ok(mut failures) = failures.lock() {
                                failures.push(Failure { seed, violation });
                            }
                        }
                    }
                }
                if let Ok(mut sum) = sum.lock() {
                    sum.join(mine);
                }
            });
        }
    });
    (sum.into_inner().unwrap_or_default(), failures.into_inner().unwrap_or_default())
}

impl Sum {
    fn add(&mut self, counts: Counts) {
        self.join(Self { seeds: 1, counts });
    }

    /// Adds what others came to.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.counts.events += other.counts.events;
        self.counts.operations += other.counts.operations;
        self.counts.simulated_ms += other.counts.simulated_ms;
    }
}

//! The rounds: every contender in every round, the first one another each time.

use std::error::Error;
use std::path::Path;

use gridkv_bench::bare::Table;
use gridkv_bench::contender::{Contender, Sample, Work, all_keys};
use gridkv_bench::driven::Driven;
use gridkv_bench::engine::{self, Engine};
use gridkv_bench::random::Random;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_storage::durability::Durability;
use gridkv_storage::store::StoreConfig;

use crate::bare::BareMap;
use crate::drain::Drain;

/// How puts reach the funnel, one row each.
const PUTS: [(&str, Grouping); 5] = [
    ("put, commits of 1", Grouping::Commits(1)),
    ("put, commits of 16", Grouping::Commits(16)),
    ("put, commits of 128", Grouping::Commits(128)),
    ("put, batch of 100", Grouping::Commits(100)),
    ("put, atomic batch of 100", Grouping::AtomicBatch(100)),
];

/// How writes are grouped.
#[derive(Clone, Copy, Debug)]
enum Grouping {
    /// Staged one by one, committed together.
    Commits(usize),
    /// All at hand, checked whole, then staged and committed.
    AtomicBatch(usize),
}

/// One size.
pub(crate) struct Contest {
    /// Keys that are there.
    pub(crate) keys: usize,
    /// Records in a round.
    pub(crate) records: usize,
    /// Slots of the ring.
    pub(crate) ring: usize,
    /// Whether somebody empties the ring.
    pub(crate) drain: bool,
}

/// Nanoseconds of one operation by each contender, one of each per round.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was done.
    pub(crate) name: &'static str,
    /// By the funnel.
    pub(crate) funnel: Vec<f64>,
    /// By `RecordMap`.
    pub(crate) map: Vec<f64>,
    /// By `scc::HashMap`.
    pub(crate) scc: Vec<f64>,
}

impl Outcome {
    fn of(name: &'static str) -> Self {
        Self { name, funnel: Vec::new(), map: Vec::new(), scc: Vec::new() }
    }
}

/// The contenders, loaded alike.
struct Contenders {
    funnel: Driven,
    map: BareMap,
    scc: Table,
}

impl Contest {
    /// Loads all contenders, which is the first row, and lets them take turns.
    pub(crate) fn run(&self, rounds: usize) -> Result<Vec<Outcome>, Box<dyn Error>> {
        let all = all_keys(self.keys);
        let mut random = Random::seeded(2);
        let (mut contenders, load) = self.load(&all)?;
        let _drain = self.drain.then(|| Drain::start(contenders.funnel.reader().clone()));
        let mut puts = PUTS.map(|(name, _)| Outcome::of(name));
        let mut gets = Outcome::of("get");
        let Contenders { funnel, map, scc } = &mut contenders;
        for round in 0..rounds {
            eprintln!("{} keys, round {} of {rounds}", self.keys, round + 1);
            for (outcome, (_, grouping)) in puts.iter_mut().zip(PUTS) {
                let sample = Sample::pick(&all, self.records, &mut random)?;
                for turn in 0..3 {
                    match (round + turn) % 3 {
                        0 => outcome.funnel.push(put_all(funnel, sample.texts(), grouping)?),
                        1 => outcome.map.push(timed(map, Work::Put, &sample)?),
                        _ => outcome.scc.push(timed(scc, Work::Put, &sample)?),
                    }
                }
            }
            let sample = Sample::pick(&all, self.records, &mut random)?;
            for turn in 0..3 {
                match (round + turn) % 3 {
                    0 => gets.funnel.push(timed(funnel, Work::Get, &sample)?),
                    1 => gets.map.push(timed(map, Work::Get, &sample)?),
                    _ => gets.scc.push(timed(scc, Work::Get, &sample)?),
                }
            }
        }
        Ok([load].into_iter().chain(puts).chain([gets]).collect())
    }

    fn load(&self, keys: &[String]) -> Result<(Contenders, Outcome), Box<dyn Error>> {
        let mut outcome = Outcome::of("insert of new keys, commits of 128 (once)");
        let config = StoreConfig { ring_slots: self.ring, ..Engine::Memory.config()? };
        let mut funnel = Driven::new(engine::open_as(config, Path::new(""))?);
        let (mut map, mut scc) = (BareMap::default(), Table::in_memory());
        let all = Sample::of(keys.to_vec())?;
        outcome.funnel.push(put_all(&mut funnel, keys, Grouping::Commits(128))?);
        outcome.map.push(timed(&mut map, Work::Put, &all)?);
        outcome.scc.push(timed(&mut scc, Work::Put, &all)?);
        Ok((Contenders { funnel, map, scc }, outcome))
    }
}

/// Nanoseconds per put.
fn put_all(
    funnel: &mut Driven,
    keys: &[String],
    grouping: Grouping,
) -> Result<f64, Box<dyn Error>> {
    let stopwatch = Stopwatch::start();
    match grouping {
        Grouping::Commits(size) => {
            keys.chunks(size).try_for_each(|group| funnel.put_group(group, Durability::Memory))?;
        }
        Grouping::AtomicBatch(size) => {
            keys.chunks(size).try_for_each(|batch| funnel.put_atomic(batch))?;
        }
    }
    Ok(stopwatch.nanos_each(keys.len()))
}

/// Nanoseconds per record.
fn timed(
    contender: &mut impl Contender,
    work: Work,
    sample: &Sample,
) -> Result<f64, Box<dyn Error>> {
    let stopwatch = Stopwatch::start();
    contender.work(work, sample)?;
    Ok(stopwatch.nanos_each(sample.len()))
}

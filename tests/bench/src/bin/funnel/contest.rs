//! The rounds: every contender in every round, the first one another each time.

use std::error::Error;

use gridkv_bench::random::Random;
use gridkv_bench::workload;
use gridkv_protocol::Key;
use gridkv_storage::map::RecordMap;

use crate::bare::{self, Scc};
use crate::drain::Drain;
use crate::store::{Funnel, Grouping};

/// How puts reach the funnel, one row each.
const PUTS: [(&str, Grouping); 5] = [
    ("put, commits of 1", Grouping::Commits(1)),
    ("put, commits of 16", Grouping::Commits(16)),
    ("put, commits of 128", Grouping::Commits(128)),
    ("put, batch of 100", Grouping::Commits(100)),
    ("put, atomic batch of 100", Grouping::AtomicBatch(100)),
];

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
    funnel: Funnel,
    map: RecordMap,
    scc: Scc,
}

impl Contest {
    /// Loads all contenders, which is the first row, and lets them take turns.
    pub(crate) fn run(&self, rounds: usize) -> Result<Vec<Outcome>, Box<dyn Error>> {
        let mut all: Vec<String> = (0..self.keys).map(workload::key).collect();
        let mut random = Random::seeded(1);
        random.shuffle(&mut all);
        let (mut contenders, load) = self.load(&all)?;
        let _drain = self.drain.then(|| Drain::start(contenders.funnel.reader().clone()));
        let mut puts = PUTS.map(|(name, _)| Outcome::of(name));
        let mut gets = Outcome::of("get");
        for round in 0..rounds {
            eprintln!("{} keys, round {} of {rounds}", self.keys, round + 1);
            for (outcome, (_, grouping)) in puts.iter_mut().zip(PUTS) {
                let keys = self.pick(&all, &mut random);
                for turn in 0..3 {
                    match (round + turn) % 3 {
                        0 => outcome.funnel.push(contenders.funnel.put_all(&keys, grouping)?),
                        1 => outcome.map.push(bare::put_all(&contenders.map, &keys)?),
                        _ => outcome.scc.push(bare::put_all(&contenders.scc, &keys)?),
                    }
                }
            }
            let keys = self.pick(&all, &mut random);
            let keys: Vec<Key> = keys.iter().map(|key| Key::new(key)).collect::<Result<_, _>>()?;
            for turn in 0..3 {
                match (round + turn) % 3 {
                    0 => gets.funnel.push(contenders.funnel.get_all(&keys)?),
                    1 => gets.map.push(bare::get_all(&contenders.map, &keys)?),
                    _ => gets.scc.push(bare::get_all(&contenders.scc, &keys)?),
                }
            }
        }
        Ok([load].into_iter().chain(puts).chain([gets]).collect())
    }

    fn load(&self, keys: &[String]) -> Result<(Contenders, Outcome), Box<dyn Error>> {
        let mut outcome = Outcome::of("insert of new keys, commits of 128 (once)");
        let mut funnel = Funnel::open(self.ring)?;
        let (map, scc) = (RecordMap::default(), Scc::default());
        outcome.funnel.push(funnel.put_all(keys, Grouping::Commits(128))?);
        outcome.map.push(bare::put_all(&map, keys)?);
        outcome.scc.push(bare::put_all(&scc, keys)?);
        Ok((Contenders { funnel, map, scc }, outcome))
    }

    /// Keys at random, copied so that walking through them costs no cache miss.
    fn pick(&self, all: &[String], random: &mut Random) -> Vec<String> {
        let any = || all.get(random.below(all.len())).cloned();
        std::iter::repeat_with(any).take(self.records).flatten().collect()
    }
}

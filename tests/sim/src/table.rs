//! How many seeds it takes to notice each broken rule: from several starts, because one start is chance.

use std::collections::BTreeMap;
use std::fmt;

use gridkv_protocol::mutant::Mutant;

use crate::seeds;

/// What stands above the rows.
pub const HEAD: &str = "\
# What notices a broken rule, and how soon

The simulator breaks one rule of the protocol and runs seeds until an oracle objects. `make sim-mutants` writes this
page, from ten starts that lie 100,000 seeds apart; it takes about half an hour on two cores. The median is of the seeds that each
start needed; where one found nothing within 20,000 seeds it counts as that many. `make sim MUTANT=name SEED=n` shows one with its trace.

| broken rule | median | least | most | noticed | by which oracle, how often |
|---|--:|--:|--:|--:|---|";

/// From how many places seeds are counted.
const STARTS: u64 = 10;

/// How far they lie apart.
const APART: u64 = 100_000;

/// When a start is given up.
const WITHIN: u64 = 20_000;

/// What it took to notice one broken rule.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    /// Seeds that each start needed, in order of size.
    needed: Vec<u64>,
    /// How often each oracle was the first to object.
    oracles: BTreeMap<&'static str, usize>,
}

/// Counts the seeds that it takes to notice a broken rule.
#[must_use]
pub fn row(name: &str, mutant: Mutant, threads: usize) -> Row {
    let mut row = Row { name: name.to_owned(), needed: Vec::new(), oracles: BTreeMap::new() };
    for start in (0..STARTS).map(|start| start * APART) {
        match seeds::run_all(start..start + WITHIN, Some(mutant), threads) {
            Ok(_) => row.needed.push(WITHIN),
            Err(failure) => {
                row.needed.push(failure.seed - start + 1);
                *row.oracles.entry(failure.violation.oracle).or_default() += 1;
            }
        }
    }
    row.needed.sort_unstable();
    row
}

impl Row {
    fn median(&self) -> f64 {
        let middle = self.needed.len() / 2;
        let pair = self.needed.iter().skip(middle - 1).take(2);
        pair.map(|&needed| f64::from(u32::try_from(needed).unwrap_or(u32::MAX))).sum::<f64>() / 2.0
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.needed.first().unwrap_or(&0), self.needed.last().unwrap_or(&0));
        let noticed: usize = self.oracles.values().sum();
        let Self { name, needed, oracles } = self;
        let oracles: Vec<String> =
            oracles.iter().map(|(oracle, times)| format!("{oracle} {times}")).collect();
        write!(
            f,
            "| `{name}` | {:.1} | {least} | {most} | {noticed}/{} | {} |",
            self.median(),
            needed.len(),
            oracles.join(", ")
        )
    }
}

//! The command line of the benchmark.

use std::error::Error;

use crate::candidate::Kind;

/// What one run of the executable is for.
pub(crate) enum Task {
    /// Measure one candidate once and print raw figures (started by `Compare`).
    Child {
        /// The structure to measure.
        candidate: Kind,
        /// How many keys to load.
        keys: usize,
    },
    /// Measure all candidates in children and print the tables.
    Compare {
        /// Numbers of keys, one table each.
        sizes: Vec<usize>,
        /// How many times each candidate is measured per size.
        rounds: usize,
        /// Only candidates whose name contains one of these, parted by commas.
        only: Option<String>,
    },
}

/// The parsed command line.
pub(crate) struct Arguments {
    /// What to do.
    pub(crate) task: Task,
}

impl Arguments {
    /// Reads flags; unknown flags and malformed numbers are errors.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut sizes = vec![10_000, 1_000_000];
        let mut rounds = 3;
        let mut only = None;
        let mut child = None;
        while let Some(flag) = words.next() {
            let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--keys" => sizes = parse_sizes(&value)?,
                "--rounds" => rounds = value.parse()?,
                "--only" => only = Some(value),
                "--child" => child = Some(Kind::named(&value)?),
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        let first = sizes.first().copied().ok_or("--keys names no size")?;
        let task = match child {
            Some(candidate) => Task::Child { candidate, keys: first },
            None => Task::Compare { sizes, rounds, only },
        };
        Ok(Self { task })
    }
}

fn parse_sizes(list: &str) -> Result<Vec<usize>, std::num::ParseIntError> {
    list.split(',').map(|size| size.trim().parse()).collect()
}

//! Acknowledged writes, counted by what their acknowledgements said: those that were made, or those that are gone.

use std::fmt;

use crate::durability::{DURABILITIES, Durability};

/// A number of writes for each durability that an acknowledgement can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; DURABILITIES.len()],
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, durability: Durability) {
        for (one, count) in DURABILITIES.iter().zip(&mut self.counts) {
            *count += u64::from(*one == durability);
        }
    }

    /// Counts those of another tally as well.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// How many of one durability.
    #[must_use]
    pub fn of(&self, durability: Durability) -> u64 {
        let mut all = DURABILITIES.iter().zip(self.counts);
        all.find(|(one, _)| **one == durability).map_or(0, |(_, count)| count)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = DURABILITIES
            .iter()
            .zip(self.counts)
            .map(|(durability, count)| format!("{durability} {count}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}

//! How safe an acknowledged write is, in the words of the header `GridKV-Durability`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an acknowledged write survives. Later ones include the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Readable, and lost with the process.
    Memory,
    /// Survives the process, not a power cut.
    Os,
    /// Survives a power cut.
    Fsync,
}

/// All of them, the weakest first.
pub(crate) const DURABILITIES: [Durability; 3] =
    [Durability::Memory, Durability::Os, Durability::Fsync];

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Fsync => "fsync",
        })
    }
}

/// The word names no durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durability is one of memory, os, fsync")]
pub struct DurabilityError;

impl FromStr for Durability {
    type Err = DurabilityError;

    fn from_str(word: &str) -> Result<Self, DurabilityError> {
        DURABILITIES.into_iter().find(|one| one.to_string() == word).ok_or(DurabilityError)
    }
}

//! How safe a write is when it is answered.

use std::fmt;
use std::str::FromStr;

/// What an acknowledged write survives on this node. Later ones include the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// In memory: readable, and lost with the process.
    #[default]
    Memory,
    /// Written to the operating system: survives the process, not a power cut.
    Os,
    /// On the disk: survives a power cut.
    Fsync,
}

impl Durability {
    /// The word that users know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Fsync => "fsync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durability is one of memory, os, fsync")]
pub struct DurabilityError;

impl FromStr for Durability {
    type Err = DurabilityError;

    fn from_str(word: &str) -> Result<Self, DurabilityError> {
        [Self::Memory, Self::Os, Self::Fsync]
            .into_iter()
            .find(|durability| durability.as_str() == word)
            .ok_or(DurabilityError)
    }
}

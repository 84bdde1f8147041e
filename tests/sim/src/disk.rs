//! The simulated disk: a backend that keeps what a disk would keep, and loses what a disk would lose.
//!
//! A commit is an entry of a journal, beside an image of what was before it. Entries that were not
//! synced are cut by a power cut, at any of them; a damaged one is found by its checksum, and from there on
//! records are kept and frontiers are not believed, as the backend `file` does it.

mod backend;
mod platter;

pub use backend::DiskBackend;
pub use platter::{Damage, Platter, Touch};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gridkv_storage::durability::Durability;

/// How safely a store of this disk keeps its commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In memory: nothing survives the process.
    Volatile,
    /// Written to the system with each commit, synced every interval.
    Interval,
    /// Synced with each commit.
    Fsync,
}

impl Mode {
    /// What every commit with records survives.
    #[must_use]
    pub fn durability(self) -> Durability {
        match self {
            Self::Volatile => Durability::Memory,
            Self::Interval => Durability::Os,
            Self::Fsync => Durability::Fsync,
        }
    }

    /// Whether anything survives the process.
    #[must_use]
    pub fn persists(self) -> bool {
        self != Self::Volatile
    }
}

/// What a process and its machine share of a store's files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// A disk that holds what `platter` does.
    #[must_use]
    pub fn holding(platter: Platter) -> Self {
        Self(Arc::new(Mutex::new(platter)))
    }

    /// What it holds, for the time that nobody else looks.
    pub fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // nothing panics while it holds it
    }
}

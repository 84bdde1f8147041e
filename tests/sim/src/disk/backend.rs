//! The simulated disk as a store sees it.

use std::ops::Bound;
use std::sync::Arc;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Record};
use gridkv_storage::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Walk,
};
use gridkv_storage::durability::Durability;

use super::{Disk, Mode};

/// Stretches of a walk that the layer above puts in one page, at most.
const STRETCHES: usize = 64;

/// What a walk puts behind a key to count its stretches.
const LAP: &str = "\u{1}";

/// A backend on a [`Disk`].
pub struct DiskBackend {
    disk: Disk,
    mode: Mode,
    /// Stretches that one record takes: a page then ends after few records.
    laps: usize,
}

impl DiskBackend {
    /// Opens what the disk holds. A catch-up page will have about `page_records` of its records.
    #[must_use]
    pub fn open(disk: Disk, page_records: usize) -> (Arc<dyn Backend>, Recovered) {
        let (mode, (frontier, floor)) = {
            let mut platter = disk.platter();
            (platter.mode(), platter.open())
        };
        let laps = STRETCHES / page_records.clamp(1, STRETCHES);
        let recovered = Recovered { frontier, floor, ..Recovered::default() };
        (Arc::new(Self { disk, mode, laps }), recovered)
    }

    fn failed(doing: &str) -> BackendError {
        BackendError::Io { doing: doing.to_owned(), source: std::io::ErrorKind::Other.into() }
    }
}

impl Backend for DiskBackend {
    fn promises(&self) -> Promises {
        let persistent = self.mode.persists();
        Promises {
            persistent,
            cache: false,
            hot_tier: false,
            reads_disk: false,
            durability: self.mode.durability(),
            best: if persistent { Durability::Fsync } else { Durability::Memory },
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        Ok(self.disk.platter().readable.get(key).cloned())
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        let mut platter = self.disk.platter();
        let changes = commit.records.len() + commit.removed.len();
        if platter.is_full() && changes > 0 {
            let full = BackendError::DiskFull { free_bytes: 0, wanted_bytes: 1 };
            return Err(CommitError::Unchanged(full));
        }
        platter.append(commit);
        let durability = commit.durability.max(self.mode.durability());
        if durability < Durability::Fsync {
            return Ok(durability);
        }
        if changes == 0 {
            return Ok(Durability::Memory); // it waits for one that has some
        }
        if !platter.takes_sync() {
            return Err(CommitError::Unknown(Self::failed("sync a journal")));
        }
        platter.sync();
        Ok(Durability::Fsync)
    }

    /// Each record takes some stretches, the others without any, so that pages are short. What counts them
    /// are letters that no client puts behind a key.
    fn list(&self, from: Bound<&str>, _limit: usize) -> Result<Walk<Key>, BackendError> {
        let platter = self.disk.platter();
        let mut rest = platter.readable.range::<str, _>((from, Bound::Unbounded));
        let Some((key, record)) = rest.next() else {
            return Ok(Walk { records: Vec::new(), next: None });
        };
        if let Bound::Excluded(from) = from {
            let laps = from.bytes().rev().take_while(|byte| LAP.as_bytes() == [*byte]).count();
            if laps > 0 && laps < self.laps {
                return Ok(Walk { records: Vec::new(), next: later(from) });
            }
        }
        let next = rest.next().and_then(|_| later(key.as_str()));
        let records = vec![KeyedRecord { key: key.clone(), record: record.clone() }];
        Ok(Walk { records, next })
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        let mut platter = self.disk.platter();
        if !self.mode.persists() {
            return Ok(());
        }
        if !platter.takes_sync() {
            return Err(BackendError::Poisoned);
        }
        platter.note(frontier, floor);
        Ok(())
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.disk.platter().clear();
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }
}

/// The next stop of a walk after a key, or after another stop.
fn later(text: &str) -> Option<Key> {
    Key::new(&format!("{text}{LAP}")).ok()
}

//! The simulated disk as a store sees it.

use std::ops::Bound;
use std::sync::Arc;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Record};
use gridkv_storage::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Walk,
};
use gridkv_storage::durability::Durability;

use super::{Disk, Mode};

/// Stretches of a walk that the layer above puts in one page, at most.
const STRETCHES: u8 = 64;

/// A backend on a [`Disk`].
pub struct DiskBackend {
    disk: Disk,
    mode: Mode,
    /// Stretches that one record takes: a page then ends after few records.
    laps: u8,
}

impl DiskBackend {
    /// Opens what the disk holds. A catch-up page will have about `page_records` of its records.
    #[must_use]
    pub fn open(disk: Disk, page_records: u8) -> (Arc<dyn Backend>, Recovered) {
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
        if platter.is_full() && !commit.records.is_empty() {
            let full = BackendError::DiskFull { free_bytes: 0, wanted_bytes: 1 };
            return Err(CommitError::Unchanged(full));
        }
        platter.append(commit);
        let durability = commit.durability.max(self.mode.durability());
        if durability < Durability::Fsync {
            return Ok(durability);
        }
        if commit.records.is_empty() {
            return Ok(Durability::Memory); // it waits for one that has some
        }
        if !platter.takes_sync() {
            return Err(CommitError::Unknown(Self::failed("sync a journal")));
        }
        platter.sync();
        Ok(Durability::Fsync)
    }

    /// Each record takes some stretches, the others without any, so that pages are short.
    fn page(
        &self,
        after: Option<&PageCursor>,
        _limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        let (lap, key) = match after.map(|cursor| cursor.bytes().split_first()) {
            None => (0, None),
            Some(Some((lap, key))) => {
                (*lap, Some(Key::from_bytes(key).map_err(|_| BackendError::BadCursor)?))
            }
            Some(None) => return Err(BackendError::BadCursor),
        };
        if let (Some(key), 1..) = (&key, lap) {
            return Ok(Walk { records: Vec::new(), next: cursor(lap - 1, key) });
        }
        let from = key.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
        let platter = self.disk.platter();
        let mut rest = platter.readable.range::<str, _>((from, Bound::Unbounded));
        let Some((key, record)) = rest.next() else {
            return Ok(Walk { records: Vec::new(), next: None });
        };
        let next = rest.next().and_then(|_| cursor(self.laps - 1, key));
        let records = vec![KeyedRecord { key: key.clone(), record: record.clone() }];
        Ok(Walk { records, next })
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let platter = self.disk.platter();
        let rest = platter.readable.range::<str, _>((from, Bound::Unbounded));
        let one = |(key, record): (&Key, &Record)| KeyedRecord {
            key: key.clone(),
            record: record.clone(),
        };
        let records: Vec<KeyedRecord> = rest.take(limit.max(1)).map(one).collect();
        let full = records.len() == limit.max(1);
        let next = records.last().filter(|_| full).map(|keyed| keyed.key.clone());
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

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }
}

fn cursor(lap: u8, key: &Key) -> Option<PageCursor> {
    let mut bytes = vec![lap];
    bytes.extend_from_slice(key.as_str().as_bytes());
    PageCursor::new(&bytes)
}

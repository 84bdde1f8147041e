//! The backends `fjall` and `fjall-memory`: a log-structured engine, and a tier of hot records before it.
//!
//! A commit is one batch: records, frontier, floor, counts and deadlines, all or nothing. A frontier
//! that is found on the disk therefore has its records, unless something in the middle was lost, and
//! that is looked for before the engine is let near the files. A damaged database is put aside under
//! another name, never deleted. The engine stops for good when it can not write, so commits are refused
//! before the disk is full. `fjall-memory` is the same on a directory in memory, and nothing survives.

use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gridkv_protocol::limits::PAGE_BYTES;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Record};

use crate::backend::{
    Backend, BackendError, Commit, CommitError, Counts, Footprint, LsmShape, Near, Promises,
    Recovered, Walk,
};
use crate::durability::Durability;
use crate::map::WALK_CHUNK;
use crate::registry::{OpenError, OpenRequest};
use crate::settings::LsmSettings;

mod contents;
mod engine;
mod home;
mod hot_tier;
mod journal;
mod marker;
mod rows;
mod seal;
mod space;
mod volatile;

use contents::Contents;
use engine::{Changes, Engine};
use home::Opened;
use hot_tier::HotTier;
use rows::StateRow;
use space::SpaceGuard;
use volatile::MemoryDir;

/// Bytes of the rows that a flush writes beside the records, at most: one for each origin.
const FLUSH_BYTES: u64 = 64 * 1_024;

/// Records in an LSM tree on a disk, or in memory.
struct Fjall {
    // In the order in which they are dropped: the engine before what it stands on.
    engine: Engine,
    tier: Option<HotTier>,
    space: SpaceGuard,
    committed: Mutex<Committed>,
    promises: Promises,
    home: Home,
}

/// What the rows beside the records say now. Held while they are written: a flush must not put back
/// what a commit has moved.
struct Committed {
    frontier: Frontier,
    state: StateRow,
    /// Where origins moved to by commits without records, which the next one with some takes along: an
    /// idle store must not write, or even sync, for every heartbeat.
    ahead: Frontier,
}

/// What the files are in, for as long as it is open.
enum Home {
    /// A directory of a store, locked against a second process.
    Disk {
        _lock: File,
    },
    Memory {
        dir: MemoryDir,
    },
}

/// Opens the store of `request.dir`.
///
/// # Errors
/// [`OpenError`] without a directory, or when the database can not be opened and is not damaged. A
/// damaged one is no error: it is put aside, and the store starts empty and is filled by its peers.
pub(crate) fn open(request: &OpenRequest) -> Result<(Arc<dyn Backend>, Recovered), OpenError> {
    let store = request.store.clone();
    let dir = request.dir.clone().ok_or(OpenError::NeedsDirectory { store: store.clone() })?;
    Fjall::open(&dir, request)
        .map(|(backend, recovered)| (Arc::new(backend) as Arc<dyn Backend>, recovered))
        .map_err(|source| OpenError::Backend { store, source })
}

/// Opens an empty store in memory.
///
/// # Errors
/// [`OpenError`] when there is no file system in memory.
pub(crate) fn open_memory(
    request: &OpenRequest,
) -> Result<(Arc<dyn Backend>, Recovered), OpenError> {
    let store = request.store.clone();
    Fjall::open_memory(Path::new(volatile::ROOT), request)
        .map(|(backend, recovered)| (Arc::new(backend) as Arc<dyn Backend>, recovered))
        .map_err(|source| OpenError::Backend { store, source })
}

/// What a backend is put together from.
struct Parts {
    engine: Engine,
    contents: Contents,
    home: Home,
    promises: Promises,
}

fn in_memory(request: &OpenRequest) -> Promises {
    Promises {
        persistent: false,
        cache: false,
        hot_tier: request.settings.lsm.hot_cache_bytes > 0,
        reads_disk: false,
        durability: Durability::Memory,
        best: Durability::Memory,
    }
}

impl Fjall {
    fn open(dir: &Path, request: &OpenRequest) -> Result<(Self, Recovered), BackendError> {
        let (home, opened) = home::open(dir, request)?;
        let Opened { engine, contents, recovered, lsm } = opened;
        let durability = request.settings.durability.max(Durability::Os);
        let best = Durability::Fsync;
        let promises =
            Promises { persistent: true, reads_disk: true, durability, best, ..in_memory(request) };
        let parts = Parts { engine, contents, home, promises };
        Ok((Self::of(parts, dir, &lsm), recovered))
    }

    fn open_memory(root: &Path, request: &OpenRequest) -> Result<(Self, Recovered), BackendError> {
        let dir = MemoryDir::make(root, &request.store)?;
        let path = dir.path().to_owned();
        let fitted = space::fitted(&request.settings, &path);
        let engine = home::make_in_memory(&path, &fitted)?;
        let (contents, home) = (Contents::default(), Home::Memory { dir });
        let parts = Parts { engine, contents, home, promises: in_memory(request) };
        Ok((Self::of(parts, &path, &fitted.lsm), Recovered::default()))
    }

    fn of(parts: Parts, dir: &Path, settings: &LsmSettings) -> Self {
        let Parts { engine, contents: Contents { frontier, state }, home, promises } = parts;
        let tier = promises.hot_tier.then(|| HotTier::new(settings.hot_cache_bytes));
        let space = SpaceGuard::new(dir.to_owned(), space::reserve(settings));
        let committed = Mutex::new(Committed { frontier, state, ahead: Frontier::default() });
        Self { engine, tier, space, committed, promises, home }
    }

    fn read(&self, key: &str) -> Result<Option<Record>, BackendError> {
        let row_key = rows::record_key(key);
        let row = self.engine.get(&row_key)?;
        row.map(|row| rows::read_record(&row_key, &row)).transpose()
    }

    fn batch(&self, commit: &Commit<'_>) -> Changes {
        let mut changes = self.engine.changes();
        for KeyedRecord { key, .. } in commit.removed {
            changes.remove(&self.engine, rows::record_key(key.as_str()));
        }
        for KeyedRecord { key, record } in commit.records {
            let row_key = rows::record_key(key.as_str());
            let row = rows::write_record(&row_key, record);
            changes.put(&self.engine, row_key, row);
        }
        for change in commit.deadlines {
            if let Some(at) = change.before {
                changes.remove(&self.engine, rows::deadline_key(at, &change.key));
            }
            if let Some(at) = change.after {
                changes.put(&self.engine, rows::deadline_key(at, &change.key), Vec::new());
            }
        }
        changes
    }
}

/// Adds the rows that differ from `committed`, and makes it what it will be with them.
fn moves(
    engine: &Engine,
    changes: &mut Changes,
    committed: &mut Committed,
    moved: &Frontier,
    state: StateRow,
) {
    for (origin, upto) in moved.iter() {
        if committed.frontier.advance(origin, upto) {
            let row_key = rows::frontier_key(origin);
            let row = rows::write_frontier(&row_key, upto);
            changes.put(engine, row_key, row);
        }
    }
    if state != committed.state {
        changes.put(engine, rows::STATE_KEY.to_vec(), rows::write_state(&state));
        committed.state = state;
    }
}

impl Backend for Fjall {
    fn promises(&self) -> Promises {
        self.promises
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        match &self.tier {
            None => self.read(key),
            Some(tier) => match tier.get(key) {
                Some(record) => Ok(Some(record)),
                None => tier.fill(key, || self.read(key)),
            },
        }
    }

    fn get_standing(&self, key: &str) -> Result<Option<Record>, BackendError> {
        match self.tier.as_ref().and_then(|tier| tier.get(key)) {
            Some(record) => Ok(Some(record)),
            None => self.read(key),
        }
    }

    fn get_near(&self, key: &str) -> Result<Near, BackendError> {
        // A record in a memtable is near too, but fjall does not say where it finds one.
        let hot = self.tier.as_ref().and_then(|tier| tier.get(key));
        Ok(hot.map_or(Near::Far, |record| Near::Known(Some(record))))
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        let poisoned = |_| CommitError::Unknown(BackendError::Poisoned);
        let mut committed = self.committed.lock().map_err(poisoned)?;
        let floor = commit.floor.max(committed.state.floor);
        let changes_none = commit.records.is_empty() && commit.removed.is_empty();
        let is_heartbeat = changes_none && floor == committed.state.floor;
        let mut changes = self.batch(commit);
        if !is_heartbeat {
            let bytes = u64::try_from(changes.bytes()).unwrap_or(u64::MAX);
            self.space.admit(bytes).map_err(CommitError::Unchanged)?;
        }
        for (origin, upto) in commit.moved {
            committed.ahead.advance(*origin, *upto);
        }
        if is_heartbeat {
            // Nothing to write: but an engine that died in the background is noticed soon.
            self.engine.check().map_err(CommitError::Unknown)?;
            return Ok(Durability::Memory);
        }
        let ahead = std::mem::take(&mut committed.ahead);
        let state = StateRow { floor, counts: Some(commit.counts) };
        moves(&self.engine, &mut changes, &mut committed, &ahead, state);
        let reached = commit.durability.max(self.promises.durability);
        let hot = self.tier.as_ref().map(|tier| tier.commit(commit.records, commit.removed));
        self.engine.commit(changes, reached).map_err(CommitError::Unknown)?;
        if let Some(hot) = hot {
            hot.end();
        }
        Ok(reached)
    }

    fn clear(&self) -> Result<(), CommitError> {
        let mut committed =
            self.committed.lock().map_err(|_| CommitError::Unknown(BackendError::Poisoned))?;
        contents::clear(&self.engine).map_err(CommitError::Unknown)?;
        *committed = Committed {
            frontier: Frontier::default(),
            state: StateRow { floor: Hlc::ZERO, counts: Some(Counts::default()) },
            ahead: Frontier::default(),
        };
        if let Some(tier) = &self.tier {
            tier.clear();
        }
        Ok(())
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let limit = limit.clamp(1, WALK_CHUNK);
        let (mut records, mut bytes) = (Vec::new(), 0);
        let mut full = false;
        for row in self.engine.range(rows::RECORDS, from.map(rows::record_key)) {
            let (row_key, row) = row?;
            let key = rows::read_record_key(&row_key)?;
            records.push(KeyedRecord { key, record: rows::read_record(&row_key, &row)? });
            bytes += row.len();
            // Each record is read and copied, so a walk over large ones goes on in more calls.
            full = records.len() == limit || bytes >= PAGE_BYTES;
            if full {
                break;
            }
        }
        let next = records.last().filter(|_| full).map(|keyed| keyed.key.clone());
        Ok(Walk { records, next })
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        if !self.promises.persistent {
            return Ok(());
        }
        {
            let mut committed = self.committed.lock().map_err(|_| BackendError::Poisoned)?;
            let mut changes = self.engine.changes();
            let floor = floor.max(committed.state.floor);
            let state = StateRow { floor, ..committed.state };
            let moves_rows = state != committed.state || !committed.frontier.covers_all(frontier);
            // Before anything moves: on a disk that others have filled the engine would end for good.
            let refused = if moves_rows { self.space.admit_now(FLUSH_BYTES).err() } else { None };
            if let Some(full) = refused {
                drop(committed);
                self.engine.sync()?; // what was committed is to survive all the same
                return Err(full);
            }
            moves(&self.engine, &mut changes, &mut committed, frontier, state);
            if changes.bytes() > 0 {
                self.engine.commit(changes, Durability::Os)?;
            }
        }
        self.engine.sync()
    }

    fn rewrite(&self) -> Result<bool, BackendError> {
        // The old tables go only when the new ones are whole, and an engine without room ends for good.
        self.space.admit_now(self.engine.disk_bytes())?;
        self.engine.rewrite().map(|()| true)
    }

    fn rewrites(&self) -> bool {
        true
    }

    fn close(&self) {
        if let Home::Memory { dir } = &self.home {
            dir.remove();
        }
    }

    fn lsm(&self) -> Option<LsmShape> {
        Some(self.engine.shape())
    }

    fn footprint(&self) -> Footprint {
        // Of the block cache and the memtables, fjall's own count; of the tier, what its housekeeping
        // has seen. What the engine keeps of indexes and filters beside its cache is not in it.
        let hot = self.tier.as_ref().map_or(0, HotTier::bytes);
        let memory = self.engine.memory_bytes().saturating_add(hot);
        let files = self.engine.disk_bytes();
        if self.promises.persistent {
            let (disk_bytes, memory_bytes) = (Some(files), Some(memory));
            Footprint { disk_bytes, memory_bytes, ..Footprint::default() }
        } else {
            let memory_bytes = Some(memory.saturating_add(files));
            Footprint { memory_bytes, ..Footprint::default() }
        }
    }
}

#[cfg(test)]
mod damage_test;
#[cfg(test)]
mod full_disk_test;
#[cfg(test)]
mod settings_test;
#[cfg(test)]
#[path = "fjall_test.rs"]
mod tests;

// CAVEATS: options that fjall keeps with a database (the size of tables, when level 0 is compacted,
// compression) are those that it was made with; the store says so when others are configured. A damaged
// block of a table is found when it is read, not when the store is opened, and a compaction that meets it
// ends the engine: rename the directory, and peers fill the store. fjall gives a journal's room back only
// once it has 64 MB, so a file system below 256 MiB (Docker's own /dev/shm has 64) is full for good when
// tables and one journal fill three quarters of it. A database with deadlines is opened with all of them
// in memory, as the store keeps them. Journals are read again at the start: a second for 100 MB.

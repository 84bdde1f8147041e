//! The guard of free space. A journal that can not grow poisons the engine until the process starts
//! again, and so does a table that can not be written in the background. So a commit is refused before
//! that, with nothing changed, while there is still room for what the engine has under way; when space
//! is back, commits are taken again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::backend::BackendError;
pub(super) use crate::free_space::Space;
use crate::settings::{LsmSettings, Settings};

/// Bytes written before the file system is asked again: small beside any reserve, and so much that
/// asking, a microsecond, costs nothing.
const ASKED_EVERY: u64 = 256 * 1_024;

/// The share of the file system that is kept free at most: a small disk must remain usable.
const RESERVE_SHARE: u64 = 4;

/// The share of the file system that a memtable or a table has at most, so that the reserve that they
/// ask for, some twenty of them, is less than its share: up to 8 GiB they are smaller than configured.
const PIECE_SHARE: u64 = 128;

/// A journal is lengthened by steps of this (fjall: `PRE_ALLOCATED_BYTES`).
const JOURNAL_STEP_BYTES: u64 = 64 << 20;

/// Sealed memtables that may wait: at one more, fjall waits itself, without looking whether it can go on.
const MOST_MEMTABLES: u32 = 3;

/// Tables of level 0 at which they are compacted, at most: writes wait for it soon after.
const MOST_LEVEL_ZERO: u32 = 16;

/// Bytes that the engine may write after the last commit that was taken: all memtables as journal and
/// again as tables, and a compaction of level 0, and one of a table with ten of the next level, whose
/// inputs go only when its outputs are whole.
pub(super) fn reserve(settings: &LsmSettings) -> u64 {
    let LsmSettings { memtable_bytes, table_bytes, num_memtables, level_zero_tables, .. } =
        *settings;
    let memtables = memtable_bytes.saturating_mul(u64::from(num_memtables) + 1);
    let level_zero = memtable_bytes.saturating_mul(u64::from(level_zero_tables));
    let compaction = level_zero.max(table_bytes.saturating_mul(11));
    memtables.saturating_mul(2).saturating_add(compaction).saturating_add(JOURNAL_STEP_BYTES)
}

/// The settings, within what the engine can do, and with memtables and tables that fit the file system of
/// `dir`.
pub(super) fn fitted(settings: &Settings, dir: &Path) -> Settings {
    let mut fitted = settings.clone();
    let lsm = &mut fitted.lsm;
    lsm.num_memtables = lsm.num_memtables.clamp(1, MOST_MEMTABLES);
    lsm.level_zero_tables = lsm.level_zero_tables.clamp(2, MOST_LEVEL_ZERO);
    if let Ok(Space { total, .. }) = Space::of(dir) {
        for bytes in [&mut fitted.lsm.memtable_bytes, &mut fitted.lsm.table_bytes] {
            *bytes = (*bytes).min(total / PIECE_SHARE);
        }
    }
    fitted
}

type Probe = dyn Fn(&Path) -> io::Result<Space> + Send + Sync;

/// Refuses commits while the reserve is not free.
pub(super) struct SpaceGuard {
    dir: PathBuf,
    reserve: u64,
    probe: Box<Probe>,
    /// Bytes written since the file system was asked.
    unasked: AtomicU64,
    short: AtomicBool,
}

impl SpaceGuard {
    pub(super) fn new(dir: PathBuf, reserve: u64) -> Self {
        Self::probing(dir, reserve, Box::new(Space::of))
    }

    fn probing(dir: PathBuf, reserve: u64, probe: Box<Probe>) -> Self {
        let (unasked, short) = (AtomicU64::new(ASKED_EVERY), AtomicBool::new(false));
        Self { dir, reserve, probe, unasked, short }
    }

    /// The guard of a disk that is full.
    #[cfg(test)]
    pub(super) fn full() -> Self {
        Self::probing(PathBuf::new(), 1, Box::new(|_| Ok(Space { free: 0, total: 100 })))
    }

    /// The guard of a disk that is full once it was asked so often.
    #[cfg(test)]
    pub(super) fn filled_after(asked: u64) -> Self {
        let left = AtomicU64::new(asked);
        let probe = move |_: &Path| {
            let free = if left.load(Ordering::Relaxed) > 0 { 100 } else { 0 };
            left.fetch_sub(free / 100, Ordering::Relaxed);
            Ok(Space { free, total: 100 })
        };
        Self::probing(PathBuf::new(), 1, Box::new(probe))
    }

    /// Takes a commit of about `bytes`, or refuses it.
    ///
    /// # Errors
    /// [`BackendError::DiskFull`].
    pub(super) fn admit(&self, bytes: u64) -> Result<(), BackendError> {
        let unasked = self.unasked.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if unasked < ASKED_EVERY && !self.short.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.admit_now(bytes)
    }

    /// The same, and asks the file system in any case: for what is written rarely, while others may have
    /// filled the disk since.
    ///
    /// # Errors
    /// [`BackendError::DiskFull`].
    pub(super) fn admit_now(&self, bytes: u64) -> Result<(), BackendError> {
        // A file system that does not say how full it is can not be guarded.
        let Ok(Space { free, total }) = (self.probe)(&self.dir) else { return Ok(()) };
        let wanted = self.reserve.min(total / RESERVE_SHARE).saturating_add(bytes);
        self.unasked.store(0, Ordering::Relaxed);
        self.short.store(free < wanted, Ordering::Relaxed);
        if free < wanted {
            return Err(BackendError::DiskFull { free_bytes: free, wanted_bytes: wanted });
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "space_test.rs"]
mod tests;

//! A directory in memory, for a store of which nothing shall survive.
//!
//! Each is made on a file system that the kernel keeps in memory, readable by its owner only, with a
//! lock that is held for as long as the process lives. What a killed process left behind has nobody who
//! holds its lock: it is removed when the next store is opened. Links are never followed, and what
//! belongs to somebody else is left alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::StoreName;
use rustix::fs::OFlags;

use crate::backend::BackendError;
use crate::files::io_error;

/// Where memory-backed directories are made.
pub(super) const ROOT: &str = "/dev/shm";

/// What their names start with; those that are not locked yet have a dot before it.
const PREFIX: &str = "gridkv-";

const LOCK: &str = "lock";

/// File systems in memory, as statfs(2) numbers them: tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Directories of this process so far.
static MADE: AtomicU64 = AtomicU64::new(0);

/// The root is not in memory.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not kept in memory; mount a tmpfs there (Docker: --shm-size, Kubernetes: an emptyDir of medium Memory), or use another backend"
)]
struct NotInMemory;

/// A directory in memory. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryDir {
    path: PathBuf,
    /// Held for as long as the directory is in use.
    _lock: File,
}

impl MemoryDir {
    /// Makes a directory for `store` beneath `root`, and removes what dead processes left there.
    ///
    /// # Errors
    /// [`BackendError`] when the root is not in memory, or the directory can not be made.
    pub(super) fn make(root: &Path, store: &StoreName) -> Result<Self, BackendError> {
        let kind =
            rustix::fs::statfs(root).map_err(|error| io_error("use", root)(error.into()))?.f_type;
        if !u64::try_from(kind).is_ok_and(|kind| IN_MEMORY.contains(&kind)) {
            let refused = io::Error::new(io::ErrorKind::Unsupported, NotInMemory);
            return Err(io_error("use", root)(refused));
        }
        remove_abandoned(root);
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{PREFIX}{}-{count}-{}",
            rustix::process::getpid().as_raw_pid(),
            store.as_str()
        );
        // Under another name until it is locked: a process that cleans up must not take it for a dead one's.
        let (unlocked, path) = (root.join(format!(".{name}")), root.join(&name));
        let make = || {
            DirBuilder::new().mode(0o700).create(&unlocked)?;
            let lock = File::create_new(unlocked.join(LOCK))?;
            lock.try_lock()?;
            fs::rename(&unlocked, &path)?;
            Ok(lock)
        };
        let lock = make().map_err(io_error("make", &path))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it now: the process ends, perhaps without dropping anything.
    pub(super) fn remove(&self) {
        // What can not be removed now is removed by the next process: the lock goes with this one.
        fs::remove_dir_all(&self.path).unwrap_or_default();
    }
}

impl Drop for MemoryDir {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes directories whose process is dead. One that can not be removed is left for the next time.
fn remove_abandoned(root: &Path) {
    let Ok(found) = fs::read_dir(root) else { return };
    for entry in found.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}

/// Whether it is a directory of this user, and no process holds its lock.
fn is_abandoned(dir: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_own_dir =
        fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir() && found.uid() == own);
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let lock = OpenOptions::new().read(true).custom_flags(no_link).open(dir.join(LOCK));
    is_own_dir && lock.is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
#[path = "volatile_test.rs"]
mod tests;

// CAVEATS: a process that is killed between making a directory and locking it leaves an empty one behind,
// whose name starts with a dot. The lock of a directory that is being removed is free for a moment: two
// processes may remove the same one, which neither minds. Memory that the files take is the machine's, and
// a container's limit may count it.

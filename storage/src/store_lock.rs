//! The lock of a store's directory: two processes would write the same files.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::backend::BackendError;
use crate::files::io_error;

const LOCK: &str = "lock";

/// How often a lock that is held is tried again: a process that ends, or one that it starts, may hold it for a
/// moment longer.
const TRIES: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(20);

/// Locks a directory for as long as the file is held.
///
/// # Errors
/// [`BackendError::Io`] when another process holds it, or the system says no.
pub(crate) fn take(dir: &Path) -> Result<File, BackendError> {
    let path = dir.join(LOCK);
    let failed = io_error("lock", &path);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(&failed)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => thread::sleep(BETWEEN),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(failed(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another process has this store open; stop it, or give this node another directory",
    )))
}

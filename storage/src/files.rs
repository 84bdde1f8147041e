//! What every file of a store needs: errors that name it, and names that survive a power cut.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::backend::BackendError;

/// Names looked at for one that is free, at most.
const MOST_ASIDE: u32 = 10_000;

/// An error of a call on a path.
pub(crate) fn io_error<'a>(
    verb: &'a str,
    path: &'a Path,
) -> impl Fn(io::Error) -> BackendError + 'a {
    move |source| BackendError::Io { doing: format!("can not {verb} {}", path.display()), source }
}

/// Brings names in a directory to the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), BackendError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

/// Makes a store's directory if it is not there, so that it is after a power cut.
pub(crate) fn create_dir(dir: &Path) -> Result<(), BackendError> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), BackendError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Writes a small file: after a power cut it is as it was, or as it is now. Nothing is left behind when it
/// can not be written.
///
/// # Errors
/// [`BackendError::Io`]: it is as it was.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), BackendError> {
    let (path, unfinished) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    write()
        .inspect_err(|_| fs::remove_file(&unfinished).unwrap_or_default())
        .map_err(io_error("write", &path))?;
    sync_dir(dir)
}

/// A name for what is damaged, which nothing has yet.
pub(crate) fn aside(path: &Path) -> Result<PathBuf, BackendError> {
    (0..MOST_ASIDE)
        .map(|n| PathBuf::from(format!("{}.damaged-{n}", path.display())))
        .find(|aside| matches!(aside.try_exists(), Ok(false)))
        .ok_or_else(|| io_error("put aside", path)(io::ErrorKind::AlreadyExists.into()))
}

//! The marker around an open, and the way of damaged directories.
//!
//! Some damage ends the process that opens the database: it asks for memory that no machine has, or
//! panics while it panics. So a file says that an open is under way, and how many times in a row one
//! was not seen to end. Nothing is ever deleted here: what is damaged gets another name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::backend::BackendError;

const MARKER: &str = "opening";

/// Opens that did not end, after which the next one is not tried.
const MOST_UNENDED: u32 = 2;

/// Directories put aside that are looked for a free name among, at most.
const MOST_ASIDE: u32 = 1_000;

/// An open under way.
pub(super) struct OpeningMarker {
    path: PathBuf,
}

impl OpeningMarker {
    /// Marks the start of an open; `None` when too many have not ended.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the marker can not be read or written.
    pub(super) fn start(dir: &Path) -> Result<Option<Self>, BackendError> {
        let path = dir.join(MARKER);
        let unended = match fs::read_to_string(&path) {
            // A marker that was torn says that there was an open.
            Ok(text) => text.trim().parse().unwrap_or(1),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => 1,
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        if unended >= MOST_UNENDED {
            return Ok(None);
        }
        let write = || {
            let mut file = File::create(&path)?;
            writeln!(file, "{}", unended + 1)?;
            file.sync_all()
        };
        write().map_err(io_error("write", &path))?;
        sync_dir(dir)?;
        Ok(Some(Self { path }))
    }

    /// Marks the end of an open, whether it went well or not.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the marker can not be removed.
    pub(super) fn end(self) -> Result<(), BackendError> {
        remove(&self.path)
    }
}

/// Removes the marker of opens that were given up.
///
/// # Errors
/// [`BackendError::Io`] when it can not.
pub(super) fn forget(dir: &Path) -> Result<(), BackendError> {
    remove(&dir.join(MARKER))
}

fn remove(path: &Path) -> Result<(), BackendError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Gives the damaged directory `name` in `dir` another name. Returns what an operator should know.
///
/// # Errors
/// [`BackendError::Io`] when it can not be renamed.
pub(super) fn quarantine(dir: &Path, name: &str, damage: &str) -> Result<String, BackendError> {
    let path = dir.join(name);
    let aside = (0..MOST_ASIDE)
        .map(|n| dir.join(format!("{name}.damaged-{n}")))
        .find(|aside| matches!(aside.try_exists(), Ok(false)))
        .ok_or_else(|| io_error("put aside", &path)(io::ErrorKind::AlreadyExists.into()))?;
    fs::rename(&path, &aside).map_err(io_error("put aside", &path))?;
    sync_dir(dir)?;
    Ok(format!(
        "{} is damaged ({damage}) and was renamed to {}; the store starts empty and is filled by its \
         peers. Without peers, put a backup in its place; remove it when it is not needed any more",
        path.display(),
        aside.display()
    ))
}

pub(super) fn io_error<'a>(
    verb: &'a str,
    path: &'a Path,
) -> impl Fn(io::Error) -> BackendError + 'a {
    move |source| BackendError::Io { doing: format!("can not {verb} {}", path.display()), source }
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), BackendError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_open_in_a_row_that_did_not_end_is_not_tried() {
        let dir = tempfile::tempdir().unwrap();
        let start = || OpeningMarker::start(dir.path()).unwrap();
        for _ in 0..5 {
            start().unwrap().end().unwrap();
        }
        drop(start().unwrap());
        drop(start().unwrap());
        assert!(start().is_none() && start().is_none());
        forget(dir.path()).unwrap();
        start().unwrap().end().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_marker_of_garbage_counts_as_one_open() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MARKER), [0xff, 0]).unwrap();
        drop(OpeningMarker::start(dir.path()).unwrap().unwrap());
        assert!(OpeningMarker::start(dir.path()).unwrap().is_none());
    }

    #[test]
    fn what_is_put_aside_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..3 {
            fs::create_dir(dir.path().join("lsm")).unwrap();
            let warning = quarantine(dir.path(), "lsm", "a test").unwrap();
            assert!(warning.contains(&format!("lsm.damaged-{n}")), "{warning}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}

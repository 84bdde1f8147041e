//! The marker around an open, and the way of damaged directories.
//!
//! Some damage ends the process that opens the database: it asks for memory that no machine has, or
//! panics while it panics. So a file says that an open is under way, and how many times in a row one
//! was not seen to end. A machine that went down meanwhile says nothing of the files: opens are counted
//! since it started. Nothing is ever deleted here: what is damaged gets another name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::BackendError;
use crate::files::{aside, io_error, remove_if_there, replace, sync_dir};

const MARKER: &str = "opening";

/// Another one for each start of the machine, or the virtual one.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Opens that did not end, after which the next one is not tried. Damage that we know to end a process
/// is found by inspection, before the engine sees the files; so an open that did not end was most likely
/// killed from outside, and a few of those must not cost a healthy database its place.
const MOST_UNENDED: u32 = 5;

/// An open under way.
pub(super) struct OpeningMarker {
    path: PathBuf,
}

impl OpeningMarker {
    /// Marks the start of an open; `None` when too many have not ended.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the marker can not be read or written: no open is counted then.
    pub(super) fn start(dir: &Path) -> Result<Option<Self>, BackendError> {
        Self::start_in_boot(dir, &boot_id())
    }

    fn start_in_boot(dir: &Path, boot: &str) -> Result<Option<Self>, BackendError> {
        let path = dir.join(MARKER);
        let unended = match fs::read_to_string(&path) {
            Ok(text) => unended(&text, boot),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) =>
            {
                0
            }
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        if unended >= MOST_UNENDED {
            return Ok(None);
        }
        // Whole or not at all: what a full disk cut short must not count.
        let marker = Self { path };
        let line = format!("{} {boot}\n", unended + 1);
        if let Err(error) = replace(dir, MARKER, line.as_bytes()) {
            if unended == 0 {
                marker.end()?;
            }
            return Err(error);
        }
        Ok(Some(marker))
    }

    /// Marks the end of an open, whether it went well or not.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the marker can not be removed.
    pub(super) fn end(self) -> Result<(), BackendError> {
        remove_if_there(&self.path)
    }
}

/// Removes the marker of opens that were given up.
///
/// # Errors
/// [`BackendError::Io`] when it can not.
pub(super) fn forget(dir: &Path) -> Result<(), BackendError> {
    remove_if_there(&dir.join(MARKER))
}

/// Opens of this boot that a marker says did not end. One of an earlier version names no boot, and counts;
/// ours are never torn, so that what is none counts for nothing.
fn unended(text: &str, boot: &str) -> u32 {
    let mut words = text.split_whitespace();
    let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(0);
    let is_of_this_boot = words.next().is_none_or(|of| of == boot);
    if is_of_this_boot { count } else { 0 }
}

/// Empty on a system that does not say: then all opens count.
fn boot_id() -> String {
    fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Gives the damaged directory `name` in `dir` another name. Returns what an operator should know.
///
/// # Errors
/// [`BackendError::Io`] when it can not be renamed.
pub(super) fn quarantine(dir: &Path, name: &str, damage: &str) -> Result<String, BackendError> {
    let path = dir.join(name);
    let aside = aside(&path)?;
    fs::rename(&path, &aside).map_err(io_error("put aside", &path))?;
    sync_dir(dir)?;
    Ok(format!(
        "{} is damaged ({damage}) and was renamed to {}; the store starts empty and is filled by its \
         peers. Without peers, put a backup in its place; remove it when it is not needed any more",
        path.display(),
        aside.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_is_not_tried_once_too_many_in_a_row_did_not_end() {
        let dir = tempfile::tempdir().unwrap();
        let start = || OpeningMarker::start(dir.path()).unwrap();
        for _ in 0..5 {
            start().unwrap().end().unwrap();
        }
        for _ in 0..MOST_UNENDED {
            drop(start().unwrap());
        }
        assert!(start().is_none() && start().is_none());
        forget(dir.path()).unwrap();
        start().unwrap().end().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_marker_that_could_not_be_written_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for torn in [&b""[..], b"\n", &[0xff, 0]] {
            fs::write(dir.path().join(MARKER), torn).unwrap();
            for _ in 0..MOST_UNENDED {
                drop(OpeningMarker::start(dir.path()).unwrap().unwrap());
            }
            assert!(OpeningMarker::start(dir.path()).unwrap().is_none());
        }
        // Something is in the way, as a full disk would be.
        fs::write(dir.path().join(MARKER), "1").unwrap();
        fs::create_dir(dir.path().join("opening.tmp")).unwrap();
        for _ in 0..5 {
            assert!(OpeningMarker::start(dir.path()).is_err());
        }
        assert_eq!(fs::read(dir.path().join(MARKER)).unwrap(), b"1");
    }

    #[test]
    fn opens_that_a_machine_ended_by_going_down_are_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let start = |boot| OpeningMarker::start_in_boot(dir.path(), boot).unwrap();
        for boot in ["a", "b", "c"].into_iter().chain([["d"; MOST_UNENDED as usize]].concat()) {
            drop(start(boot).unwrap());
        }
        assert!(start("d").is_none());
        assert!(start("e").is_some());
        assert!(!boot_id().contains(char::is_whitespace));
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

// CAVEATS: a process that is killed from outside during five opens in a row, without a start of the
// machine between them, looks like one that damage has ended. An open that takes the machine down with it is tried
// for ever.

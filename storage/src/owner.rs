//! Whose a store's directory is: the name of the backend that made it, in a file of its own.
//!
//! Another backend would not see what is there: the store would look empty, and what was deleted
//! meanwhile would be back with the first one. So it is refused.

use std::fs;
use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::backend::BackendError;
use crate::files::{create_dir, io_error, replace};

const OWNER: &str = "backend";

/// What tells whose a directory is that was made before there was such a file.
const TRACES: [(&str, &str); 4] =
    [("image", "file"), ("image-", "file"), ("journal-", "file"), ("lsm", "fjall")];

/// Whose the directory is; `None` when it is nobody's.
///
/// # Errors
/// [`BackendError::Io`] when the system says no.
pub(crate) fn of(dir: &Path) -> Result<Option<String>, BackendError> {
    let path = dir.join(OWNER);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let name = text.split_whitespace().next().unwrap_or_default();
            if text == line(name) {
                return Ok(Some(name.to_owned()));
            }
            // Damaged: the traces tell.
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
        Err(error) => return Err(io_error("read", &path)(error)),
    }
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(io_error("read", dir))?,
    };
    for entry in entries {
        let name = entry.map_err(io_error("read", dir))?.file_name();
        let name = name.to_string_lossy();
        let matches =
            |trace: &str| name == trace || (trace.ends_with('-') && name.starts_with(trace));
        if let Some((_, owner)) = TRACES.iter().find(|(trace, _)| matches(trace)) {
            return Ok(Some((*owner).to_owned()));
        }
    }
    Ok(None)
}

/// Says that the directory is `backend`'s, if it does not say so yet.
///
/// # Errors
/// [`BackendError::Io`] when the system says no.
pub(crate) fn claim(dir: &Path, backend: &str) -> Result<(), BackendError> {
    let path = dir.join(OWNER);
    if fs::read_to_string(&path).is_ok_and(|text| text == line(backend)) {
        return Ok(());
    }
    create_dir(dir)?;
    replace(dir, OWNER, line(backend).as_bytes())
}

/// What the file says: a name, and a checksum of it.
fn line(name: &str) -> String {
    format!("{name} {:016x}\n", xxh3_64(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_whose_it_says_or_whose_traces_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("main");
        assert_eq!(of(&store).unwrap(), None);
        claim(&store, "mine").unwrap();
        claim(&store, "mine").unwrap();
        assert_eq!(of(&store).unwrap().as_deref(), Some("mine"));
        let good = fs::read(store.join(OWNER)).unwrap();
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            fs::write(store.join(OWNER), bad).unwrap();
            assert_eq!(of(&store).unwrap(), None, "a flipped bit makes no owner");
        }
        fs::write(store.join(OWNER), &good[..4]).unwrap();
        assert_eq!(of(&store).unwrap(), None);
        for (trace, owner) in [("image", "file"), ("journal-7", "file"), ("lsm", "fjall")] {
            fs::write(store.join(trace), "x").unwrap();
            assert_eq!(of(&store).unwrap().as_deref(), Some(owner));
            fs::remove_file(store.join(trace)).unwrap();
        }
    }
}

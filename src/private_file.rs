//! Files that hold secrets: keys, tokens, the word that peers share.
//!
//! Why it exists: a secret that every user of the machine may read is none, and nobody notices. It refuses a
//! file that group or others may read, and says how to mend it. A file of root may be readable by the group of
//! a node that is not root: so secrets are mounted into containers.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of such a file, at most: far above any key, far below what would hurt to read.
const MAX_BYTES: u64 = 1 << 20;

/// What the group and all others may do with a file.
const GROUP_OR_OTHERS: u32 = 0o077;
/// What nobody but the owner may do with a file of root; its group may read it.
const BEYOND_READING_BY_THE_GROUP: u32 = 0o037;

/// Why the content of a file is not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivateFileError {
    /// It can not be opened or read, or is no text.
    #[error("{} can not be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is longer than anything that it should hold.
    #[error("{} is longer than {MAX_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
    /// Others than its owner may read it.
    #[error(
        "{path} holds a secret, and others than its owner may use it (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The text of a file that holds a secret.
///
/// # Errors
/// [`PrivateFileError`]; not a byte of it was taken.
pub(crate) fn read(path: &Path) -> Result<String, PrivateFileError> {
    let unreadable = |source| PrivateFileError::Unreadable { path: path.to_owned(), source };
    let file = open(path).map_err(unreadable)?;
    check(path, &file)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(PrivateFileError::TooLong(path.to_owned()));
    }
    Ok(text)
}

/// Opens a regular file, and waits for nobody: a pipe would be waited for, maybe for ever.
///
/// # Errors
/// When it can not be opened, or is something else.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let at_once = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(at_once).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Refuses an open file that others than its owner may read.
///
/// # Errors
/// [`PrivateFileError`].
pub(crate) fn check(path: &Path, file: &File) -> Result<(), PrivateFileError> {
    let metadata = file.metadata();
    let metadata = metadata
        .map_err(|source| PrivateFileError::Unreadable { path: path.to_owned(), source })?;
    let mode = metadata.mode() & 0o7777;
    if is_private(&metadata, rustix::process::geteuid().as_raw()) {
        Ok(())
    } else {
        Err(PrivateFileError::Open { path: path.to_owned(), mode })
    }
}

fn is_private(metadata: &Metadata, user: u32) -> bool {
    const ROOT: u32 = 0;
    let of_root_for_us = metadata.uid() == ROOT && user != ROOT;
    let forbidden = if of_root_for_us { BEYOND_READING_BY_THE_GROUP } else { GROUP_OR_OTHERS };
    metadata.mode() & forbidden == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_what_its_owner_alone_may_read_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "x").unwrap();
        let user = fs::metadata(&path).unwrap().uid();
        let stranger = user + 1;
        // Mode, whether the owner may use it, whether another user may when it is root's.
        let table = [
            (0o600, true, true),
            (0o400, true, true),
            (0o640, false, true),
            (0o440, false, true),
            (0o660, false, false),
            (0o604, false, false),
            (0o644, false, false),
            (0o601, false, false),
        ];
        for (mode, own, of_root) in table {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(is_private(&metadata, user), own, "{mode:o}");
            assert_eq!(is_private(&metadata, stranger), of_root && user == 0 || own, "{mode:o}");
            let said = read(&path).map_err(|error| error.to_string());
            match said {
                Ok(text) => assert!(own && text == "x", "{mode:o}"),
                Err(said) => {
                    let parts =
                        [format!("mode {mode:04o}"), format!("chmod 600 {}", path.display())];
                    assert!(!own && parts.iter().all(|part| said.contains(part)), "{said}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::Unreadable { .. })));
        fs::write(&path, "x".repeat(1 + (1 << 20))).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::TooLong(_))));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let said = read(&dir.path().join("pipe")).unwrap_err().to_string();
        assert!(said.ends_with("not a regular file"), "{said}");
        let missing = dir.path().join("missing");
        assert!(matches!(read(&missing), Err(PrivateFileError::Unreadable { .. })));
    }
}

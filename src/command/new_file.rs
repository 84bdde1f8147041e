//! A file that appears under its name when it is whole and on the disk, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: File,
    at: PathBuf,
    target: PathBuf,
    is_there: bool,
}

impl NewFile {
    /// Begins a file that will be at `target`, beside it.
    ///
    /// # Errors
    /// When it can not be made.
    pub(crate) fn beside(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(io::Error::other(format!(
                "{} is not the name of a file",
                target.display()
            )));
        }
        name.push(format!(".part-{}", std::process::id()));
        let at = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&at);
        let file = file
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", at.display())))?;
        Ok(Self { file, at, target: target.to_owned(), is_there: false })
    }

    /// Where it is until it appears.
    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    /// All of it was written: lets it appear, in place of what had its name.
    ///
    /// # Errors
    /// When it can not be kept; then nothing appears.
    pub(crate) fn appear(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.at, &self.target)?;
        self.is_there = true;
        let directory = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_there {
            // It may be gone already; there is nothing else to do about it.
            drop(fs::remove_file(&self.at));
        }
    }
}

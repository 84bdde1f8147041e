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
        let target = &real(target)?;
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
        Ok(Self { file, at, target: target.clone(), is_there: false })
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

/// What a name leads to: a file takes the place of a file, of nothing else.
fn real(target: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(target).is_err() {
        return Ok(target.to_owned());
    }
    let real = fs::canonicalize(target)?;
    if fs::metadata(&real)?.is_file() {
        Ok(real)
    } else {
        let why =
            format!("{} is there, and is no regular file; - is standard output", target.display());
        Err(io::Error::other(why))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use super::*;

    fn write(target: &Path) -> io::Result<()> {
        let mut file = NewFile::beside(target)?;
        file.write_all(b"new")?;
        file.appear()
    }

    #[test]
    fn a_file_takes_the_place_of_a_file_and_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(&at("fresh")).unwrap();
        fs::write(at("old"), "old").unwrap();
        symlink(at("old"), at("link")).unwrap();
        write(&at("link")).unwrap();
        assert_eq!(fs::read(at("old")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink(), "it leads where it led");

        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), fifo, mode, 0).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        for name in ["pipe", "dangling", "."] {
            assert!(write(&at(name)).is_err(), "{name}");
        }
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5, "nothing is left behind");
    }
}

//! Files and directories that are their owner's alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::InitError;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A directory that is made beside its place, and put there when it is whole. Dropped before it is kept, it is gone.
pub(super) struct Fresh {
    goal: PathBuf,
    /// Where it is now.
    building: PathBuf,
    done: bool,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> InitError + use<> {
    let path = path.to_owned();
    |source| InitError::Io { path, source }
}

/// What is no directory where `goal` should be, or on the way there.
fn in_the_way(goal: PathBuf) -> InitError {
    let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    match goal.ancestors().find(is_there) {
        Some(found) if found != goal => InitError::NoDirectory(found.to_owned()),
        Some(_) | None => InitError::Exists(goal),
    }
}

impl Fresh {
    /// Begins a directory that will be `goal`, where there is nothing yet, or an empty directory.
    pub(super) fn begin(goal: &Path) -> Result<Self, InitError> {
        let goal = std::path::absolute(goal).map_err(failed(goal))?;
        match fs::read_dir(&goal) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(InitError::Exists(goal));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(in_the_way(goal));
            }
            Err(error) => return Err(failed(&goal)(error)),
        }
        if let Some(parent) = goal.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let mut name = goal.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let building = goal.with_file_name(name);
        make_directory(&building).map_err(|error| {
            let InitError::Exists(path) = error else { return error };
            InitError::Unfinished(path)
        })?;
        Ok(Self { goal, building, done: false })
    }

    /// A directory in it.
    pub(super) fn directory(&self, name: &str) -> Result<(), InitError> {
        make_directory(&self.building.join(name))
    }

    /// A file in it.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), InitError> {
        write_new(&self.building.join(name), text)
    }

    /// Puts it in its place. It is not kept yet.
    pub(super) fn place(&mut self) -> Result<(), InitError> {
        fs::rename(&self.building, &self.goal).map_err(|error| {
            let kind = error.kind();
            if kind == io::ErrorKind::DirectoryNotEmpty || kind == io::ErrorKind::AlreadyExists {
                InitError::Exists(self.goal.clone())
            } else {
                failed(&self.goal)(error)
            }
        })?;
        self.building.clone_from(&self.goal);
        Ok(())
    }

    /// Leaves it where it is.
    pub(super) fn keep(mut self) {
        self.done = true;
    }

    /// Puts it in its place for good, and says where that is.
    pub(super) fn finish(mut self) -> Result<PathBuf, InitError> {
        self.place()?;
        let goal = self.goal.clone();
        self.keep();
        Ok(goal)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.done {
            // Who made it was told what failed; what is left is told by its name.
            drop(fs::remove_dir_all(&self.building));
        }
    }
}

fn make_directory(path: &Path) -> Result<(), InitError> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            InitError::Exists(path.to_owned())
        } else {
            failed(path)(error)
        }
    })
}

fn write_new(path: &Path, text: &str) -> Result<(), InitError> {
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(failed(path))
}

/// Puts a file in the place of one that is there: at every moment one of the two is there, whole.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), InitError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&new)(error)),
        Ok(()) | Err(_) => {} // one of a run that was killed
    }
    write_new(&new, text)?;
    fs::rename(&new, path).map_err(failed(path))?;
    let parent = path.parent().unwrap_or(path);
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed(parent))
}

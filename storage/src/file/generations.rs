//! The files of a store by number: `image-N` is the state before the first commit of `journal-N`.
//!
//! What is damaged keeps a name of its own, also when its number is given up: it may be all that somebody
//! has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::backend::BackendError;
use crate::files::{aside, create_dir, io_error, remove_if_there, sync_dir};
use crate::store_lock;

const IMAGE: &str = "image-";
const JOURNAL: &str = "journal-";
/// The image of the first version of this backend, which had no journal and only one image.
const FIRST_IMAGE: &str = "image";
const UNFINISHED: &str = "image.tmp";

/// Which images and journals a store has.
#[derive(Debug)]
pub(super) struct Generations {
    dir: PathBuf,
    /// Held for as long as the store is open: two processes would write the same journal.
    _lock: fs::File,
    pub(super) images: BTreeSet<u64>,
    pub(super) journals: BTreeSet<u64>,
}

impl Generations {
    /// Looks into a store's directory, makes it if it is not there, and removes an image that was not
    /// finished.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn of(dir: PathBuf) -> Result<Self, BackendError> {
        create_dir(&dir)?;
        let lock = store_lock::take(&dir)?;
        let mut found =
            Self { dir, _lock: lock, images: BTreeSet::new(), journals: BTreeSet::new() };
        found.remove_unfinished()?;
        for entry in fs::read_dir(&found.dir).map_err(io_error("read", &found.dir))? {
            let name = entry.map_err(io_error("read", &found.dir))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(number) = number(name, IMAGE) {
                found.images.insert(number);
            } else if let Some(number) = number(name, JOURNAL) {
                found.journals.insert(number);
            }
        }
        found.adopt_first_image()?;
        Ok(found)
    }

    fn adopt_first_image(&mut self) -> Result<(), BackendError> {
        let first = self.dir.join(FIRST_IMAGE);
        let is_there = first.try_exists().map_err(io_error("look for", &first))?;
        if is_there && self.images.is_empty() && self.journals.is_empty() {
            let path = self.image(0);
            fs::rename(&first, &path).map_err(io_error("rename to", &path))?;
            sync_dir(&self.dir)?;
            self.images.insert(0);
        }
        Ok(())
    }

    /// Removes an image that was not finished, if there is one.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn remove_unfinished(&self) -> Result<(), BackendError> {
        remove_if_there(&self.unfinished())
    }

    /// Where an image is.
    pub(super) fn image(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{IMAGE}{number}"))
    }

    /// Where a journal is.
    pub(super) fn journal(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{JOURNAL}{number}"))
    }

    /// Where an image is written before it is one.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.dir.join(UNFINISHED)
    }

    /// The store's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The greatest number in use.
    pub(super) fn last(&self) -> u64 {
        self.images.last().max(self.journals.last()).copied().unwrap_or(0)
    }

    /// Gives a damaged file a second name, under which it stays. Returns that.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn keep_aside(&self, path: &Path) -> Result<PathBuf, BackendError> {
        let aside = aside(path)?;
        // Not every file system has second names.
        fs::hard_link(path, &aside)
            .or_else(|_| fs::copy(path, &aside).map(drop))
            .map_err(io_error("put aside", path))?;
        sync_dir(&self.dir)?;
        Ok(aside)
    }

    /// Removes damaged images and journals that were kept aside, once nothing needs them any more.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn drop_damaged(
        &mut self,
        images: &[u64],
        journals: &[u64],
    ) -> Result<(), BackendError> {
        for number in images {
            remove_if_there(&self.image(*number))?;
            self.images.remove(number);
        }
        for number in journals {
            remove_if_there(&self.journal(*number))?;
            self.journals.remove(number);
        }
        sync_dir(&self.dir)
    }

    /// Removes what the two newest images make needless.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no; it is tried again after the next image.
    pub(super) fn drop_old(&mut self) -> Result<(), BackendError> {
        let Some(oldest) = self.images.iter().rev().nth(1).copied() else { return Ok(()) };
        while let Some(image) = self.images.first().copied().filter(|image| *image < oldest) {
            remove_if_there(&self.image(image))?;
            self.images.remove(&image);
        }
        while let Some(journal) = self.journals.first().copied().filter(|at| *at < oldest) {
            remove_if_there(&self.journal(journal))?;
            self.journals.remove(&journal);
        }
        Ok(())
    }

    /// Bytes of all images and journals but the last journal, which grows.
    pub(super) fn settled_bytes(&self) -> u64 {
        let images: u64 = self.images.iter().map(|number| length(&self.image(*number))).sum();
        images + self.journal_bytes_from(0)
    }

    /// Bytes of the journals since the last image, but for the last one, which grows.
    pub(super) fn older_journal_bytes(&self) -> u64 {
        self.journal_bytes_from(self.images.last().copied().unwrap_or(0))
    }

    fn journal_bytes_from(&self, first: u64) -> u64 {
        let last = self.journals.last();
        let journals = self.journals.range(first..).filter(|number| Some(*number) != last);
        journals.map(|number| length(&self.journal(*number))).sum()
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

fn number(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

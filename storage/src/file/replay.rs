//! Brings back what a store's files hold: an image, and every commit after it.
//!
//! A record is taken when it is newer than what is there, so it does not matter that an image was walked
//! while commits went on. Of damaged files all that can be read is taken too; but after the first damage
//! no frontier is believed any more, so peers give back what is missing.

use std::fs;
use std::path::Path;

use gridkv_protocol::Record;
use gridkv_protocol::op::KeyedRecord;

use super::generations::{Generations, io_error};
use super::image::{Base, ImageError, ImageReader};
use super::journal::{Entry, JournalReader, NextEntry};
use crate::backend::BackendError;
use crate::map::RecordMap;
use crate::registry::Progress;

/// What was brought back.
pub(super) struct Replay<'a> {
    map: &'a RecordMap,
    progress: &'a Progress,
    done: u64,
    total: u64,
    /// What the records honour.
    pub(super) base: Base,
    /// No commit is known to be missing so far.
    whole: bool,
    /// Images and journals that are damaged.
    pub(super) damaged_images: Vec<u64>,
    pub(super) damaged_journals: Vec<u64>,
    /// Bytes of the last journal up to which it is whole.
    pub(super) last_length: u64,
    /// What an operator should know.
    pub(super) notes: Vec<String>,
}

impl<'a> Replay<'a> {
    /// Reads everything that the files hold into `map`.
    ///
    /// # Errors
    /// [`BackendError`] when a file can not be read, or was written by a later program.
    pub(super) fn run(
        files: &Generations,
        map: &'a RecordMap,
        progress: &'a Progress,
    ) -> Result<Self, BackendError> {
        let mut replay = Self {
            map,
            progress,
            done: 0,
            total: 0,
            base: Base::default(),
            whole: true,
            damaged_images: Vec::new(),
            damaged_journals: Vec::new(),
            last_length: 0,
            notes: Vec::new(),
        };
        let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
        let journals = files.journals.iter().map(|number| length(&files.journal(*number)));
        replay.total = journals.sum();
        let first = replay.images(files, &length)?;
        for number in files.journals.range(first..) {
            replay.journal(files, *number)?;
        }
        Ok(replay)
    }

    /// Reads the newest image that is whole. Returns its number, and with it the first journal's.
    fn images(
        &mut self,
        files: &Generations,
        length: &impl Fn(&Path) -> u64,
    ) -> Result<u64, BackendError> {
        for number in files.images.iter().rev().copied() {
            let path = files.image(number);
            self.total += length(&path);
            match self.image(&path) {
                Ok(base) => {
                    self.base = base;
                    return Ok(number);
                }
                Err(ImageError::Io(source)) => return Err(io_error("read", &path)(source)),
                Err(ImageError::Foreign(version)) => {
                    return Err(BackendError::Foreign {
                        path: path.display().to_string(),
                        version,
                    });
                }
                Err(error) => {
                    self.damaged_images.push(number);
                    self.notes.push(format!("{} is damaged: {error}", path.display()));
                }
            }
        }
        // Without any image the first journal has to be the first that ever was.
        self.whole = files.images.is_empty();
        Ok(0)
    }

    fn image(&mut self, path: &Path) -> Result<Base, ImageError> {
        let mut reader = ImageReader::open(path)?;
        let before = self.done;
        while let Some(block) = reader.next_block()? {
            let records = block.records()?;
            reader.count(records.len());
            self.take(records).map_err(|_| ImageError::Damaged)?;
            self.done = before + reader.position();
            self.progress.at(self.done, self.total);
        }
        Ok(reader.base().clone())
    }

    fn journal(&mut self, files: &Generations, number: u64) -> Result<(), BackendError> {
        let path = files.journal(number);
        let failed = io_error("read", &path);
        let mut reader = JournalReader::open(&path).map_err(&failed)?;
        let (before, was_whole) = (self.done, self.whole);
        let is_last = files.journals.last() == Some(&number);
        loop {
            match reader.next().map_err(&failed)? {
                NextEntry::Entry(entry) => self.entry(entry)?,
                NextEntry::End => break,
                NextEntry::Torn if is_last => {
                    let bytes = reader.length() - reader.position();
                    self.notes.push(format!(
                        "{} ended within a commit; its last {bytes} bytes were cut",
                        path.display()
                    ));
                    break;
                }
                NextEntry::Torn | NextEntry::Damaged => {
                    self.whole = false;
                    self.damaged_journals.push(number);
                    self.notes.push(format!(
                        "{} is damaged after {} of {} bytes",
                        path.display(),
                        reader.position(),
                        reader.length()
                    ));
                    break;
                }
                NextEntry::Foreign(version) => {
                    return Err(BackendError::Foreign {
                        path: path.display().to_string(),
                        version,
                    });
                }
            }
            self.done = before + reader.position();
            self.progress.at(self.done, self.total);
        }
        if was_whole && !self.whole && self.damaged_journals.last() != Some(&number) {
            self.damaged_journals.push(number);
            self.notes.push(format!("commits are missing before or in {}", path.display()));
        }
        self.last_length = reader.position();
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<(), BackendError> {
        let Entry { serial, floor, moved, records } = entry;
        if serial <= self.base.serial {
            return Ok(()); // of a file that was removed, and is still seen: it is in the image
        }
        self.whole &= serial == self.base.serial + 1;
        self.base.serial = serial;
        self.base.floor = self.base.floor.max(floor);
        if self.whole {
            for (origin, upto) in moved {
                self.base.frontier.advance(origin, upto);
            }
        }
        self.take(records)
    }

    fn take(&self, records: Vec<KeyedRecord>) -> Result<(), BackendError> {
        for KeyedRecord { key, record } in records {
            let standing = self.map.get(key.as_str());
            if Record::judge(standing.as_ref(), &record).replaces() {
                self.map.put(&key, &record)?;
            }
        }
        Ok(())
    }

    /// Whether every file was whole, but for a tail that was torn.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged_images.is_empty() && self.damaged_journals.is_empty()
    }
}

//! Brings back what a store's files hold: an image, and every commit after it.
//!
//! A record is taken when it is newer than what is there, so it does not matter that an image was walked
//! while commits went on. Of damaged files all that can be read is taken too; but after the first damage
//! no frontier is believed any more, so peers give back what is missing.

use std::fs;
use std::path::Path;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record};

use super::ahead::read_ahead;
use super::generations::{Generations, io_error};
use super::image::{Base, ImageError, ImageReader};
use super::journal::{Entry, JournalReader, NextEntry};
use crate::backend::BackendError;
use crate::map::RecordMap;
use crate::packed::Packed;
use crate::registry::Progress;
use crate::tally::Tally;

/// Records ready to be put, and what they amount to if none is there yet.
struct Pieces {
    packed: Vec<Packed>,
    tally: Tally,
    /// Bytes of the file up to here.
    position: u64,
}

/// What comes next in a journal, with its records made ready.
enum Step {
    Entry(Entry, Pieces),
    End,
    Torn,
    Damaged,
    Foreign(u8),
}

impl Pieces {
    fn of((records, position): (Vec<KeyedRecord>, u64)) -> Self {
        let mut tally = Tally::default();
        let mut pack = |keyed: &KeyedRecord| {
            tally.hold(&keyed.key, &keyed.record);
            Packed::new(&keyed.key, &keyed.record)
        };
        let packed = records.iter().map(&mut pack).collect();
        Self { packed, tally, position }
    }
}

impl Step {
    fn of(next: NextEntry) -> Self {
        match next {
            NextEntry::Entry(mut entry) => {
                let pieces = Pieces::of((std::mem::take(&mut entry.records), 0));
                Self::Entry(entry, pieces)
            }
            NextEntry::End => Self::End,
            NextEntry::Torn => Self::Torn,
            NextEntry::Damaged => Self::Damaged,
            NextEntry::Foreign(version) => Self::Foreign(version),
        }
    }
}

/// What was brought back.
pub(super) struct Replay<'a> {
    map: &'a RecordMap,
    progress: &'a Progress,
    done: u64,
    total: u64,
    /// Counts and deadlines of the records.
    pub(super) tally: Tally,
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
            tally: Tally::default(),
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
        let (base, length, before) = (reader.base().clone(), reader.length(), self.done);
        let mut room = None;
        read_ahead(
            || reader.next_records().map(|block| block.map(Pieces::of)).transpose(),
            |block| {
                let pieces = block?;
                if room.is_none() {
                    // As many more as this block suggests: the table need not grow step by step.
                    let blocks = length / pieces.position.max(1);
                    let blocks = usize::try_from(blocks).unwrap_or(usize::MAX);
                    room = self.map.reserve(pieces.packed.len().saturating_mul(blocks));
                }
                self.done = before + pieces.position;
                self.progress.at(self.done, self.total);
                self.take(pieces).map_err(|_| ImageError::Damaged)
            },
        )?;
        Ok(base)
    }

    fn journal(&mut self, files: &Generations, number: u64) -> Result<(), BackendError> {
        let path = files.journal(number);
        let failed = io_error("read", &path);
        let mut reader = JournalReader::open(&path).map_err(&failed)?;
        let (length, before, was_whole) = (reader.length(), self.done, self.whole);
        let is_last = files.journals.last() == Some(&number);
        self.last_length = 0;
        let mut ended = false;
        let next = || {
            let next = if ended { None } else { Some(reader.next()) };
            ended = !matches!(next, Some(Ok(NextEntry::Entry(_))));
            next.map(|next| (next.map(Step::of), reader.position()))
        };
        read_ahead(next, |(step, position)| {
            match step.map_err(&failed)? {
                Step::Entry(entry, pieces) => self.entry(&entry, pieces)?,
                Step::End => {}
                Step::Torn if is_last => self.notes.push(format!(
                    "{} ended within a commit; its last {} bytes were cut",
                    path.display(),
                    length - position
                )),
                Step::Torn | Step::Damaged => {
                    self.whole = false;
                    self.damaged_journals.push(number);
                    self.notes.push(format!(
                        "{} is damaged after {position} of {length} bytes",
                        path.display()
                    ));
                }
                Step::Foreign(version) => {
                    return Err(BackendError::Foreign {
                        path: path.display().to_string(),
                        version,
                    });
                }
            }
            self.last_length = position;
            self.done = before + position;
            self.progress.at(self.done, self.total);
            Ok(())
        })?;
        if was_whole && !self.whole && self.damaged_journals.last() != Some(&number) {
            self.damaged_journals.push(number);
            self.notes.push(format!("commits are missing before or in {}", path.display()));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, pieces: Pieces) -> Result<(), BackendError> {
        let Entry { serial, floor, moved, .. } = entry;
        if *serial <= self.base.serial {
            return Ok(()); // of a file that was removed, and is still seen: it is in the image
        }
        self.whole &= *serial == self.base.serial + 1;
        self.base.serial = *serial;
        self.base.floor = self.base.floor.max(*floor);
        if self.whole {
            for (origin, upto) in moved {
                self.base.frontier.advance(*origin, *upto);
            }
        }
        self.take(pieces)
    }

    /// Puts records, each unless a newer one is there.
    fn take(&mut self, pieces: Pieces) -> Result<(), BackendError> {
        self.tally.join(pieces.tally);
        for packed in pieces.packed {
            let Some(standing) = self.map.exchange(packed.clone())? else { continue };
            let (Some(old), Some(new)) = (standing.record(), packed.record()) else { continue };
            let key = Key::new(packed.key_text()).map_err(|_| BackendError::Poisoned)?;
            if Record::judge(Some(&old), &new).replaces() {
                self.tally.release(&key, &old);
            } else {
                self.tally.release(&key, &new);
                self.map.exchange(standing)?;
            }
        }
        Ok(())
    }

    /// Whether every file was whole, but for a tail that was torn.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged_images.is_empty() && self.damaged_journals.is_empty()
    }
}

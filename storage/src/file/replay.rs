//! Brings back what a store's files hold: an image, and every commit after it.
//!
//! A record is taken when it is newer than what is there, so it does not matter that an image was walked
//! while commits went on. A damaged file is read up to its first damage, and the journals after it are
//! read too; but from the first damage on no frontier is believed, so peers give back what is missing.

use std::fs;
use std::io;
use std::path::Path;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Record, Version};

use super::ahead::read_ahead;
use super::generations::Generations;
use super::image::{Base, ImageError, ImageReader};
use super::journal::{Entry, JournalReader, NextEntry};
use crate::backend::BackendError;
use crate::files::io_error;
use crate::map::RecordMap;
use crate::packed::Packed;
use crate::registry::Progress;
use crate::tally::Tally;

/// Records ready to be put.
type Packs = Vec<Packed>;

/// A block of an image, made ready.
struct Block {
    packs: Packs,
    /// What its records amount to if none of them is there yet.
    tally: Tally,
    /// Bytes of the image up to its end.
    position: u64,
}

/// What comes next in a journal, with its records made ready.
enum Step {
    Entry(Entry, Packs),
    End,
    Torn,
    Damaged,
    Foreign(u8),
}

/// Steps that are handed over together: a thread is woken for each lot.
struct Lot {
    /// Each with the bytes of the journal up to its end.
    steps: Vec<(io::Result<Step>, u64)>,
    /// What their records amount to if none of them is there yet.
    tally: Tally,
}

/// Steps of a lot, at most.
const STEPS: usize = 256;
/// Bytes of a lot, at most, unless a single commit has more: a few lots wait in memory at a time.
const LOT_BYTES: u64 = 1 << 20;

fn pack(records: &[KeyedRecord], tally: &mut Tally) -> Packs {
    let pack = |keyed: &KeyedRecord| {
        tally.hold(&keyed.key, &keyed.record);
        Packed::new(&keyed.key, &keyed.record)
    };
    records.iter().map(pack).collect()
}

impl Block {
    fn of((records, position): (Vec<KeyedRecord>, u64)) -> Self {
        let mut tally = Tally::default();
        let packs = pack(&records, &mut tally);
        Self { packs, tally, position }
    }
}

impl Step {
    fn of(next: NextEntry, tally: &mut Tally) -> Self {
        match next {
            NextEntry::Entry(mut entry) => {
                let packs = pack(&std::mem::take(&mut entry.records), tally);
                Self::Entry(entry, packs)
            }
            NextEntry::End => Self::End,
            NextEntry::Torn => Self::Torn,
            NextEntry::Damaged => Self::Damaged,
            NextEntry::Foreign(version) => Self::Foreign(version),
        }
    }
}

impl Lot {
    /// The next steps of a journal; none after its end.
    fn next(reader: &mut JournalReader, ended: &mut bool) -> Option<Self> {
        let (mut steps, mut tally) = (Vec::new(), Tally::default());
        let start = reader.position();
        while !*ended && steps.len() < STEPS && reader.position() - start < LOT_BYTES {
            let next = reader.next();
            *ended = !matches!(next, Ok(NextEntry::Entry(_)));
            steps.push((next.map(|next| Step::of(next, &mut tally)), reader.position()));
        }
        (!steps.is_empty()).then_some(Self { steps, tally })
    }

    /// About as many records as a journal of `length` bytes has, if it goes on as it begins.
    fn expected(&self, length: u64) -> usize {
        let records = |(step, _): &(io::Result<Step>, u64)| match step {
            Ok(Step::Entry(_, packs)) => packs.len(),
            Ok(Step::End | Step::Torn | Step::Damaged | Step::Foreign(_)) | Err(_) => 0,
        };
        let read = self.steps.last().map_or(1, |(_, position)| *position).max(1);
        let lots = usize::try_from(length / read).unwrap_or(usize::MAX);
        self.steps.iter().map(records).sum::<usize>().saturating_mul(lots)
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
    /// The journal that is read now is damaged, or commits before it are missing.
    harmed: bool,
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
            harmed: false,
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
            || reader.next_records().map(|block| block.map(Block::of)).transpose(),
            |block| {
                let Block { packs, tally, position } = block?;
                if room.is_none() {
                    // As many as this block suggests: the table need not grow step by step.
                    let blocks = usize::try_from(length / position.max(1)).unwrap_or(usize::MAX);
                    room = self.map.reserve(packs.len().saturating_mul(blocks));
                }
                self.tally.join(tally);
                self.take(packs).map_err(|_| ImageError::Damaged)?;
                self.done = before + position;
                self.progress.at(self.done, self.total);
                Ok::<(), ImageError>(())
            },
        )?;
        Ok(base)
    }

    fn journal(&mut self, files: &Generations, number: u64) -> Result<(), BackendError> {
        let path = files.journal(number);
        let mut reader = JournalReader::open(&path).map_err(io_error("read", &path))?;
        let (length, before) = (reader.length(), self.done);
        self.harmed = false;
        let is_last = files.journals.last() == Some(&number);
        self.last_length = 0;
        let (mut ended, mut room) = (false, None);
        read_ahead(
            || Lot::next(&mut reader, &mut ended),
            |lot| {
                if room.is_none() {
                    room = self.map.reserve(lot.expected(length));
                }
                self.tally.join(lot.tally);
                for (step, position) in lot.steps {
                    let step = step.map_err(io_error("read", &path))?;
                    self.step(step, &path, is_last, (position, length))?;
                    self.last_length = position;
                }
                self.done = before + self.last_length;
                self.progress.at(self.done, self.total);
                Ok::<(), BackendError>(())
            },
        )?;
        if self.harmed {
            self.damaged_journals.push(number);
        }
        Ok(())
    }

    fn step(
        &mut self,
        step: Step,
        path: &Path,
        is_last: bool,
        (position, length): (u64, u64),
    ) -> Result<(), BackendError> {
        let path = path.display();
        match step {
            Step::Entry(entry, packs) => {
                let was_whole = self.whole;
                self.entry(&entry, packs)?;
                if was_whole && !self.whole {
                    self.harmed = true;
                    self.notes.push(format!("commits are missing before or in {path}"));
                }
            }
            Step::End => {}
            Step::Torn if is_last => self.notes.push(format!(
                "{path} ended within a commit; its last {} bytes were cut",
                length - position
            )),
            Step::Torn | Step::Damaged => {
                (self.whole, self.harmed) = (false, true);
                self.notes.push(format!("{path} is damaged after {position} of {length} bytes"));
            }
            Step::Foreign(version) => {
                return Err(BackendError::Foreign { path: path.to_string(), version });
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, packs: Packs) -> Result<(), BackendError> {
        let Entry { serial, floor, moved, removed, clears, .. } = entry;
        if *serial <= self.base.serial {
            // Of a file that was removed, and is still seen: it is in the image.
            return packs.iter().try_for_each(|packed| {
                let held = self.map.get(packed.key_text());
                self.uncount(packed, held.as_ref())
            });
        }
        self.whole &= *serial == self.base.serial + 1;
        self.base.serial = *serial;
        if *clears {
            self.base = Base { serial: *serial, ..Base::default() };
            self.tally = Tally::default();
            return self.map.clear();
        }
        // Past damage nothing is claimed: no frontier, no floor above it, which would keep out what peers give
        // back, and no removal, which was right only with what is missing.
        if self.whole {
            self.base.floor = self.base.floor.max(*floor);
            for (origin, upto) in moved {
                self.base.frontier.advance(*origin, *upto);
            }
            removed.iter().try_for_each(|(key, version)| self.remove(key, *version))?;
        }
        self.take(packs)
    }

    /// Removes a record, unless a newer one is there: an image that was walked later.
    fn remove(&mut self, key: &Key, version: Version) -> Result<(), BackendError> {
        let held = self.map.get(key.as_str());
        if let Some(gone) = held.filter(|held| held.version <= version) {
            self.tally.release(key, &gone, None);
            self.map.remove(key.as_str())?;
        }
        Ok(())
    }

    /// Puts records that are counted, each unless a newer one is there.
    fn take(&mut self, packs: Packs) -> Result<(), BackendError> {
        for packed in packs {
            let Some(standing) = self.map.exchange(packed.clone())? else { continue };
            let old = standing.record().ok_or_else(lost)?;
            let new = packed.record().ok_or_else(lost)?;
            if Record::judge(Some(&old), &new).replaces() {
                self.uncount(&standing, Some(&new))?;
            } else {
                self.uncount(&packed, Some(&old))?;
                self.map.exchange(standing)?;
            }
        }
        Ok(())
    }

    /// Takes a record that is not there out of the count; `held` is what is under its key.
    fn uncount(&mut self, gone: &Packed, held: Option<&Record>) -> Result<(), BackendError> {
        let key = Key::new(gone.key_text()).map_err(|_| lost())?;
        self.tally.release(&key, &gone.record().ok_or_else(lost)?, held);
        Ok(())
    }

    /// Whether every file was whole, but for a tail that was torn.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged_images.is_empty() && self.damaged_journals.is_empty()
    }
}

/// A record that was packed a moment ago can not be read: memory is not what it should be.
fn lost() -> BackendError {
    BackendError::Poisoned
}

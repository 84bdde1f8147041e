//! The `file` backend: a map in memory, a journal of every commit, and images of the map now and then.
//!
//! A commit is appended to the journal before it is readable, so the end of the process loses nothing;
//! it is brought to the disk before it is answered, or every persist interval. When the journal outgrows
//! the last image a new image is written beside it (temporary file, fsync, rename, fsync of the
//! directory: a power cut leaves the old one or the new one). Writes go on meanwhile: the walk is not a
//! point in time, but everything that it may have missed is in the journal that began before it.
//!
//! The last two images and the journals since the older one are kept. What is damaged is put aside.

mod ahead;
mod frames;
mod generations;
mod image;
mod journal;
mod replay;

use std::fs;
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use gridkv_protocol::{Frontier, Hlc, Key, Record};

use crate::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Room, Walk,
};
use crate::durability::Durability;
use crate::files::{io_error, sync_dir};
use crate::map::{RecordMap, WALK_CHUNK};
use crate::registry::{OpenError, OpenRequest, Progress};
use crate::settings::{Compression, Settings};

use self::generations::Generations;
use self::image::{Base, ImageError, ImageWriter};
use self::journal::{Journal, Segment};
use self::replay::Replay;

/// A journal is not worth an image before it has as many bytes, however small the last image is.
const SMALLEST_OUTGROWN_BYTES: u64 = 16 << 20;
/// Bytes of an image after which they are brought to the disk: a journal's fsync would otherwise wait
/// until all of it is there.
const IMAGE_SYNC_BYTES: u64 = 4 << 20;

/// Records in memory, and on disk.
struct File {
    map: RecordMap,
    durability: Durability,
    compression: Compression,
    /// Held from the append of a commit until it is in the map: an image begins between commits.
    journal: Mutex<Journal>,
    /// Held while an image is written. The files belong to whoever writes one.
    files: Mutex<Generations>,
    image_bytes: AtomicU64,
    /// Of the journals since the last image, but for the one that grows.
    older_bytes: AtomicU64,
    settled_bytes: AtomicU64,
    journal_bytes: AtomicU64,
}

/// Opens the store of `request.dir`, and reads its files.
///
/// # Errors
/// [`OpenError`] without a directory, or when the directory can not be read. Damage is no error: what is
/// damaged is put aside under another name, what can be read is taken, and peers give back the rest.
pub(crate) fn open(request: &OpenRequest) -> Result<(Arc<dyn Backend>, Recovered), OpenError> {
    let store = request.store.clone();
    let dir = request.dir.clone().ok_or(OpenError::NeedsDirectory { store: store.clone() })?;
    Generations::of(dir)
        .and_then(|files| File::open(files, &request.settings, &request.progress))
        .map(|(file, recovered)| (Arc::new(file) as Arc<dyn Backend>, recovered))
        .map_err(|source| OpenError::Backend { store, source })
}

impl File {
    fn open(
        mut files: Generations,
        settings: &Settings,
        progress: &Progress,
    ) -> Result<(Self, Recovered), BackendError> {
        let map = RecordMap::default();
        let replay = Replay::run(&files, &map, progress)?;
        let is_whole = replay.is_whole();
        let (damaged_images, damaged_journals) = (replay.damaged_images, replay.damaged_journals);
        let (base, tally, mut warnings) = (replay.base, replay.tally, replay.notes);
        let number = files.journals.last().copied().filter(|last| *last >= files.last());
        let segment = match number {
            Some(number) if is_whole => Segment::reopen(files.journal(number), replay.last_length)?,
            _ => next_segment(&mut files)?,
        };
        let file = Self {
            map,
            durability: settings.durability,
            compression: settings.compression,
            journal: Mutex::new(Journal::new(segment, base.clone())),
            image_bytes: AtomicU64::new(0),
            older_bytes: AtomicU64::new(0),
            settled_bytes: AtomicU64::new(0),
            journal_bytes: AtomicU64::new(0),
            files: Mutex::new(files),
        };
        if !is_whole {
            let mut files = file.files.lock().map_err(|_| BackendError::Poisoned)?;
            let images = damaged_images.iter().map(|number| files.image(*number));
            let damaged =
                images.chain(damaged_journals.iter().map(|number| files.journal(*number)));
            for path in damaged.collect::<Vec<_>>() {
                warnings.push(put_aside_note(&files.keep_aside(&path)?));
            }
            let number = files.last();
            file.write_image(&mut files, number, &base)?;
            files.drop_damaged(&damaged_images, &damaged_journals)?;
        }
        let files = file.files.lock().map_err(|_| BackendError::Poisoned)?;
        file.measure(&files)?;
        drop(files);
        let Base { frontier, floor, .. } = base;
        let index = Some(tally.into_index(&frontier));
        Ok((file, Recovered { frontier, floor, index, warnings }))
    }

    /// Counts the bytes of its files.
    fn measure(&self, files: &Generations) -> Result<(), BackendError> {
        let image = files.images.last().map(|number| files.image(*number));
        let image_bytes = image.and_then(|path| fs::metadata(path).ok()).map_or(0, |it| it.len());
        self.image_bytes.store(image_bytes, Ordering::Relaxed);
        self.settled_bytes.store(files.settled_bytes(), Ordering::Relaxed);
        self.older_bytes.store(files.older_journal_bytes(), Ordering::Relaxed);
        self.journal_bytes.store(self.journal()?.length(), Ordering::Relaxed);
        Ok(())
    }

    fn journal(&self) -> Result<MutexGuard<'_, Journal>, BackendError> {
        self.journal.lock().map_err(|_| BackendError::Poisoned)
    }

    fn put(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        let durability = commit.durability.max(self.durability);
        let mut journal = self.journal().map_err(CommitError::Unknown)?;
        let changes = !commit.records.is_empty() || !commit.removed.is_empty();
        if !changes && commit.floor <= journal.floor() {
            // Time that was closed without a change is written with the next change, or the next flush.
            journal.check().map_err(CommitError::Unknown)?;
            journal.moves(commit.moved);
            return Ok(Durability::Memory);
        }
        journal.append(commit)?;
        if durability == Durability::Fsync {
            journal.sync().map_err(CommitError::Unknown)?;
        }
        self.map.take(commit).map_err(CommitError::Unknown)?;
        self.journal_bytes.store(journal.length(), Ordering::Relaxed);
        Ok(durability)
    }

    /// Brings the journal to the disk, the file before it first, while commits go on.
    fn sync_beside(&self) -> Result<(), BackendError> {
        let journals = self.journal()?.files();
        for (file, path) in journals {
            file.sync_data().map_err(|error| {
                if let Ok(mut journal) = self.journal() {
                    journal.fail();
                }
                io_error("sync", &path)(error)
            })?;
            self.journal()?.settle(&path);
        }
        Ok(())
    }

    /// Begins a new journal and writes the image that it goes on from.
    fn renew(&self) -> Result<(), BackendError> {
        let mut files = self.files.lock().map_err(|_| BackendError::Poisoned)?;
        let segment = next_segment(&mut files)?;
        let number = files.last();
        let base = self.journal()?.turn_to(segment);
        self.measure(&files)?;
        self.sync_beside()?;
        let written = self.write_image(&mut files, number, &base);
        if written.is_err() {
            // What it took of the disk is given back: commits may wait for the room.
            files.remove_unfinished()?;
        }
        written?;
        let dropped = files.drop_old();
        self.measure(&files)?;
        dropped
    }

    fn write_image(
        &self,
        files: &mut Generations,
        number: u64,
        base: &Base,
    ) -> Result<(), BackendError> {
        let unfinished = files.unfinished();
        let failed = io_error("write", &unfinished);
        let out = self.write_records(&unfinished, base).map_err(|error| {
            if let ImageError::Io(source) = error {
                failed(source)
            } else {
                BackendError::Encode(error.to_string())
            }
        })?;
        out.sync_all().map_err(&failed)?;
        // The walk may have seen commits of which the journal is not on the disk yet.
        self.sync_beside()?;
        let path = files.image(number);
        fs::rename(&unfinished, &path).map_err(io_error("rename to", &path))?;
        sync_dir(files.dir())?;
        files.images.insert(number);
        Ok(())
    }

    fn write_records(&self, path: &Path, base: &Base) -> Result<fs::File, ImageError> {
        let out = io::BufWriter::with_capacity(1 << 18, fs::File::create(path)?);
        let mut image = ImageWriter::start(out, self.compression, base)?;
        let (mut from, mut synced): (Option<Key>, u64) = (None, 0);
        loop {
            let bound = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
            let walk = self
                .map
                .list(bound, WALK_CHUNK)
                .map_err(|error| ImageError::Io(io::Error::other(error)))?;
            image.block(&walk.records)?;
            if image.bytes() - synced > IMAGE_SYNC_BYTES {
                synced = image.bytes();
                image.out().flush()?;
                image.out().get_ref().sync_data()?;
            }
            from = walk.next;
            if from.is_none() {
                break;
            }
        }
        let out = image.finish()?;
        out.into_inner().map_err(|error| ImageError::Io(error.into_error()))
    }
}

/// A new journal after everything that is there.
fn next_segment(files: &mut Generations) -> Result<Segment, BackendError> {
    let is_first = files.images.is_empty() && files.journals.is_empty();
    let number = if is_first { 0 } else { files.last() + 1 };
    let segment = Segment::create(files.journal(number), files.dir())?;
    files.journals.insert(number);
    Ok(segment)
}

fn put_aside_note(aside: &Path) -> String {
    format!("what is damaged was renamed to {}; peers give back what is missing", aside.display())
}

impl Backend for File {
    fn promises(&self) -> Promises {
        Promises {
            persistent: true,
            cache: false,
            hot_tier: false,
            reads_disk: false,
            durability: self.durability,
            best: Durability::Fsync,
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        Ok(self.map.get(key))
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        self.put(commit)
    }

    fn clear(&self) -> Result<(), CommitError> {
        let mut journal = self.journal().map_err(CommitError::Unknown)?;
        journal.clear()?;
        self.map.clear().map_err(CommitError::Unknown)?;
        self.journal_bytes.store(journal.length(), Ordering::Relaxed);
        Ok(())
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        self.map.list(from, limit)
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        let noted = {
            let mut journal = self.journal()?;
            let noted = journal.note(frontier, floor);
            self.journal_bytes.store(journal.length(), Ordering::Relaxed);
            noted
        };
        if !matches!(noted, Err(CommitError::Unknown(_))) {
            // Also on a full disk: what was acknowledged must reach it.
            self.sync_beside()?;
        }
        noted.map_err(CommitError::into_cause)
    }

    fn compact(&self) -> Result<bool, BackendError> {
        let image_bytes = self.image_bytes.load(Ordering::Relaxed);
        let outgrown = image_bytes.max(SMALLEST_OUTGROWN_BYTES);
        // Journals of images that could not be written count too: then it is tried again.
        let older_bytes = self.older_bytes.load(Ordering::Relaxed);
        if older_bytes + self.journal_bytes.load(Ordering::Relaxed) < outgrown {
            return Ok(false);
        }
        self.renew().map(|()| true)
    }

    fn rewrite(&self) -> Result<bool, BackendError> {
        self.renew().map(|()| true)
    }

    fn rewrites(&self) -> bool {
        true
    }

    fn room(&self, records: usize) -> Option<Box<dyn Room + '_>> {
        let room = self.map.room(records)?;
        Some(Box::new(room))
    }

    fn footprint(&self) -> Footprint {
        let settled = self.settled_bytes.load(Ordering::Relaxed);
        let journal = self.journal_bytes.load(Ordering::Relaxed);
        Footprint {
            disk_bytes: Some(settled + journal),
            structure_bytes: self.map.structure_bytes(),
            ..Footprint::default()
        }
    }
}

// CAVEATS: a reader can see one half of a commit while it is put into the map; on the disk a commit is
// all or nothing. After a power cut a journal may have holes where commits were not brought to the disk:
// it is read up to the first, the journals after it are read too, and no frontier is believed from there.

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;

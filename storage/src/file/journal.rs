//! The journal: every commit, appended before it is readable, under a checksum and a serial number.
//!
//! A commit that can not be appended is cut off again, so that a full disk changes nothing. After a
//! failed fsync what is on the disk is not known: the journal takes nothing more.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridkv_protocol::codec::{decode, encode_into};
use gridkv_protocol::frame::{Format, HEADER_BYTES};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Version};
use serde::{Deserialize, Serialize};

use super::frames::{FrameReader, Next};
use super::image::Base;
use crate::backend::{BackendError, Commit, CommitError};
use crate::files::{io_error, sync_dir};

/// Journals, in their second version. The first had only commits that put records.
pub(super) const FORMAT: Format = Format { magic: *b"GKVJ", version: 2 };

const COMMIT: u8 = 1;
const COMMIT_WITH_REMOVALS: u8 = 2;
const CLEAR: u8 = 3;

/// The buffer for a commit is given back to the system when one was larger than this.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// A commit as it is written.
#[derive(Serialize)]
struct Row<'a> {
    serial: u64,
    floor: Hlc,
    moved: &'a [(Origin, Hlc)],
    records: &'a [KeyedRecord],
}

/// A commit from which records go.
#[derive(Serialize)]
struct RemovalRow<'a> {
    row: Row<'a>,
    /// The keys, and the versions that their records had.
    removed: Vec<(&'a Key, Version)>,
}

/// That everything before is gone.
#[derive(Serialize, Deserialize)]
struct ClearRow {
    serial: u64,
}

/// A commit as it is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Entry {
    /// One more than that of the commit before.
    pub(super) serial: u64,
    pub(super) floor: Hlc,
    pub(super) moved: Vec<(Origin, Hlc)>,
    pub(super) records: Vec<KeyedRecord>,
    /// Keys whose record went, if it was not newer than this.
    #[serde(skip)]
    pub(super) removed: Vec<(Key, Version)>,
    /// Everything before it is gone.
    #[serde(skip)]
    pub(super) clears: bool,
}

/// A commit with removals as it is read.
#[derive(Deserialize)]
struct RemovalEntry {
    entry: Entry,
    removed: Vec<(Key, Version)>,
}

impl Entry {
    /// The entry of a frame; `None` when it is none.
    fn read(kind: u8, payload: &[u8]) -> Option<Self> {
        match kind {
            COMMIT => decode(payload).ok(),
            COMMIT_WITH_REMOVALS => {
                let RemovalEntry { entry, removed } = decode(payload).ok()?;
                Some(Self { removed, ..entry })
            }
            CLEAR => {
                let ClearRow { serial } = decode(payload).ok()?;
                Some(Self { serial, clears: true, ..Self::default() })
            }
            _ => None,
        }
    }
}

/// The journal that grows.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Arc<File>,
    length: u64,
    /// What the state up to the last commit honours, as it is written.
    written: Base,
    /// What moved without being written yet: it is written with the next commit.
    ahead: Frontier,
    /// The file before this one, until all of it is on the disk.
    before: Option<(Arc<File>, PathBuf)>,
    buffer: Vec<u8>,
    failed: bool,
}

/// A journal's file, ready to be appended to.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Segment {
    /// Makes a new file, so that it is there after a power cut.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn create(path: PathBuf, dir: &Path) -> Result<Self, BackendError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(io_error("create", &path))?;
        file.sync_all().map_err(io_error("sync", &path))?;
        sync_dir(dir)?;
        Ok(Self { path, file, length: 0 })
    }

    /// Opens a file to go on at `length`, and cuts what is behind.
    ///
    /// # Errors
    /// [`BackendError::Io`] when the system says no.
    pub(super) fn reopen(path: PathBuf, length: u64) -> Result<Self, BackendError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        file.set_len(length).map_err(io_error("cut", &path))?;
        file.sync_all().map_err(io_error("sync", &path))?;
        Ok(Self { path, file, length })
    }
}

#[cfg(test)]
impl Segment {
    /// A file that can be neither appended to nor cut.
    pub(super) fn read_only(path: PathBuf) -> Self {
        let file = File::open(&path).unwrap();
        Self { path, file, length: 0 }
    }
}

impl Journal {
    /// Goes on in `segment` after what `written` says.
    pub(super) fn new(segment: Segment, written: Base) -> Self {
        let Segment { path, file, length } = segment;
        Self {
            path,
            file: Arc::new(file),
            length,
            written,
            ahead: Frontier::default(),
            before: None,
            buffer: Vec::new(),
            failed: false,
        }
    }

    /// Demands that it takes commits.
    ///
    /// # Errors
    /// [`BackendError::Poisoned`] when an fsync failed before, or an append that could not be cut off.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        if self.failed { Err(BackendError::Poisoned) } else { Ok(()) }
    }

    /// Notes how far origins have moved without a change; it is written with the next commit.
    pub(super) fn moves(&mut self, moved: &[(Origin, Hlc)]) {
        for (origin, upto) in moved {
            self.ahead.advance(*origin, *upto);
        }
    }

    /// Appends a commit. It survives the process when this returns.
    ///
    /// # Errors
    /// [`CommitError`], which says whether the commit may be there after a restart.
    pub(super) fn append(&mut self, commit: &Commit<'_>) -> Result<(), CommitError> {
        self.check().map_err(CommitError::Unknown)?;
        // Not yet part of what is ahead: a commit that is not made moves nothing.
        let mut ahead = self.ahead.clone();
        for (origin, upto) in commit.moved {
            ahead.advance(*origin, *upto);
        }
        let moved: Vec<(Origin, Hlc)> = ahead.iter().collect();
        let row = Row {
            serial: self.written.serial + 1,
            floor: commit.floor,
            moved: &moved,
            records: commit.records,
        };
        if commit.removed.is_empty() {
            self.encode(COMMIT, &row).map_err(CommitError::Unchanged)?;
        } else {
            let removed = commit.removed.iter().map(|keyed| (&keyed.key, keyed.record.version));
            let row = RemovalRow { row, removed: removed.collect() };
            self.encode(COMMIT_WITH_REMOVALS, &row).map_err(CommitError::Unchanged)?;
        }
        self.write()?;
        self.written.serial += 1;
        self.written.floor = self.written.floor.max(commit.floor);
        for (origin, upto) in moved {
            self.written.frontier.advance(origin, upto);
        }
        self.ahead = Frontier::default();
        Ok(())
    }

    /// Appends that everything is gone.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub(super) fn clear(&mut self) -> Result<(), CommitError> {
        self.check().map_err(CommitError::Unknown)?;
        let serial = self.written.serial + 1;
        self.encode(CLEAR, &ClearRow { serial }).map_err(CommitError::Unchanged)?;
        self.write()?;
        self.written = Base { serial, ..Base::default() };
        self.ahead = Frontier::default();
        Ok(())
    }

    /// Appends what is not written yet of a frontier and a floor, if anything.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub(super) fn note(&mut self, frontier: &Frontier, floor: Hlc) -> Result<(), CommitError> {
        self.check().map_err(CommitError::Unknown)?;
        let moved: Vec<(Origin, Hlc)> = frontier
            .iter()
            .filter(|(origin, upto)| self.written.frontier.get(*origin) < *upto)
            .collect();
        if moved.is_empty() && floor <= self.written.floor {
            return Ok(());
        }
        self.append(&Commit { moved: &moved, floor, ..Commit::default() })
    }

    fn encode(&mut self, kind: u8, row: &impl Serialize) -> Result<(), BackendError> {
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.buffer.resize(HEADER_BYTES, 0);
        let failed = |error: &dyn std::error::Error| BackendError::Encode(error.to_string());
        encode_into(&mut self.buffer, row).map_err(|error| failed(&error))?;
        FORMAT.seal(kind, &mut self.buffer).map_err(|error| failed(&error))
    }

    fn write(&mut self) -> Result<(), CommitError> {
        if let Err(error) = self.file.write_all_at(&self.buffer, self.length) {
            let error = io_error("append to", &self.path)(error);
            // A part of it may be there: a restart would cut it, and so must the next commit.
            if self.file.set_len(self.length).is_err() {
                self.failed = true;
                return Err(CommitError::Unknown(error));
            }
            return Err(CommitError::Unchanged(error));
        }
        self.length += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Brings every commit so far to the disk.
    ///
    /// # Errors
    /// [`BackendError::Io`]: the journal takes nothing more.
    pub(super) fn sync(&mut self) -> Result<(), BackendError> {
        for (file, path) in self.files() {
            file.sync_data().map_err(|error| {
                self.fail();
                io_error("sync", &path)(error)
            })?;
        }
        self.before = None;
        Ok(())
    }

    /// The files that may not be on the disk yet, in order, to be brought there while commits go on.
    pub(super) fn files(&self) -> Vec<(Arc<File>, PathBuf)> {
        let own = (Arc::clone(&self.file), self.path.clone());
        self.before.iter().cloned().chain([own]).collect()
    }

    /// The file before this one is on the disk.
    pub(super) fn settle(&mut self, synced: &Path) {
        self.before.take_if(|(_, path)| path == synced);
    }

    /// What was appended may not be there: nothing more is taken.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// Goes on in another file. What was appended so far is the base of the image that belongs to it.
    pub(super) fn turn_to(&mut self, segment: Segment) -> Base {
        let Segment { path, file, length } = segment;
        let file = std::mem::replace(&mut self.file, Arc::new(file));
        self.before = Some((file, std::mem::replace(&mut self.path, path)));
        self.length = length;
        self.written.clone()
    }

    /// The floor, as it is written.
    pub(super) fn floor(&self) -> Hlc {
        self.written.floor
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// A journal's commits, as they are read.
pub(super) struct JournalReader {
    frames: FrameReader,
}

/// What comes next in a journal.
pub(super) enum NextEntry {
    /// A commit.
    Entry(Entry),
    /// The journal ends.
    End,
    /// The journal ends within a commit, which was never acknowledged.
    Torn,
    /// What follows is no commit.
    Damaged,
    /// The journal was written by a later program.
    Foreign(u8),
}

impl JournalReader {
    /// Opens a journal.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { frames: FrameReader::open(path, FORMAT)? })
    }

    /// Reads the next commit.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn next(&mut self) -> io::Result<NextEntry> {
        Ok(match self.frames.next()? {
            Next::Frame { kind, payload, .. } => {
                Entry::read(kind, &payload).map_or(NextEntry::Damaged, NextEntry::Entry)
            }
            Next::Damaged => NextEntry::Damaged,
            Next::End => NextEntry::End,
            Next::Torn => NextEntry::Torn,
            Next::Foreign(version) => NextEntry::Foreign(version),
        })
    }

    /// Bytes of the whole commits read so far.
    pub(super) fn position(&self) -> u64 {
        self.frames.position()
    }

    /// Bytes of the journal.
    pub(super) fn length(&self) -> u64 {
        self.frames.length()
    }
}

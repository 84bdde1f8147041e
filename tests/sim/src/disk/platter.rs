//! What is on a simulated disk, what of it is readable, and what becomes of it when things break.

use std::collections::BTreeMap;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Origin, Record};
use gridkv_storage::backend::Commit;

use super::Mode;
use crate::dice::Dice;

/// Entries of a journal before it is folded into the image.
const MOST_ENTRIES: usize = 24;

/// A record that was put under a key, or let go, for those who watch.
#[derive(Clone, Debug)]
pub struct Touch {
    /// The key.
    pub key: Key,
    /// The record.
    pub record: Record,
}

/// What breaks a disk while nobody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A flipped byte in a commit of the journal: it and some that follow can not be read.
    Journal,
    /// A flipped byte in the image: none of it can be read.
    Image,
}

#[derive(Clone, Debug, Default)]
struct Image {
    records: BTreeMap<Key, Record>,
    frontier: Frontier,
    floor: Hlc,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    records: Vec<KeyedRecord>,
    removed: Vec<Key>,
    moved: Vec<(Origin, Hlc)>,
    floor: Hlc,
    damaged: bool,
}

/// The files of one store, and its memory while a process has it open.
#[derive(Clone, Debug)]
pub struct Platter {
    mode: Mode,
    image: Option<Image>,
    journal: Vec<Entry>,
    /// Entries of the journal that a power cut does not take.
    synced: usize,
    /// Time that was closed without a record waits for the next commit that has one.
    idle: Vec<(Origin, Hlc)>,
    pub(super) readable: BTreeMap<Key, Record>,
    floor: Hlc,
    /// No commit fits any more.
    full: bool,
    /// The next sync fails.
    breaks: bool,
    touched: Vec<Touch>,
    gone: Vec<Touch>,
    commits: u64,
    emptied: bool,
}

impl Platter {
    /// An empty one.
    #[must_use]
    pub fn empty(mode: Mode) -> Self {
        Self {
            mode,
            image: Some(Image::default()),
            journal: Vec::new(),
            synced: 0,
            idle: Vec::new(),
            readable: BTreeMap::new(),
            floor: Hlc::ZERO,
            full: false,
            breaks: false,
            touched: Vec::new(),
            gone: Vec::new(),
            commits: 0,
            emptied: false,
        }
    }

    /// How it keeps commits.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// From now on nothing fits, or all does again.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Whether nothing fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The next sync fails.
    pub fn break_next_sync(&mut self) {
        self.breaks = self.mode.persists();
    }

    pub(super) fn takes_sync(&mut self) -> bool {
        !std::mem::take(&mut self.breaks)
    }

    /// Records that were put since the last call, in order.
    pub fn take_touched(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.touched)
    }

    /// Records that were let go since the last call, in order.
    pub fn take_gone(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.gone)
    }

    /// Whether somebody emptied it since the last call.
    pub fn take_emptied(&mut self) -> bool {
        std::mem::take(&mut self.emptied)
    }

    /// Commits that were made since it was opened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// What is readable, by key.
    #[must_use]
    pub fn readable(&self) -> &BTreeMap<Key, Record> {
        &self.readable
    }

    /// Appends a commit. It is readable at once, and not synced.
    pub(super) fn append(&mut self, commit: &Commit<'_>) {
        self.commits += 1;
        for keyed in commit.records {
            self.readable.insert(keyed.key.clone(), keyed.record.clone());
            self.touched.push(Touch { key: keyed.key.clone(), record: keyed.record.clone() });
        }
        for keyed in commit.removed {
            self.readable.remove(&keyed.key);
            self.gone.push(Touch { key: keyed.key.clone(), record: keyed.record.clone() });
        }
        if !self.mode.persists() {
            return;
        }
        let changes = commit.records.len() + commit.removed.len();
        if changes == 0 && commit.floor <= self.floor {
            self.idle.extend_from_slice(commit.moved);
            return;
        }
        self.floor = commit.floor.max(self.floor);
        let mut moved = std::mem::take(&mut self.idle);
        moved.extend_from_slice(commit.moved);
        let removed = commit.removed.iter().map(|keyed| keyed.key.clone()).collect();
        let (records, floor) = (commit.records.to_vec(), self.floor);
        self.journal.push(Entry { records, removed, moved, floor, damaged: false });
    }

    /// Empties it, for good.
    pub(super) fn clear(&mut self) {
        let gone = std::mem::take(&mut self.readable);
        self.gone.extend(gone.into_iter().map(|(key, record)| Touch { key, record }));
        (self.image, self.synced) = (Some(Image::default()), 0);
        self.journal.clear();
        self.idle.clear();
        self.floor = Hlc::ZERO;
        self.commits += 1;
        self.emptied = true;
    }

    /// Everything that was appended survives a power cut from now on.
    pub(super) fn sync(&mut self) {
        if self.journal.len() > MOST_ENTRIES {
            self.fold();
        }
        self.synced = self.journal.len();
    }

    /// Notes where a flush found the frontier, and syncs.
    pub(super) fn note(&mut self, frontier: &Frontier, floor: Hlc) {
        self.idle.clear();
        self.floor = self.floor.max(floor);
        let (moved, floor) = (frontier.iter().collect(), self.floor);
        self.journal.push(Entry { moved, floor, ..Entry::default() });
        self.sync();
    }

    /// Makes an image of all that the journal holds.
    fn fold(&mut self) {
        let mut image = self.image.take().unwrap_or_default();
        for entry in self.journal.drain(..) {
            image.take(entry, true);
        }
        self.image = Some(image);
        self.synced = 0;
    }

    /// The process is gone. What it had only in memory is lost.
    pub fn lose_process(&mut self) {
        if self.mode == Mode::Volatile {
            *self = Self::empty(self.mode);
        }
        self.idle.clear();
        self.readable.clear();
        self.touched.clear();
        self.gone.clear();
        (self.full, self.breaks) = (false, false);
    }

    /// The power is gone: commits that were not synced are lost from some point on. The one at the cut may
    /// be torn, which is the same: its checksum says so.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        let unsynced = self.journal.len().saturating_sub(self.synced);
        self.journal.truncate(self.synced + dice.index(unsynced + 1));
        self.lose_process();
    }

    /// A copy is made of it: of what was synced, which is what the disk itself has for good.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut copy = self.clone();
        copy.journal.truncate(copy.synced);
        copy.lose_process();
        copy
    }

    /// Something flips a byte. Says what it hit, if it hit anything.
    pub fn damage(&mut self, dice: &mut Dice) -> Option<Damage> {
        let hit = dice.index(self.journal.len() + 1);
        if let Some(entry) = self.journal.get_mut(hit) {
            entry.damaged = true;
            return Some(Damage::Journal);
        }
        let empty = |image: &Image| image.records.is_empty() && image.frontier.is_empty();
        if self.image.as_ref().is_none_or(empty) {
            return None; // there is no byte to flip
        }
        self.image = None;
        Some(Damage::Image)
    }

    /// Reads what is there, as a store that is opened does. Damage costs the records that it hit and all
    /// belief in frontiers from there on.
    pub(super) fn open(&mut self) -> (Frontier, Hlc) {
        let mut whole = self.image.is_some();
        let mut image = self.image.take().unwrap_or_default();
        let mut readable = true;
        for (at, entry) in self.journal.drain(..).enumerate() {
            if entry.damaged {
                (whole, readable) = (false, false);
            } else if !readable && at.is_multiple_of(MOST_ENTRIES / 4) {
                readable = true; // another file
            }
            if readable {
                image.take(entry, whole);
            }
        }
        self.readable.clone_from(&image.records);
        (self.floor, self.synced, self.commits) = (image.floor, 0, 0);
        let recovered = (image.frontier.clone(), image.floor);
        self.image = Some(image);
        recovered
    }
}

impl Image {
    fn take(&mut self, entry: Entry, believed: bool) {
        for KeyedRecord { key, record } in entry.records {
            self.records.insert(key, record);
        }
        if believed {
            for key in entry.removed {
                self.records.remove(&key);
            }
            self.floor = self.floor.max(entry.floor);
            for (origin, upto) in entry.moved {
                self.frontier.advance(origin, upto);
            }
        }
    }
}

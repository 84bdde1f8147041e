//! A look at the engine's journals before the engine reads them, because it does not look closely.
//!
//! fjall cuts a journal at the first byte that it can not read, and says nothing. At the end of the
//! last journal that is well: what is cut there is the newest, and the frontier was in it. But commits
//! that are missing in the middle, with later ones behind them, are claimed by the frontier of those.
//! So every journal but the last must be whole, none may be missing between two, and the engine's
//! numbers of commits, which its checksums do not cover, must grow. If not, the frontier is not to be
//! believed. Nothing is changed here.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::registry::Progress;

/// The first bytes of a commit, an item, the end of a commit, and the removal of everything.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;

/// What the end of a commit ends with.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Bytes of a commit's start after its first, of an item's head after its first, and of an end.
const START_BYTES: usize = 4 + 8;
const ITEM_BYTES: usize = 1 + 1 + 8 + 2 + 4 + 4;
const END_BYTES: usize = 8 + 4;

/// A number of a commit that is this much later than the one before was not counted up to.
const LARGEST_STEP: u64 = 1 << 40;

/// Looks at the journals of `dir`. Returns what is wrong when commits may be missing in the middle.
///
/// # Errors
/// [`io::Error`] when they can not be read.
pub(super) fn gap(dir: &Path, progress: &Progress) -> io::Result<Option<String>> {
    let mut journals = Vec::new();
    for found in fs::read_dir(dir)? {
        let path = found?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| is_journal) {
            journals.push((number, path));
        }
    }
    journals.sort_unstable();
    let Some((last, _)) = journals.last().cloned() else {
        return Ok(Some("its journal is missing".to_owned()));
    };
    let sizes = journals.iter().map(|(_, path)| Ok(fs::metadata(path)?.len()));
    let total = sizes.sum::<io::Result<u64>>()?;
    let (mut before, mut newest, mut done) = (None, None, 0);
    for (number, path) in journals {
        if before.is_some_and(|before: u64| before + 1 != number) {
            return Ok(Some(format!("the journal before {} is missing", path.display())));
        }
        before = Some(number);
        let mut scan = Scan::of(&path)?;
        while let Some(commit) = scan.commit()? {
            let in_order = newest.is_none_or(|newest| commit > newest)
                && commit < newest.unwrap_or(commit).saturating_add(LARGEST_STEP);
            if !in_order {
                return Ok(Some(format!("{} is not in order", path.display())));
            }
            newest = Some(commit);
            progress.at(done + scan.position, total);
        }
        if number != last && !scan.rest_is_zero()? {
            return Ok(Some(format!("{} is damaged", path.display())));
        }
        done += scan.length;
    }
    Ok(None)
}

/// Where each commit of a journal ends.
#[cfg(test)]
pub(super) fn ends(journal: &Path) -> io::Result<Vec<u64>> {
    let (mut scan, mut ends) = (Scan::of(journal)?, Vec::new());
    while scan.commit()?.is_some() {
        ends.push(scan.whole);
    }
    Ok(ends)
}

/// A journal, read commit by commit.
struct Scan {
    file: BufReader<File>,
    length: u64,
    /// Up to here it was read.
    position: u64,
    /// Up to here its commits are whole.
    whole: u64,
    buffer: Vec<u8>,
}

impl Scan {
    fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let file = BufReader::with_capacity(1 << 18, file);
        Ok(Self { file, length, position: 0, whole: 0, buffer: Vec::new() })
    }

    /// The number of the next commit; `None` where no whole one follows.
    fn commit(&mut self) -> io::Result<Option<u64>> {
        if self.take(1)? != Some(&[START]) {
            return Ok(None);
        }
        let Some(&[n0, n1, n2, n3, ref number @ ..]) = self.take(START_BYTES)? else {
            return Ok(None);
        };
        let items = u32::from_le_bytes([n0, n1, n2, n3]);
        let Ok(number) = <[u8; 8]>::try_from(number).map(u64::from_le_bytes) else {
            return Ok(None);
        };
        let mut hash = Xxh3::new();
        for _ in 0..items {
            if !self.item(&mut hash)? {
                return Ok(None);
            }
        }
        if self.take(1)? != Some(&[END]) {
            return Ok(None);
        }
        let Some((sum, trailer)) = self.take(END_BYTES)?.and_then(<[u8]>::split_first_chunk) else {
            return Ok(None);
        };
        if u64::from_le_bytes(*sum) != hash.digest() || trailer != TRAILER {
            return Ok(None);
        }
        self.whole = self.position;
        Ok(Some(number))
    }

    /// Reads an item; says whether there was one.
    fn item(&mut self, hash: &mut Xxh3) -> io::Result<bool> {
        if self.take(1)? != Some(&[ITEM]) {
            return Ok(false);
        }
        hash.update(&[ITEM]);
        let Some(head) = self.take(ITEM_BYTES)? else { return Ok(false) };
        hash.update(head);
        let [.., k0, k1, _, _, _, _, v0, v1, v2, v3] = *head else { return Ok(false) };
        let key = u64::from(u16::from_le_bytes([k0, k1]));
        let value = u64::from(u32::from_le_bytes([v0, v1, v2, v3]));
        let Ok(length) = usize::try_from(key + value) else { return Ok(false) };
        let Some(body) = self.take(length)? else { return Ok(false) };
        hash.update(body);
        Ok(true)
    }

    /// The next bytes; `None` when the file ends before.
    fn take(&mut self, length: usize) -> io::Result<Option<&[u8]>> {
        let bytes = u64::try_from(length).unwrap_or(u64::MAX);
        if bytes > self.length.saturating_sub(self.position) {
            return Ok(None);
        }
        self.buffer.resize(length, 0);
        self.file.read_exact(&mut self.buffer)?;
        self.position += bytes;
        Ok(Some(&self.buffer))
    }

    /// Whether nothing but unused room follows the last whole commit.
    fn rest_is_zero(&mut self) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(self.whole))?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(true),
                length => {
                    if buffer.iter().take(length).any(|byte| *byte != 0) {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

// CAVEATS: the format is fjall's own, of its version 3; a test writes a journal with fjall and reads it
// here, and fails when they disagree. If a later fjall writes more kinds of entries, a whole journal
// looks damaged: the store then asks its peers for everything, and loses nothing. Of the oldest commit,
// a number that was lowered is not noticed: one flip of 64 bits of the first commit.

#[cfg(test)]
#[path = "journal_test.rs"]
mod tests;

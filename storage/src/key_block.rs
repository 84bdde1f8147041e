//! A block of sorted keys, each without the bytes that it shares with the one before.
//!
//! Keys of one store look alike: of `user:00000000123` after `user:00000000122` one byte is stored, and
//! two that say how many are shared and how many follow. A block is searched from its start, so it is
//! kept short; who owns it splits it.

use std::cmp::Ordering;
use std::ops::Range;

use crate::chunk;

/// Blocks grow by this: small steps waste little, large ones save moves.
const STEP_BYTES: usize = 256;

/// Numbers below this take one byte, others two.
const ONE_BYTE: usize = 0x80;

/// Bytes of the two numbers before a suffix, at most.
const MOST_HEAD_BYTES: usize = 4;

/// Sorted keys, of which none comes twice.
#[derive(Debug, Default)]
pub(crate) struct KeyBlock {
    bytes: Vec<u8>,
    count: usize,
}

/// A key as it stands in a block: `shared` bytes of the key before it, then `suffix`.
struct Entry<'a> {
    shared: usize,
    suffix: &'a [u8],
}

/// Where a key is, or would be.
enum Place {
    /// It is there, from this byte on.
    Here(usize),
    /// It is not there.
    Gap {
        /// The byte at which its entry would start.
        at: usize,
        /// Bytes that it shares with the key before.
        with_before: usize,
        /// Bytes that it shares with the key after.
        with_after: usize,
    },
}

/// What became of a key that was to be inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It was there before.
    Already,
    /// It is there now.
    Amid,
    /// It is there now, and is the greatest of its block.
    Last,
}

impl KeyBlock {
    /// Adds a key.
    pub(crate) fn insert(&mut self, key: &[u8]) -> Inserted {
        let Place::Gap { at, with_before, with_after } = self.place(key) else {
            return Inserted::Already;
        };
        let mut new = Vec::with_capacity(key.len() + 2 * MOST_HEAD_BYTES);
        push(&mut new, with_before, &[key.get(with_before..).unwrap_or_default()]);
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        let Some(after) = Entry::take(&mut rest) else {
            self.replace(at..at, &new);
            self.count += 1;
            return Inserted::Last;
        };
        // The key after now shares with this one, at least as much as with the one before. What is
        // not shared stays where it is: only the head of its entry is written anew.
        let more = with_after.saturating_sub(after.shared);
        let follows = after.suffix.len().saturating_sub(more);
        push_head(&mut new, with_after, follows);
        let end = self.bytes.len() - rest.len() - follows;
        self.replace(at..end, &new);
        self.count += 1;
        Inserted::Amid
    }

    /// Adds a key that is above all others, of which `before` is the greatest.
    pub(crate) fn push(&mut self, before: &[u8], key: &[u8]) {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        let mut new = Vec::with_capacity(key.len() + MOST_HEAD_BYTES);
        push(&mut new, shared, &[key.get(shared..).unwrap_or_default()]);
        self.replace(self.bytes.len()..self.bytes.len(), &new);
        self.count += 1;
    }

    /// Removes a key. Says whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Place::Here(at) = self.place(key) else { return false };
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        let Some(gone) = Entry::take(&mut rest) else { return false };
        self.count -= 1;
        let Some(after) = Entry::take(&mut rest) else {
            self.bytes.truncate(at);
            return true;
        };
        // The key after gets back what it shared with the removed one only.
        let back = after.shared.saturating_sub(gone.shared);
        let back = gone.suffix.get(..back).unwrap_or_default();
        let mut new = Vec::with_capacity(back.len() + after.suffix.len() + MOST_HEAD_BYTES);
        push(&mut new, after.shared.min(gone.shared), &[back, after.suffix]);
        let end = self.bytes.len() - rest.len();
        self.replace(at..end, &new);
        true
    }

    /// Moves the keys from the middle on (or only the last one) into a block of their own. Returns a
    /// text that is above all keys which stay and not above any that moved; `None` when there is
    /// only one key.
    pub(crate) fn split(&mut self, only_last: bool) -> Option<(Box<[u8]>, Self)> {
        let middle = if only_last { self.bytes.len() } else { self.bytes.len() / 2 };
        let (mut rest, mut key) = (self.bytes.as_slice(), Vec::new());
        let (mut at, mut shared, mut count) = (0, 0, 0);
        // The first entry from the middle on, or the last: the entry that ends the left half.
        while at == 0 || at < middle {
            let start = self.bytes.len() - rest.len();
            let Some(entry) = Entry::take(&mut rest) else { break };
            (at, shared, count) = (start, entry.shared, count + 1);
            entry.unfold(&mut key);
        }
        if at == 0 {
            return None;
        }
        // The last of those that were read begins the right half.
        let stay = count - 1;
        let bytes = Vec::with_capacity(sized(MOST_HEAD_BYTES + key.len() + rest.len()));
        let mut right = Self { bytes, count: self.count - stay };
        push(&mut right.bytes, 0, &[&key]);
        right.bytes.extend_from_slice(rest);
        let separator = key.get(..=shared).unwrap_or(&key).into();
        self.count = stay;
        // Anew, and not cut short: the room of a full block is right for the next that fills up.
        let mut left = Vec::with_capacity(sized(at));
        left.extend_from_slice(self.bytes.get(..at).unwrap_or_default());
        self.bytes = left;
        Some((separator, right))
    }

    /// Adds the keys of a block that come after all of this one.
    pub(crate) fn append(&mut self, later: &Self) {
        // The first key of a block shares nothing, so what it stands behind does not matter.
        self.bytes.extend_from_slice(&later.bytes);
        self.count += later.count;
    }

    /// Shows each key in order until `visit` says that it has enough.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&[u8]) -> bool) {
        let (mut rest, mut key) = (self.bytes.as_slice(), Vec::with_capacity(64));
        while let Some(entry) = Entry::take(&mut rest) {
            entry.unfold(&mut key);
            if !visit(&key) {
                return;
            }
        }
    }

    /// Number of keys.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of its keys as they are stored.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that it holds for them.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Finds a key without building any other: what an entry shares with the one before it says on
    /// which side of `key` it is, except where both share as much as `key` does.
    fn place(&self, key: &[u8]) -> Place {
        let mut rest = self.bytes.as_slice();
        let mut with_before = 0;
        loop {
            let at = self.bytes.len() - rest.len();
            let Some(Entry { shared, suffix }) = Entry::take(&mut rest) else {
                return Place::Gap { at, with_before, with_after: 0 };
            };
            match shared.cmp(&with_before) {
                Ordering::Greater => {}
                Ordering::Less => return Place::Gap { at, with_before, with_after: shared },
                Ordering::Equal => {
                    let wanted = key.get(shared..).unwrap_or_default();
                    let common = wanted.iter().zip(suffix).take_while(|(a, b)| a == b).count();
                    let with_this = shared + common;
                    // The first bytes that differ decide, and an end comes before any byte.
                    match suffix.get(common).cmp(&wanted.get(common)) {
                        Ordering::Less => with_before = with_this,
                        Ordering::Equal => return Place::Here(at),
                        Ordering::Greater => {
                            return Place::Gap { at, with_before, with_after: with_this };
                        }
                    }
                }
            }
        }
    }

    /// Writes `new` over a range of bytes.
    fn replace(&mut self, range: Range<usize>, new: &[u8]) {
        let needed = (self.bytes.len() + new.len()).saturating_sub(range.len());
        if needed > self.bytes.capacity() {
            let capacity = sized(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.splice(range, new.iter().copied());
    }
}

impl<'a> Entry<'a> {
    /// Reads an entry and moves on behind it.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let shared = take_number(rest)?;
        let length = take_number(rest)?;
        let (suffix, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(Self { shared, suffix })
    }

    /// Turns the key before into this one.
    fn unfold(&self, key: &mut Vec<u8>) {
        key.truncate(self.shared);
        key.extend_from_slice(self.suffix);
    }
}

/// The capacity for a number of bytes: an allocation of a whole number of steps, so that the room that
/// one block leaves when it grows is right for another.
fn sized(needed: usize) -> usize {
    (needed + chunk::HEAD_BYTES).next_multiple_of(STEP_BYTES) - chunk::HEAD_BYTES
}

/// Adds an entry, its suffix in parts.
fn push(bytes: &mut Vec<u8>, shared: usize, suffix: &[&[u8]]) {
    push_head(bytes, shared, suffix.iter().map(|part| part.len()).sum());
    for part in suffix {
        bytes.extend_from_slice(part);
    }
}

fn push_head(bytes: &mut Vec<u8>, shared: usize, length: usize) {
    push_number(bytes, shared);
    push_number(bytes, length);
}

/// Adds a number below 2^15, the great half first.
fn push_number(bytes: &mut Vec<u8>, number: usize) {
    let [.., high, low] = number.to_be_bytes();
    if number >= ONE_BYTE {
        bytes.push(high | 0x80);
    }
    bytes.push(low);
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let first = usize::from(first);
    if first < ONE_BYTE {
        return Some(first);
    }
    let (&low, after) = rest.split_first()?;
    *rest = after;
    Some((first - ONE_BYTE) << 8 | usize::from(low))
}

// CAVEATS: keys are at most 2^15 - 1 bytes long, which is far above what a key may have.

#[cfg(test)]
#[path = "key_block_test.rs"]
mod tests;

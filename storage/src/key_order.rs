//! The keys of a store in byte order, for walks: blocks of sorted keys under a map of where each begins.
//!
//! A `BTreeSet<Key>` takes 30 bytes per key, beside 48 for a key of 16 bytes itself. This takes 5 in all
//! when keys look alike and 20 when they are random, because keys are stored in blocks, each without
//! what it shares with the one before. It holds keys only, never records: an overwrite does not come
//! here at all.

use std::collections::BTreeMap;
use std::ops::Bound;

use gridkv_protocol::Key;

use crate::chunk;
use crate::key_block::{Inserted, KeyBlock};

/// Bytes of a block, at most, apart from a single long key: a search reads half a block. A new key may
/// exceed it by a little before the block is split.
const BLOCK_BYTES: usize = 2_048 - 64;

/// Bytes of a place in the map of blocks: four words for the block, two for where it begins, in
/// nodes that are three quarters full.
const PLACE_BYTES: usize = 64;

/// Keys in byte order, each once.
#[derive(Debug, Default)]
pub struct KeyOrder {
    /// Blocks by a text that is above all keys before the block and not above any in it. The first
    /// block stands under the empty text, so every key has one.
    blocks: BTreeMap<Box<[u8]>, KeyBlock>,
    bytes: usize,
    count: usize,
    /// The greatest key, or nothing. Images and pages bring keys in order: for those no block is searched.
    greatest: Vec<u8>,
}

/// A stretch of keys, on its own.
#[derive(Debug)]
pub struct KeyRun(KeyBlock);

impl KeyOrder {
    /// Adds a key. Says whether it is new.
    pub fn insert(&mut self, key: &str) -> bool {
        let key = key.as_bytes();
        let Some(block) = before(&mut self.blocks, key) else {
            let mut block = KeyBlock::default();
            block.insert(key);
            self.add_block(Box::default(), block);
            self.count += 1;
            self.greatest = self.last_key();
            return true;
        };
        let held = chunk::bytes(block.capacity());
        let inserted = if !self.greatest.is_empty() && key > self.greatest.as_slice() {
            block.push(&self.greatest, key);
            self.greatest.clear();
            self.greatest.extend_from_slice(key);
            Inserted::Last
        } else {
            block.insert(key)
        };
        // Keys that come in order fill block after block; others leave two halves.
        let half =
            if block.len() > BLOCK_BYTES { block.split(inserted == Inserted::Last) } else { None };
        self.bytes = self.bytes + chunk::bytes(block.capacity()) - held;
        if let Some((start, right)) = half {
            self.add_block(start, right);
        }
        let is_new = inserted != Inserted::Already;
        self.count += usize::from(is_new);
        is_new
    }

    /// Removes a key. Says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(block) = before(&mut self.blocks, key.as_bytes()) else { return false };
        let removed = block.remove(key.as_bytes());
        self.count -= usize::from(removed);
        if block.count() == 0 {
            let starts = self.blocks.range::<[u8], _>(up_to(key.as_bytes()));
            if let Some(start) = starts.map(|(start, _)| start.clone()).next_back() {
                self.remove_block(&start);
            }
        }
        if key.as_bytes() == self.greatest {
            self.greatest = self.last_key();
        }
        removed
    }

    fn last_key(&self) -> Vec<u8> {
        let mut last = Vec::new();
        if let Some((_, block)) = self.blocks.last_key_value() {
            block.visit(|key| {
                last.clear();
                last.extend_from_slice(key);
                true
            });
        }
        last
    }

    /// A copy of the blocks that have the keys from a bound on, up to `limit` of them. It is quick,
    /// because a lock is held meanwhile.
    #[must_use]
    pub fn run(&self, from: Bound<&str>, limit: usize) -> KeyRun {
        let text = match from {
            Bound::Included(text) | Bound::Excluded(text) => text.as_bytes(),
            Bound::Unbounded => &[],
        };
        let mut run = KeyBlock::default();
        let first = self.blocks.range::<[u8], _>(up_to(text)).next_back();
        if let Some((_, block)) = first {
            run.append(block);
        }
        // How many keys of the first block are before the bound is seen when it is read.
        let enough = run.count().saturating_add(limit);
        let mut later = self.blocks.range::<[u8], _>((Bound::Excluded(text), Bound::Unbounded));
        while run.count() < enough
            && let Some((_, block)) = later.next()
        {
            run.append(block);
        }
        KeyRun(run)
    }

    /// Number of keys.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn add_block(&mut self, start: Box<[u8]>, block: KeyBlock) {
        self.bytes += block_bytes(&start, &block);
        self.blocks.insert(start, block);
    }

    fn remove_block(&mut self, start: &[u8]) {
        if let Some(block) = self.blocks.remove(start) {
            self.bytes -= block_bytes(start, &block);
        }
    }
}

impl KeyRun {
    /// Keys from a bound on, at most `limit`: both as they were when the run was taken, or narrower.
    #[must_use]
    pub fn list(&self, from: Bound<&str>, limit: usize) -> Vec<Key> {
        let mut keys = Vec::with_capacity(limit.min(self.0.count()));
        self.0.visit(|key| {
            let is_in = match from {
                Bound::Included(from) => key >= from.as_bytes(),
                Bound::Excluded(from) => key > from.as_bytes(),
                Bound::Unbounded => true,
            };
            if is_in && keys.len() < limit {
                keys.extend(Key::from_bytes(key));
            }
            keys.len() < limit
        });
        keys
    }
}

fn up_to(key: &[u8]) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Unbounded, Bound::Included(key))
}

/// The block that a key is in, or would be.
fn before<'a>(
    blocks: &'a mut BTreeMap<Box<[u8]>, KeyBlock>,
    key: &[u8],
) -> Option<&'a mut KeyBlock> {
    blocks.range_mut::<[u8], _>(up_to(key)).next_back().map(|(_, block)| block)
}

fn block_bytes(start: &[u8], block: &KeyBlock) -> usize {
    PLACE_BYTES + chunk::bytes(start.len()) + chunk::bytes(block.capacity())
}

// CAVEATS: blocks that lose keys are not merged with their neighbours; an empty one goes.

#[cfg(test)]
#[path = "key_order_test.rs"]
mod tests;

//! The keys of a store in byte order, for walks: blocks of sorted keys under a map of where each begins.
//!
//! A `BTreeSet<Key>` takes some 90 bytes per key of 16 bytes; this takes 6 when keys look alike and some
//! 20 when they are random, because keys are stored in blocks, each without what it shares with the
//! one before. It holds keys only, never records: an overwrite does not come here at all.

use std::collections::BTreeMap;
use std::ops::Bound;

use gridkv_protocol::Key;

use crate::chunk;
use crate::key_block::{Inserted, KeyBlock};

/// Bytes of a block, at most, apart from a single long key: a search reads half a block.
const BLOCK_BYTES: usize = 1_024;

/// Bytes of a place in the map of blocks: three words for the block, two for where it begins, in
/// nodes that are three quarters full.
const PLACE_BYTES: usize = 56;

/// Keys in byte order, each once.
#[derive(Debug, Default)]
pub struct KeyOrder {
    /// Blocks by a text that is above all keys before the block and not above any in it. The first
    /// block stands under the empty text, so every key has one.
    blocks: BTreeMap<Box<[u8]>, KeyBlock>,
    bytes: usize,
}

impl KeyOrder {
    /// Adds a key. Says whether it is new.
    pub fn insert(&mut self, key: &Key) -> bool {
        let key = key.as_str().as_bytes();
        let Some(block) = before(&mut self.blocks, key) else {
            let mut block = KeyBlock::default();
            block.insert(key);
            self.add_block(Box::default(), block);
            return true;
        };
        let held = chunk::bytes(block.capacity());
        let inserted = block.insert(key);
        // Keys that come in order fill block after block; others leave two halves.
        let half =
            if block.len() > BLOCK_BYTES { block.split(inserted == Inserted::Last) } else { None };
        self.bytes = self.bytes + chunk::bytes(block.capacity()) - held;
        if let Some((start, right)) = half {
            self.add_block(start, right);
        }
        inserted != Inserted::Already
    }

    /// Removes a key. Says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(block) = before(&mut self.blocks, key.as_bytes()) else { return false };
        let removed = block.remove(key.as_bytes());
        if block.is_empty() {
            let starts = self.blocks.range::<[u8], _>(up_to(key.as_bytes()));
            if let Some(start) = starts.map(|(start, _)| start.clone()).next_back() {
                self.remove_block(&start);
            }
        }
        removed
    }

    /// Keys from a bound on, at most `limit`.
    #[must_use]
    pub fn list(&self, from: Bound<&str>, limit: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        let (Bound::Included(text) | Bound::Excluded(text)) = from else {
            let mut blocks = self.blocks.values();
            while blocks.next().is_some_and(|block| block.visit(|key| take(&mut keys, key, limit)))
            {
            }
            return keys;
        };
        let text = text.as_bytes();
        let is_in = |key: &[u8]| match from {
            Bound::Excluded(_) => key > text,
            Bound::Included(_) | Bound::Unbounded => key >= text,
        };
        let first = self.blocks.range::<[u8], _>(up_to(text)).next_back();
        let later = self.blocks.range::<[u8], _>((Bound::Excluded(text), Bound::Unbounded));
        let mut blocks = first.into_iter().chain(later);
        while blocks
            .next()
            .is_some_and(|(_, block)| block.visit(|key| !is_in(key) || take(&mut keys, key, limit)))
        {
        }
        keys
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

/// Adds a key to a list. Says whether there is room for another.
fn take(keys: &mut Vec<Key>, key: &[u8], limit: usize) -> bool {
    keys.extend(Key::from_bytes(key));
    keys.len() < limit
}

fn block_bytes(start: &[u8], block: &KeyBlock) -> usize {
    PLACE_BYTES + chunk::bytes(start.len()) + chunk::bytes(block.capacity())
}

// CAVEATS: blocks that lose keys are not merged with their neighbours; an empty one goes.

#[cfg(test)]
#[path = "key_order_test.rs"]
mod tests;

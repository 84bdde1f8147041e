//! The digest of a store's live records: two nodes with equal frontiers hold the same if their digests are
//! the same, and the buckets that differ say where they do not.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::limits::DIGEST_BUCKETS;
use crate::{Key, Version};

/// Sums of what is held, by bucket of keys. Adding and removing cost the same however much is held.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    buckets: Box<[u64]>,
    root: u64,
}

/// What a record adds to the digest, and to which bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The bucket of its key.
    pub bucket: u16,
    /// A hash of its key and version.
    pub hash: u64,
}

/// What a store says of its state at one moment. It proves something only beside another one of the same
/// frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The fingerprint of what was applied.
    pub frontier: u64,
    /// The root of the digest then.
    pub root: u64,
}

impl Mark {
    /// The mark of a record with this version under `key`.
    #[must_use]
    pub fn of(key: &Key, version: Version) -> Self {
        let key_hash = xxh3_64(key.as_str().as_bytes());
        let mut bytes = [0; 16];
        let (hlc, origin) = bytes.split_at_mut(8);
        hlc.copy_from_slice(&version.hlc.bits().to_be_bytes());
        origin.copy_from_slice(&version.origin.bits().to_be_bytes());
        Self { bucket: bucket_of_hash(key_hash), hash: xxh3_64_with_seed(&bytes, key_hash) }
    }
}

/// The bucket of a key.
#[must_use]
pub fn bucket_of(key: &Key) -> u16 {
    bucket_of_hash(xxh3_64(key.as_str().as_bytes()))
}

fn bucket_of_hash(hash: u64) -> u16 {
    let buckets = u64::try_from(DIGEST_BUCKETS).unwrap_or(1);
    u16::try_from(hash % buckets).unwrap_or(0)
}

impl Digest {
    /// Adds a record.
    pub fn add(&mut self, mark: Mark) {
        self.change(mark.bucket, |sum| sum.wrapping_add(mark.hash));
    }

    /// Removes a record that was added.
    pub fn remove(&mut self, mark: Mark) {
        self.change(mark.bucket, |sum| sum.wrapping_sub(mark.hash));
    }

    fn change(&mut self, bucket: u16, change: impl Fn(u64) -> u64) {
        let Some(sum) = self.buckets.get_mut(usize::from(bucket)) else { return };
        let before = *sum;
        *sum = change(before);
        let after = *sum;
        self.root = self.root.wrapping_sub(part(bucket, before)).wrapping_add(part(bucket, after));
    }

    /// One number for all buckets.
    #[must_use]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The sum of each bucket.
    #[must_use]
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }
}

/// What a bucket adds to the root; nothing when it is empty.
fn part(bucket: u16, sum: u64) -> u64 {
    if sum == 0 { 0 } else { xxh3_64_with_seed(&sum.to_be_bytes(), u64::from(bucket)) }
}

impl Default for Digest {
    fn default() -> Self {
        Self { buckets: vec![0; DIGEST_BUCKETS].into(), root: 0 }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:016x})", self.root)
    }
}

// CAVEATS: sums can be made to collide by who chooses keys and versions; this finds mistakes and damage, not
// forgeries by a member.

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hlc, Origin};

    fn mark(key: &str, hlc: u64) -> Mark {
        let version = Version { hlc: Hlc::from_bits(hlc), origin: Origin::from_bits(7) };
        Mark::of(&Key::new(key).unwrap(), version)
    }

    #[test]
    fn it_says_what_is_held_in_whatever_order_that_came() {
        let (mut a, mut b) = (Digest::default(), Digest::default());
        for at in 0..1_000 {
            a.add(mark(&at.to_string(), at));
            b.add(mark(&(999 - at).to_string(), 999 - at));
        }
        assert_eq!(a, b);
        a.remove(mark("17", 17));
        a.add(mark("17", 18));
        assert_ne!(a.root(), b.root());
        let bucket = bucket_of(&Key::new("17").unwrap());
        let sums = (0..).zip(a.buckets().iter().zip(b.buckets()));
        let differ = sums.filter(|(_, (in_a, in_b))| in_a != in_b).map(|(at, _)| at);
        assert_eq!(differ.collect::<Vec<u16>>(), [bucket]);
        assert_eq!(mark("17", 17).bucket, bucket);
        b.remove(mark("17", 17));
        b.add(mark("17", 18));
        assert_eq!(a, b);
        for at in 0..1_000 {
            let hlc = if at == 17 { 18 } else { at };
            a.remove(mark(&at.to_string(), hlc));
        }
        assert_eq!((a.root(), a), (0, Digest::default()));
    }
}

//! The keys the workload asks for, in random order, cheap to step through.

use std::fmt::Write;

/// Bytes in each key.
const KEY_BYTES: usize = 16;

/// The first number of keys that come and go during a walk; all others stay below it.
const TRANSIENT_FROM: u64 = 50_000_000_000;

/// Every `stable` key lies before this one in order.
pub const STABLE_END: &str = "user:50000000000";

/// A small generator (splitmix64): the benchmark needs speed and repeatability, not secrecy.
pub struct Random(u64);

impl Random {
    /// A generator with its own sequence.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Shuffled keys in one contiguous text, so that stepping through them costs no cache miss
/// of its own and the misses measured are the structure's.
pub struct Probes {
    text: String,
    count: usize,
}

impl Probes {
    /// The keys a candidate is loaded with: even numbers.
    pub fn loaded(count: usize, seed: u64) -> Self {
        Self::shuffled(count, seed, |index| index * 2)
    }

    /// Keys that are not there yet, spread evenly between those that are: odd numbers.
    pub fn fresh(count: usize, loaded: usize, seed: u64) -> Self {
        let step = (loaded / count.max(1)).max(1) as u64;
        Self::shuffled(count, seed, move |index| index * step * 2 + 1)
    }

    /// Keys beyond all others, for a writer that adds and removes.
    pub fn transient(count: usize, seed: u64) -> Self {
        Self::shuffled(count, seed, |index| TRANSIENT_FROM + index)
    }

    fn shuffled(count: usize, seed: u64, number: impl Fn(u64) -> u64) -> Self {
        let mut numbers: Vec<u64> = (0..count as u64).map(number).collect();
        let mut random = Random::seeded(seed);
        for last in (1..count).rev() {
            let other = random.next() % (last as u64 + 1);
            numbers.swap(last, usize::try_from(other).unwrap_or(last));
        }
        let mut text = String::with_capacity(count * KEY_BYTES);
        for number in numbers {
            // Writing to a String cannot fail.
            let _ = write!(text, "user:{number:011}");
        }
        Self { text, count }
    }

    /// Only the first of these keys.
    pub fn first_only(&self) -> Self {
        let text = self.at(0).to_owned();
        Self { text, count: 1 }
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// All keys, once.
    pub fn once(&self) -> impl Iterator<Item = &str> {
        (0..self.count).map(|index| self.at(index))
    }

    /// The keys from some place on, over and over.
    pub fn endless(&self, from: usize) -> impl Iterator<Item = &str> {
        let mut index = from % self.count.max(1);
        std::iter::from_fn(move || {
            let key = self.at(index);
            index += 1;
            if index == self.count {
                index = 0;
            }
            Some(key)
        })
    }

    fn at(&self, index: usize) -> &str {
        let start = index * KEY_BYTES;
        self.text.get(start..start + KEY_BYTES).unwrap_or_default()
    }
}

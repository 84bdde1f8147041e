//! The keys the workload asks for, in random order, cheap to step through.

use gridkv_bench::random::Random;
use gridkv_bench::workload;

/// Bytes in each key.
const KEY_BYTES: usize = 16;

/// The first number of keys that come and go during a walk; all others stay below it.
const TRANSIENT_FROM: usize = 50_000_000_000;

/// Every `stable` key lies before this one in order.
pub(crate) const STABLE_END: &str = "user:50000000000";

/// Shuffled keys in one contiguous text, so that stepping through them costs no cache miss
/// of its own and the misses measured are the structure's.
pub(crate) struct Probes {
    text: String,
    count: usize,
}

impl Probes {
    /// The keys a candidate is loaded with: even numbers.
    pub(crate) fn loaded(count: usize, seed: u64) -> Self {
        Self::shuffled(count, seed, |index| index * 2)
    }

    /// Keys that are not there yet, spread evenly between those that are: odd numbers.
    pub(crate) fn fresh(count: usize, loaded: usize, seed: u64) -> Self {
        let step = (loaded / count.max(1)).max(1);
        Self::shuffled(count, seed, move |index| index * step * 2 + 1)
    }

    /// Keys beyond all others, for a writer that adds and removes.
    pub(crate) fn transient(count: usize, seed: u64) -> Self {
        Self::shuffled(count, seed, |index| TRANSIENT_FROM + index)
    }

    fn shuffled(count: usize, seed: u64, number: impl Fn(usize) -> usize) -> Self {
        let mut numbers: Vec<usize> = (0..count).map(number).collect();
        Random::seeded(seed).shuffle(&mut numbers);
        let mut text = String::with_capacity(count * KEY_BYTES);
        text.extend(numbers.into_iter().map(workload::key));
        Self { text, count }
    }

    /// Only the first of these keys.
    pub(crate) fn first_only(&self) -> Self {
        let text = self.at(0).to_owned();
        Self { text, count: 1 }
    }

    /// How many keys there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// All keys, once.
    pub(crate) fn once(&self) -> impl Iterator<Item = &str> {
        (0..self.count).map(|index| self.at(index))
    }

    /// The keys from some place on, over and over.
    pub(crate) fn endless(&self, from: usize) -> impl Iterator<Item = &str> {
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

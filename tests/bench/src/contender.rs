//! What is measured beside each other: a store, and the bare library that does the same.

use std::error::Error;

use gridkv_protocol::Key;

use crate::random::Random;
use crate::workload;

/// Records of a batch.
pub const BATCH: usize = 100;

/// Keeps values by key. Making the key and the value belongs to every put, as it does to every request.
pub trait Contender {
    /// Puts a fresh value under each of these keys, with one commit.
    ///
    /// # Errors
    /// When it can not.
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>>;

    /// Reads the value under a key.
    ///
    /// # Errors
    /// When it can not, or there is none.
    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>>;

    /// Does so with all keys of a sample. Here, so that it is compiled for each contender.
    ///
    /// # Errors
    /// As for the others.
    fn work(&mut self, work: Work, sample: &Sample) -> Result<(), Box<dyn Error>> {
        match work {
            Work::Get => sample.keys.iter().try_for_each(|key| self.get(key)),
            Work::Put => sample.texts.chunks(1).try_for_each(|one| self.put(one)),
            Work::Batch => sample.texts.chunks(BATCH).try_for_each(|batch| self.put(batch)),
            Work::Mix => {
                let pairs = sample.keys.iter().zip(sample.texts.chunks(1)).enumerate();
                pairs.into_iter().try_for_each(|(number, (key, one))| {
                    if number % 2 == 0 { self.get(key) } else { self.put(one) }
                })
            }
        }
    }
}

/// What is done with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Each is read.
    Get,
    /// Each is put, with a commit of its own.
    Put,
    /// All are put, [`BATCH`] with each commit.
    Batch,
    /// Every other one is read, the others are put one by one.
    Mix,
}

impl Work {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Get, Self::Put, Self::Batch, Self::Mix];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put, commit of one",
            Self::Batch => "put, batch of 100",
            Self::Mix => "half get, half put",
        }
    }
}

/// Keys at random, copied so that walking through them costs no cache miss.
#[derive(Clone, Debug)]
pub struct Sample {
    texts: Vec<String>,
    keys: Vec<Key>,
}

impl Sample {
    /// So many of `all`.
    ///
    /// # Errors
    /// When one of them is no key.
    pub fn pick(all: &[String], count: usize, random: &mut Random) -> Result<Self, Box<dyn Error>> {
        let any = || all.get(random.below(all.len())).cloned();
        Self::of(std::iter::repeat_with(any).take(count).flatten().collect())
    }

    /// These.
    ///
    /// # Errors
    /// When one of them is no key.
    pub fn of(texts: Vec<String>) -> Result<Self, Box<dyn Error>> {
        let keys = texts.iter().map(|text| Key::new(text)).collect::<Result<_, _>>()?;
        Ok(Self { texts, keys })
    }

    /// Their texts.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// So many keys in random order, always the same.
#[must_use]
pub fn all_keys(count: usize) -> Vec<String> {
    let mut all: Vec<String> = (0..count).map(workload::key).collect();
    Random::seeded(1).shuffle(&mut all);
    all
}

//! A store without actors, driven as its actor drives it.

use std::error::Error;
use std::hint::black_box;

use gridkv_protocol::{Key, UnixMs, Value};
use gridkv_storage::durability::Durability;
use gridkv_storage::flusher::StoreFlusher;
use gridkv_storage::reader::StoreReader;
use gridkv_storage::store::Store;
use gridkv_storage::write::{Action, Condition, Ttl, Write};
use gridkv_storage::writer::StoreWriter;

use crate::contender::Contender;
use crate::workload;

/// An open store.
pub struct Driven {
    writer: StoreWriter,
    reader: StoreReader,
    flusher: StoreFlusher,
    now: u64,
}

impl Driven {
    /// Drives a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let Store { writer, reader, flusher, .. } = store;
        Self { writer, reader, flusher, now: 1 }
    }

    /// Where committed ops go, and where records are read.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// What brings it to the disk.
    #[must_use]
    pub fn flusher(&self) -> &StoreFlusher {
        &self.flusher
    }

    /// Puts a group staged one by one, with a commit that reaches at least `durability`. Time stands
    /// still within a commit, as it does for the actor's handlers.
    ///
    /// # Errors
    /// When a write is refused or the commit fails.
    pub fn put_group(
        &mut self,
        keys: &[String],
        durability: Durability,
    ) -> Result<(), Box<dyn Error>> {
        self.now += 1;
        let now = UnixMs(self.now);
        for key in keys {
            black_box(self.writer.stage(write(key, self.now)?, now)?);
        }
        self.writer.commit(durability)?;
        Ok(())
    }

    /// Puts a group that is all at hand: checked whole, then staged and committed.
    ///
    /// # Errors
    /// As for [`Driven::put_group`].
    pub fn put_atomic(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        self.now += 1;
        let now = UnixMs(self.now);
        let writes: Vec<Write> =
            keys.iter().map(|key| write(key, self.now)).collect::<Result<_, _>>()?;
        self.writer.check(&writes, now).map_err(|(at, error)| format!("write {at}: {error}"))?;
        for write in writes {
            black_box(self.writer.stage(write, now)?);
        }
        self.writer.commit(Durability::Memory)?;
        Ok(())
    }
}

impl Contender for Driven {
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        self.put_group(keys, Durability::Memory)
    }

    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>> {
        black_box(self.reader.get(key, UnixMs(self.now))?.ok_or("a key is not there")?);
        Ok(())
    }
}

/// A put of a fresh value.
///
/// # Errors
/// When the text is no key.
pub fn write(key: &str, number: u64) -> Result<Write, Box<dyn Error>> {
    let value = Value::copied(&workload::value(usize::try_from(number)?));
    Ok(Write {
        key: Key::new(key)?,
        action: Action::Put { value, content_type: None, ttl: Ttl::StoreDefault },
        condition: Condition::default(),
    })
}

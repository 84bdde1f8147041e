//! `scc` alone: a concurrent hash table of records; for `file` with a file to append to.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;

use gridkv_protocol::{Key, Record};

use crate::contender::Contender;
use crate::workload;

/// The table under `memory` and `file`, without versions, order and log. With a file, each commit appends
/// its keys and values to it with one write, as `file` does at durability `os`.
pub struct Table {
    records: scc::HashMap<Key, Record>,
    file: Option<File>,
    bytes: Vec<u8>,
    puts: usize,
}

impl Table {
    /// An empty one.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { records: scc::HashMap::new(), file: None, bytes: Vec::new(), puts: 0 }
    }

    /// An empty one with a file in a directory.
    ///
    /// # Errors
    /// When the file can not be made.
    pub fn with_file(dir: &Path) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(dir)?;
        let file = File::create_new(dir.join("appended"))?;
        Ok(Self { file: Some(file), ..Self::in_memory() })
    }

    fn append(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.bytes.clear();
        for (number, key) in (self.puts..).zip(keys) {
            self.bytes.extend_from_slice(key.as_bytes());
            self.bytes.extend_from_slice(&workload::value(number));
        }
        Ok(file.write_all(&self.bytes)?)
    }
}

impl Contender for Table {
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        self.append(keys)?;
        for key in keys {
            self.records.upsert_sync(Key::new(key)?, workload::record(self.puts));
            self.puts += 1;
        }
        Ok(())
    }

    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>> {
        let record = self.records.read_sync(key.as_str(), |_, record| record.clone());
        black_box(record.ok_or("a key is not there")?);
        Ok(())
    }
}

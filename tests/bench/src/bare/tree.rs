//! `fjall` alone: a keyspace of plain keys and values with the store's default settings.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use gridkv_protocol::Key;
use gridkv_storage::settings::Settings;
use tempfile::TempDir;

use crate::contender::Contender;
use crate::workload;

/// Where `fjall-memory` is, too.
const MEMORY_ROOT: &str = "/dev/shm";

/// One batch per commit.
pub struct Tree {
    rows: Keyspace,
    db: Database,
    durability: Option<PersistMode>,
    puts: usize,
    /// Removed when the engine is closed.
    _memory: Option<TempDir>,
}

impl Tree {
    /// An empty one in a new directory; commits reach the operating system.
    ///
    /// # Errors
    /// When it can not be made.
    pub fn on_disk(dir: &Path) -> Result<Self, Box<dyn Error>> {
        Self::open(dir, Some(PersistMode::Buffer), None)
    }

    /// An empty one in memory.
    ///
    /// # Errors
    /// When it can not be made.
    pub fn in_memory() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::Builder::new().prefix("gridkv-bench-").tempdir_in(MEMORY_ROOT)?;
        let path = dir.path().join("tree");
        Self::open(&path, None, Some(dir))
    }

    fn open(
        dir: &Path,
        durability: Option<PersistMode>,
        memory: Option<TempDir>,
    ) -> Result<Self, Box<dyn Error>> {
        let lsm = Settings::default().lsm;
        let db = Database::builder(dir)
            .cache_size(lsm.block_cache_bytes)
            .worker_threads(2)
            .journal_compression(CompressionType::None)
            .manual_journal_persist(durability.is_none())
            .open()?;
        let level_zero = u8::try_from(lsm.level_zero_tables)?;
        let strategy = Leveled::default()
            .with_table_target_size(lsm.table_bytes)
            .with_l0_threshold(level_zero);
        let rows = db.keyspace("rows", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(lsm.memtable_bytes)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .compaction_strategy(Arc::new(strategy))
        })?;
        Ok(Self { rows, db, durability, puts: 0, _memory: memory })
    }
}

impl Contender for Tree {
    fn put(&mut self, keys: &[String]) -> Result<(), Box<dyn Error>> {
        let mut batch = self.db.batch().durability(self.durability);
        for key in keys {
            batch.insert(&self.rows, key.as_bytes(), workload::value(self.puts));
            self.puts += 1;
        }
        Ok(batch.commit()?)
    }

    fn get(&mut self, key: &Key) -> Result<(), Box<dyn Error>> {
        black_box(self.rows.get(key.as_str())?.ok_or("a key is not there")?);
        Ok(())
    }
}

//! `[stores.NAME]`: one store, with only those parts that its backend has.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{SyncConfig, duration, limits};

/// One store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "StoreTable")]
pub(crate) struct StoreConfig {
    /// The name of the backend; one of those that were handed to [`super::load`].
    pub(crate) backend: String,
    /// The memory limit, in bytes; `None`: the parts have their own.
    pub(crate) max_memory_bytes: Option<u64>,
    /// What happens at the memory limit.
    pub(crate) memory_policy: MemoryPolicy,
    /// Lifetime of a key that is written without one; `None`: it does not expire.
    pub(crate) default_ttl: Option<Duration>,
    /// How the store survives the process; `None`: it does not.
    pub(crate) disk: Option<DiskConfig>,
    /// How what it writes is compressed.
    pub(crate) compression: Compression,
    /// What it is as a cache; `None`: it is none.
    pub(crate) cache: Option<CacheConfig>,
    /// Its log-structured engine; `None`: it has none.
    pub(crate) lsm: Option<LsmConfig>,
    /// Replication of this store: `[sync]`, overridden by `[stores.NAME.sync]`.
    pub(crate) sync: SyncConfig,
}

/// How a store on a durable backend survives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskConfig {
    /// What a write survives when it is answered.
    pub(crate) durability: Durability,
    /// Time between two moments at which all of it is made safe against a power cut.
    pub(crate) persist_interval: Duration,
}

/// What a store is as a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheConfig {
    /// Which records it keeps when it is full.
    pub(crate) policy: CachePolicy,
    /// Bytes that it may hold.
    pub(crate) max_bytes: u64,
    /// Records that are not used for so long are evicted; `None`: they stay.
    pub(crate) time_to_idle: Option<Duration>,
}

/// The log-structured engine of a store; sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LsmConfig {
    /// Of a memtable before it is written as a table.
    pub(crate) memtable_bytes: u64,
    /// Of a table on disk.
    pub(crate) table_bytes: u64,
    /// Memtables that may wait to be written.
    pub(crate) memtables: u32,
    /// Tables of level 0 at which they are compacted.
    pub(crate) level_zero_tables: u32,
    /// Of the cache of blocks.
    pub(crate) block_cache_bytes: u64,
    /// Of the cache of records before the engine; 0: none.
    pub(crate) hot_cache_bytes: u64,
    /// Of its journals, at most.
    pub(crate) journal_bytes: u64,
}

/// What happens to a write at the memory limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemoryPolicy {
    /// It is taken; the excess is reported.
    #[default]
    Soft,
    /// It is refused.
    Reject,
}

/// What a write survives when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// The end of the process.
    Os,
    /// The end of the process; a power cut after `persist_interval`.
    Interval,
    /// A power cut.
    Fsync,
}

/// How what is written to the disk is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By LZ4.
    Lz4,
}

/// Which records a full cache keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CachePolicy {
    /// Those that are used often.
    TinyLfu,
    /// Those that were used last.
    Lru,
}

/// A store as it is written; what only some backends have is optional here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    backend: String,
    max_memory_mb: Option<u64>,
    #[serde(default)]
    memory_policy: MemoryPolicy,
    #[serde(deserialize_with = "duration::deserialize_non_zero")]
    default_ttl: Option<Duration>,
    durability: Option<Durability>,
    #[serde(default, deserialize_with = "duration::deserialize_non_zero")]
    persist_interval: Option<Duration>,
    #[serde(default)]
    compression: Compression,
    policy: Option<CachePolicy>,
    #[serde(default, deserialize_with = "non_zero")]
    max_cost: Option<NonZeroU64>,
    #[serde(default, deserialize_with = "duration::deserialize_non_zero")]
    time_to_idle: Option<Duration>,
    memtable_size_mb: Option<u64>,
    table_size_mb: Option<u64>,
    num_memtables: Option<u32>,
    num_level_zero_tables: Option<u32>,
    cache_size_mb: Option<u64>,
    hot_cache_mb: Option<u64>,
    journal_max_mb: Option<u64>,
    sync: SyncConfig,
}

impl StoreTable {
    fn disk(&self) -> Option<DiskConfig> {
        Some(DiskConfig { durability: self.durability?, persist_interval: self.persist_interval? })
    }

    fn cache(&self) -> Option<CacheConfig> {
        Some(CacheConfig {
            policy: self.policy?,
            max_bytes: self.max_cost.map(NonZeroU64::get).or(self.max_memory_mb.map(bytes))?,
            time_to_idle: self.time_to_idle,
        })
    }

    fn lsm(&self) -> Option<LsmConfig> {
        Some(LsmConfig {
            memtable_bytes: self.memtable_size_mb.map(bytes)?,
            table_bytes: self.table_size_mb.map(bytes)?,
            memtables: self.num_memtables?,
            level_zero_tables: self.num_level_zero_tables?,
            block_cache_bytes: self.cache_size_mb.map(bytes)?,
            hot_cache_bytes: self.hot_cache_mb.map(bytes)?,
            journal_bytes: self.journal_max_mb.map(bytes)?,
        })
    }
}

impl From<StoreTable> for StoreConfig {
    fn from(table: StoreTable) -> Self {
        let cache = table.cache();
        let limit = table.max_memory_mb.map(bytes);
        Self {
            max_memory_bytes: cache.as_ref().map(|cache| cache.max_bytes).or(limit),
            disk: table.disk(),
            cache,
            lsm: table.lsm(),
            backend: table.backend,
            memory_policy: table.memory_policy,
            default_ttl: table.default_ttl,
            compression: table.compression,
            sync: table.sync,
        }
    }
}

fn bytes(mib: u64) -> u64 {
    mib.saturating_mul(limits::MIB.unsigned_abs())
}

fn non_zero<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroU64>, D::Error> {
    u64::deserialize(from).map(NonZeroU64::new)
}

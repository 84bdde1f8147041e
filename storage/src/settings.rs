//! What a store's configuration asks of its backend, in types. Each backend reads what concerns it; the
//! configuration refuses what would concern nobody.

use crate::durability::Durability;

/// Settings of a store's backend.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a write survives when it is answered, on backends that have a choice.
    pub durability: Durability,
    /// How images and tables are compressed, on backends that write some.
    pub compression: Compression,
    /// Settings of a cache.
    pub cache: CacheSettings,
    /// Settings of a log-structured engine.
    pub lsm: LsmSettings,
}

/// How what is written to the disk is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By LZ4.
    Lz4,
}

/// Settings of a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// Bytes that it may hold.
    pub max_bytes: u64,
    /// Which records it keeps.
    pub policy: CachePolicy,
    /// Milliseconds after which a record that nobody reads or writes is evicted; `None`: never.
    pub time_to_idle_ms: Option<u64>,
}

/// Which records a full cache keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// Those that are used often; a newcomer that is used less than its victim would be is not kept.
    #[default]
    TinyLfu,
    /// Those that were used last.
    Lru,
}

/// Settings of a log-structured engine.
#[derive(Clone, Copy, Debug)]
pub struct LsmSettings {
    /// Bytes of a memtable before it is sealed and written as a table; less on a disk below 8 GiB.
    pub memtable_bytes: u64,
    /// Bytes of a table on disk; less on a disk below 8 GiB.
    pub table_bytes: u64,
    /// Sealed memtables that may wait to be written before writes wait for them: 1 to 3.
    pub num_memtables: u32,
    /// Tables of level 0 at which they are compacted: 2 to 16.
    pub level_zero_tables: u32,
    /// Bytes of the cache of blocks.
    pub block_cache_bytes: u64,
    /// Bytes of the cache of records before the engine; 0: none.
    pub hot_cache_bytes: u64,
    /// Bytes of journals, about: memtables are sealed at a quarter of it, if that is less than they may
    /// have, so that journals are done with earlier. The engine keeps 64 MiB in any case.
    pub journal_bytes: u64,
}

const MIB: u64 = 1 << 20;

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Os,
            compression: Compression::None,
            cache: CacheSettings {
                max_bytes: 1_024 * MIB,
                policy: CachePolicy::TinyLfu,
                time_to_idle_ms: None,
            },
            lsm: LsmSettings {
                memtable_bytes: 64 * MIB,
                table_bytes: 64 * MIB,
                num_memtables: 3,
                level_zero_tables: 5,
                block_cache_bytes: 64 * MIB,
                hot_cache_bytes: 64 * MIB,
                journal_bytes: 512 * MIB,
            },
        }
    }
}

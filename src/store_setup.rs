//! From a store's configuration to what the rooms below take.

use std::time::Duration;

use gridkv_actors::runtime::StoreSetup;
use gridkv_actors::settings::{self, CacheSettings, LsmSettings, Settings};
use gridkv_protocol::StoreName;

use crate::config::{CachePolicy, Compression, Durability, MemoryPolicy, StoreConfig};

/// How a store is to run. `made`: by its API, not by a configuration.
pub(crate) fn setup(name: StoreName, store: &StoreConfig, made: bool) -> StoreSetup {
    StoreSetup {
        config: gridkv_actors::StoreConfig {
            name,
            backend: store.backend.clone(),
            default_ttl_ms: store.default_ttl.map(millis),
            memory_limit_bytes: store.max_memory_bytes,
            refuse_over_limit: store.memory_policy == MemoryPolicy::Reject,
            ring_slots: store.sync.buffer_size,
        },
        made,
        settings: settings(store),
        persist_interval: store.disk.as_ref().map(|disk| match disk.durability {
            Durability::Os => SCHEDULE_OF_NONE,
            Durability::Interval | Durability::Fsync => disk.persist_interval,
        }),
        log_bytes: store.sync.log_bytes,
        batch_max_ops: store.sync.batch_max_ops,
        batch_max_bytes: store.sync.batch_max_bytes,
        flush_interval: store.sync.flush_interval,
    }
}

/// A store whose writes need not reach the disk at any time is still brought there now and then: what
/// all members have on the disk is what they may purge.
const SCHEDULE_OF_NONE: Duration = Duration::from_mins(1);

/// What a store asks of its backend.
fn settings(store: &StoreConfig) -> Settings {
    let mut settings = Settings {
        durability: match store.disk.as_ref().map(|disk| disk.durability) {
            Some(Durability::Fsync) => gridkv_actors::Durability::Fsync,
            Some(Durability::Os | Durability::Interval) | None => gridkv_actors::Durability::Os,
        },
        compression: match store.compression {
            Compression::None => settings::Compression::None,
            Compression::Lz4 => settings::Compression::Lz4,
        },
        ..Settings::default()
    };
    if let Some(cache) = &store.cache {
        settings.cache = CacheSettings {
            max_bytes: cache.max_bytes,
            policy: match cache.policy {
                CachePolicy::TinyLfu => settings::CachePolicy::TinyLfu,
                CachePolicy::Lru => settings::CachePolicy::Lru,
            },
            time_to_idle_ms: cache.time_to_idle.map(millis),
        };
    }
    if let Some(lsm) = &store.lsm {
        settings.lsm = LsmSettings {
            memtable_bytes: lsm.memtable_bytes,
            table_bytes: lsm.table_bytes,
            num_memtables: lsm.memtables,
            level_zero_tables: lsm.level_zero_tables,
            block_cache_bytes: lsm.block_cache_bytes,
            hot_cache_bytes: lsm.hot_cache_bytes,
            journal_bytes: lsm.journal_bytes,
        };
    }
    settings
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! The keys of a store: the rows of the table of known keys that depend on the backend.
//!
//! Why it exists: each backend obeys some of them, and a key that would do nothing is refused with the
//! reason. It refuses nothing itself.

use super::keys::Key;
use super::kind::Kind;
use super::limits;

/// What keeps all records in memory.
const MAPS: &[&str] = &["memory", "file"];
/// What holds no more memory than it is given.
const SIZED: &[&str] = &["memory", "file", "moka"];
/// What survives the process.
const ON_DISK: &[&str] = &["file", "fjall"];
/// What writes tables or images.
const COMPRESSING: &[&str] = &["file", "fjall", "fjall-memory"];
const CACHE: &[&str] = &["moka"];
const LSM: &[&str] = &["fjall", "fjall-memory"];

const NOT_ON_DISK: &str = "nothing of such a store survives the process";
const NO_CACHE: &str = "such a store is no cache";
const NO_LSM: &str = "such a store has no log-structured engine";

/// The keys of a store, without those of its `sync` section.
pub(super) static STORE_KEYS: &[Key] = &[
    Key::new("stores.NAME.backend", Kind::Backend, "", "what keeps the store")
        .required()
        .flag("--store"),
    Key::new("stores.NAME.max_memory_mb", Kind::Whole(limits::MEMORY_MIB), "1024", "MiB of memory")
        .only(
            SIZED,
            "such a store holds as much memory as memtable_size_mb, cache_size_mb and hot_cache_mb say",
        ),
    Key::new(
        "stores.NAME.memory_policy",
        Kind::Choice(&["soft", "reject"]),
        "soft",
        "what happens at the memory limit",
    )
    .only(MAPS, "such a store never holds more than it may"),
    Key::new(
        "stores.NAME.default_ttl",
        Kind::Span { range: limits::TTL, zero: true },
        "0s",
        "lifetime of keys written without one; 0 = they do not expire",
    ),
    Key::new(
        "stores.NAME.durability",
        Kind::Choice(&["os", "interval", "fsync"]),
        "interval",
        "what a write survives: os = the process, interval = a power cut after persist_interval, fsync = a power cut",
    )
    .only(ON_DISK, NOT_ON_DISK)
    .default_on(&[("fjall", "fsync")]),
    Key::new(
        "stores.NAME.persist_interval",
        Kind::Span { range: limits::PERSIST_INTERVAL, zero: false },
        "5s",
        "what a power cut may cost",
    )
    .only(ON_DISK, NOT_ON_DISK),
    Key::new(
        "stores.NAME.compression",
        Kind::Choice(&["none", "lz4"]),
        "none",
        "of what is written: images of file, tables of fjall",
    )
    .only(COMPRESSING, "such a store writes nothing that could be compressed")
    .default_on(&[("fjall", "lz4"), ("fjall-memory", "lz4")]),
    Key::new(
        "stores.NAME.policy",
        Kind::Choice(&["tiny_lfu", "lru"]),
        "tiny_lfu",
        "which records a full cache keeps: often used ones, or lately used ones",
    )
    .only(CACHE, NO_CACHE),
    Key::new(
        "stores.NAME.max_cost",
        Kind::Whole(limits::CACHE_BYTES),
        "0",
        "bytes that the cache may hold; 0 = max_memory_mb",
    )
    .only(CACHE, NO_CACHE),
    Key::new(
        "stores.NAME.time_to_idle",
        Kind::Span { range: limits::TTL, zero: true },
        "0s",
        "a record that nobody reads or writes for so long is evicted; 0 = it stays",
    )
    .only(CACHE, NO_CACHE),
    Key::new(
        "stores.NAME.memtable_size_mb",
        Kind::Whole(limits::MEMTABLE_MIB),
        "64",
        "MiB of a memtable before it is written as a table",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.table_size_mb",
        Kind::Whole(limits::TABLE_MIB),
        "64",
        "MiB of a table on disk",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.num_memtables",
        Kind::Whole(limits::MEMTABLES),
        "3",
        "memtables that may wait to be written before writes wait for them",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.num_level_zero_tables",
        Kind::Whole(limits::LEVEL_ZERO_TABLES),
        "5",
        "tables of level 0 at which they are compacted",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.cache_size_mb",
        Kind::Whole(limits::CACHE_MIB),
        "64",
        "MiB of the engine's cache of blocks",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.hot_cache_mb",
        Kind::Whole(limits::HOT_CACHE_MIB),
        "64",
        "MiB of the cache of records before the engine; 0 = none",
    )
    .only(LSM, NO_LSM),
    Key::new(
        "stores.NAME.journal_max_mb",
        Kind::Whole(limits::JOURNAL_MIB),
        "512",
        "MiB of the engine's journals",
    )
    .only(LSM, NO_LSM),
];

//! Every range that a configured number must lie in: name, unit, reason.
//!
//! Why it exists: a limit without a name is a surprise in production. It refuses to know which keys
//! exist; the table of keys refers to it. Relations between two keys are in `rules`.

use std::ops::RangeInclusive;
use std::time::Duration;

const KIB: i64 = 1 << 10;
/// Bytes in one MiB, the unit of `*_mb` keys.
pub(super) const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// A range of whole numbers.
pub(super) type Whole = RangeInclusive<i64>;
/// A range of durations.
pub(super) type Span = RangeInclusive<Duration>;

const fn span(least_millis: u64, most_millis: u64) -> Span {
    RangeInclusive::new(Duration::from_millis(least_millis), Duration::from_millis(most_millis))
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Configuration file, bytes: far above any real one, far below what would hurt to read.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;

/// Node name, bytes: it is in a header of every response and in every log line.
pub(super) const NODE_NAME: usize = 128;
/// Cluster name, bytes: it is in the first frame of every link.
pub(super) const CLUSTER_NAME: usize = 64;
/// Store name, bytes: it is a directory name and a metric label.
pub(super) const STORE_NAME: usize = 63;

/// Tokens: each request is compared with all of them.
pub(super) const TOKENS: usize = 128;
/// Name of a token, bytes: it says who did something.
pub(super) const TOKEN_NAME: usize = 64;
/// Characters of the secret that peers share: fewer can be guessed by trying.
pub(super) const SECRET_CHARACTERS: RangeInclusive<usize> = 32..=1_024;

/// HTTP worker threads; 0 = cores. More than this only costs memory.
pub(super) const WORKERS: Whole = 0..=1_024;
/// Bytes of a value: it crosses the network in one frame and is held whole while it does.
pub(super) const VALUE_BYTES: Whole = 1..=2 * MIB;
/// Bytes of a key: keys stay in memory and are repeated in lists, frames and digests.
pub(super) const KEY_BYTES: Whole = 1..=4 * KIB;
/// Operations of a batch: a batch is one message to the store and delays all behind it.
pub(super) const BATCH_OPS: Whole = 1..=100_000;
/// Bytes of a request body: a batch is held whole while it is read.
pub(super) const BODY_BYTES: Whole = KIB..=GIB;
/// Connections: each holds a file descriptor and buffers.
pub(super) const CONNECTIONS: Whole = 1..=1_000_000;
/// Requests at once: beyond this they would wait rather than be refused.
pub(super) const IN_FLIGHT: Whole = 1..=1_000_000;
/// Streams of changes and long polls at once: each holds a connection.
pub(super) const WATCHERS: Whole = 1..=1_000_000;
/// Head and body timeouts: shorter breaks slow networks, longer lets idle clients hold resources.
pub(super) const REQUEST_TIMEOUT: Span = span(100, 10 * MINUTE);
/// Rest between two requests.
pub(super) const KEEP_ALIVE: Span = span(SECOND, HOUR);
/// Patience with requests in flight when stopping; process managers kill soon after.
pub(super) const SHUTDOWN_TIMEOUT: Span = span(100, 10 * MINUTE);

/// Heartbeats: faster floods the mesh, slower makes lag and acks useless.
pub(super) const HEARTBEAT: Span = span(10, 10 * SECOND);
/// Silence before a peer counts as suspect or down.
pub(super) const SILENCE: Span = span(20, HOUR);
/// Clock skew between nodes: more would order writes by luck.
pub(super) const CLOCK_SKEW: Span = span(1, 10 * MINUTE);
/// Bytes of a frame: it is held whole while its checksum is checked.
pub(super) const FRAME_BYTES: Whole = 2 * MIB..=64 * MIB;
/// What a frame holds beside one key and one value, bytes: versions, frontiers, names.
pub(super) const FRAME_OVERHEAD_BYTES: usize = 64 << 10;
/// Bytes that wait for one peer: memory of this node, times the number of peers.
pub(super) const QUEUE_BYTES: Whole = 128 * KIB..=16 * GIB;

/// Slots of the op ring: allocated at once, per store.
pub(super) const RING_SLOTS: Whole = 1..=1 << 20;
/// Bytes of the op log: memory of this node, per store.
pub(super) const LOG_BYTES: Whole = 4 * KIB..=64 * GIB;
/// Operations of a batch to a peer: one message to the peer's store.
pub(super) const SYNC_BATCH_OPS: Whole = 1..=4_096;
/// Bytes of a batch to a peer; below one frame, which `rules` checks.
pub(super) const SYNC_BATCH_BYTES: Whole = KIB..=64 * MIB;
/// Wait for a batch to fill: it delays every operation.
pub(super) const FLUSH_INTERVAL: Span = span(1, 10 * SECOND);

/// Memory of a store, MiB.
pub(super) const MEMORY_MIB: Whole = 1..=16 * MIB;
/// Bytes of a cache; 0 stands for the memory of the store.
pub(super) const CACHE_BYTES: Whole = 0..=16 * MIB * MIB;
/// Bytes of the smallest cache: a sixteenth of it is the largest record that it keeps.
pub(super) const LEAST_CACHE_BYTES: u64 = 64 << 10;
/// MiB of a memtable: smaller ones make more tables than can be compacted, larger ones take long to
/// write, and all of them are held in memory.
pub(super) const MEMTABLE_MIB: Whole = 1..=4 * KIB;
/// MiB of a table: smaller ones cost a file each, larger ones are rewritten whole by compaction.
pub(super) const TABLE_MIB: Whole = 1..=4 * KIB;
/// Memtables that wait: the engine itself stops at four.
pub(super) const MEMTABLES: Whole = 1..=3;
/// Tables of level 0: each is looked into by every read of the disk.
pub(super) const LEVEL_ZERO_TABLES: Whole = 2..=16;
/// MiB of a cache of blocks: without one every read decompresses a block.
pub(super) const CACHE_MIB: Whole = 1..=16 * MIB;
/// MiB of a cache of records; 0: none.
pub(super) const HOT_CACHE_MIB: Whole = 0..=16 * MIB;
/// MiB of journals: they hold what is not in tables yet, and are read at the start.
pub(super) const JOURNAL_MIB: Whole = 64..=64 * KIB;

/// Lifetime of a key: ten years, so that deadlines never overflow.
pub(super) const TTL: Span = span(SECOND, 10 * 365 * 24 * HOUR);
/// Time between two moments at which a journal is made safe: what a power cut may cost.
pub(super) const PERSIST_INTERVAL: Span = span(100, HOUR);

//! What a record weighs in memory, and how a cache's bytes are shared out.

use gridkv_protocol::limits::{MAX_CONTENT_TYPE_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use gridkv_protocol::{Key, Record};

/// Bytes that a cached record takes beside its key, value and content type: slot, queue node, counters
/// and shared record in the cache, and its entry in the side map. Measured by the resident size at
/// 300,000 records (`tests/cache_memory.rs`): 550 to 558, and 581 when keys come in order.
pub(super) const CACHED_OVERHEAD_BYTES: u32 = 564;

/// Bytes that the trace of an evicted or dead record takes beside its key: entries in the side map and
/// in the order of versions. Measured likewise: 184, and 207 when keys come in order.
pub(super) const OUTSIDE_OVERHEAD_BYTES: u32 = 190;

/// One part in this many of a cache's bytes is for tombstones, expired records and residue. Traces are a
/// third as large as small records: as many records as are held can be remembered for some time after,
/// which is how late an op may come and still be taken.
const OUTSIDE_SHARE: u64 = 8;

/// One part in this many of a cache's bytes is for what was put and not weighed by the policy yet. A
/// single record may fill it.
const NEWCOMER_SHARE: u64 = 16;

/// The heaviest record there can be: newcomers need no more room than one of these takes.
#[expect(clippy::cast_possible_truncation, reason = "16 MiB and a little")]
const HEAVIEST: u32 =
    (MAX_VALUE_BYTES + MAX_KEY_BYTES + MAX_CONTENT_TYPE_BYTES) as u32 + CACHED_OVERHEAD_BYTES;

/// How the bytes of a cache are shared out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// All of them.
    pub(super) max_bytes: u64,
    /// For records that the policy has admitted.
    pub(super) cached_bytes: u64,
    /// For tombstones, expired records and residue.
    pub(super) outside_bytes: u64,
    /// The most that one record may weigh.
    pub(super) largest_weight: u32,
}

impl Room {
    pub(super) fn of(max_bytes: u64) -> Self {
        let outside_bytes = max_bytes / OUTSIDE_SHARE;
        let newcomers = (max_bytes / NEWCOMER_SHARE).min(u64::from(HEAVIEST));
        Self {
            max_bytes,
            cached_bytes: max_bytes - outside_bytes - newcomers,
            outside_bytes,
            largest_weight: u32::try_from(newcomers).unwrap_or(HEAVIEST),
        }
    }

    /// Bytes of key, value and content type of the largest record that is kept.
    pub(super) fn largest_record(&self) -> usize {
        let content = self.largest_weight.saturating_sub(CACHED_OVERHEAD_BYTES);
        usize::try_from(content).unwrap_or(usize::MAX)
    }
}

/// What a live record weighs.
pub(super) fn weight(key: &Key, record: &Record) -> u32 {
    let content = u32::try_from(key.len() + record.content_bytes()).unwrap_or(u32::MAX);
    content.saturating_add(CACHED_OVERHEAD_BYTES)
}

/// What the trace of a record takes that is evicted or dead.
pub(super) fn outside_weight(key: &Key) -> u64 {
    u64::try_from(key.len()).unwrap_or(u64::MAX).saturating_add(u64::from(OUTSIDE_OVERHEAD_BYTES))
}

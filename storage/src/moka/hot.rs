//! The cache itself: records by key, bounded by weight, and word of what it evicted.
//!
//! The only file that names moka. Its work (admission, eviction, idleness) is done in portions by
//! whichever thread reads or writes, so the listener runs anywhere and only leaves a note.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ::moka::notification::RemovalCause;
use ::moka::policy::EvictionPolicy;
use ::moka::sync::Cache;
use arc_swap::ArcSwap;
use gridkv_protocol::{Key, Record, UnixMs};

use super::room::weight;
use crate::backend::Evictions;
use crate::schedule::deadline;
use crate::settings::{CachePolicy, CacheSettings};

/// Records by key.
pub(super) type Records = Cache<Key, Arc<Record>>;

/// The records that are worth their room.
pub(super) struct Hot {
    /// Replaced as a whole when everything is forgotten: invalidation goes by time, and would take what
    /// is put in the same instant.
    cache: ArcSwap<Generation>,
    settings: CacheSettings,
    capacity: u64,
    notes: Arc<Notes>,
}

/// A cache, and how many records are in it. Counted as they come and go, for moka's own count is that of
/// its last work.
pub(super) struct Generation {
    records: Records,
    held: Arc<AtomicI64>,
}

/// A record that was evicted. Held weakly: only its identity matters, and its bytes are to go.
pub(super) struct Gone {
    pub(super) key: Key,
    pub(super) record: Weak<Record>,
    pub(super) expires_at: Option<UnixMs>,
}

#[derive(Default)]
struct Notes {
    gone: Mutex<VecDeque<Gone>>,
    size: AtomicU64,
    idle: AtomicU64,
}

impl Notes {
    fn gone(&self) -> MutexGuard<'_, VecDeque<Gone>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner) // a push never leaves it half made
    }

    fn take(&self, key: &Key, record: &Arc<Record>, cause: RemovalCause) {
        match cause {
            RemovalCause::Size => &self.size,
            RemovalCause::Expired => &self.idle,
            RemovalCause::Explicit | RemovalCause::Replaced => return, // the writer's own doing
        }
        .fetch_add(1, Ordering::Relaxed);
        self.gone().push_back(Gone {
            key: key.clone(),
            record: Arc::downgrade(record),
            expires_at: deadline(record),
        });
    }
}

impl Hot {
    /// An empty cache for records that weigh up to `capacity` together.
    pub(super) fn new(settings: &CacheSettings, capacity: u64) -> Self {
        let notes = Arc::default();
        let cache = ArcSwap::from_pointee(build(settings, capacity, &notes));
        Self { cache, settings: *settings, capacity, notes }
    }

    /// The record under `key`; counts as use.
    pub(super) fn get(&self, key: &str) -> Option<Arc<Record>> {
        self.cache.load().records.get(key)
    }

    /// Puts a record, readable at once, and perhaps evicted soon.
    pub(super) fn insert(&self, key: Key, record: Arc<Record>) {
        let generation = self.cache.load();
        generation.held.fetch_add(1, Ordering::Relaxed); // first: it may be evicted at once
        generation.records.insert(key, record);
    }

    /// Takes the record away; that is no eviction.
    pub(super) fn remove(&self, key: &Key) {
        self.cache.load().records.invalidate(key);
    }

    /// Does the work that was put off; the engine stops after a tenth of a second of it.
    pub(super) fn settle(&self) {
        self.cache.load().records.run_pending_tasks();
    }

    /// What was evicted since the last call, earliest first, at most so many.
    pub(super) fn take_gone(&self, most: usize) -> Vec<Gone> {
        let mut gone = self.notes.gone();
        let most = most.min(gone.len());
        gone.drain(..most).collect()
    }

    /// Records that it holds.
    pub(super) fn held(&self) -> u64 {
        u64::try_from(self.cache.load().held.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Counts a record that was not even put: there was no room.
    pub(super) fn refused(&self) {
        self.notes.size.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts anew; the old cache is returned, for its memory takes a while to free.
    pub(super) fn replace(&self) -> Arc<Generation> {
        self.cache.swap(Arc::new(build(&self.settings, self.capacity, &self.notes)))
    }

    /// Counts of what was evicted, ever.
    pub(super) fn evictions(&self) -> Evictions {
        Evictions {
            size: self.notes.size.load(Ordering::Relaxed),
            idle: self.notes.idle.load(Ordering::Relaxed),
        }
    }
}

fn build(settings: &CacheSettings, capacity: u64, notes: &Arc<Notes>) -> Generation {
    let policy = match settings.policy {
        CachePolicy::TinyLfu => EvictionPolicy::tiny_lfu(),
        CachePolicy::Lru => EvictionPolicy::lru(),
    };
    let (notes, held) = (Arc::clone(notes), Arc::<AtomicI64>::default());
    let left = Arc::clone(&held);
    // No `Expiry`: it would take a record away when its deadline comes, before the writer could put the
    // expired record in its place, and costs 51 bytes more for each.
    let builder = Cache::builder()
        .max_capacity(capacity)
        .weigher(|key: &Key, record: &Arc<Record>| weight(key, record))
        .eviction_policy(policy)
        .eviction_listener(move |key: Arc<Key>, record: Arc<Record>, cause| {
            left.fetch_sub(1, Ordering::Relaxed); // whatever the cause: each record leaves once
            notes.take(&key, &record, cause);
        });
    let records = match settings.time_to_idle_ms {
        Some(ms) => builder.time_to_idle(Duration::from_millis(ms.min(LONGEST_IDLE_MS))).build(),
        None => builder.build(),
    };
    Generation { records, held }
}

/// Milliseconds of idleness that the engine takes, at most: it panics beyond a thousand years.
const LONGEST_IDLE_MS: u64 = 100 * 365 * 24 * 3_600 * 1_000;

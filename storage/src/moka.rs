//! The `moka` backend: a cache bounded in bytes. It may forget a record; it never brings back an older one.
//!
//! [`hot`] is the cache itself, which readers ask without a lock. [`side`] remembers the version under
//! every key, also of what was evicted, of tombstones and of expired records, so nothing that is promised
//! depends on when the cache evicts or says so. Deadlines are not the cache's affair: an expired record
//! keeps its version, which only the one funnel may decide.

mod hot;
mod room;
mod side;

use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Key, Record, State};

use self::hot::Hot;
use self::room::{Room, weight};
use self::side::Side;
use crate::backend::{
    Backend, BackendError, Cache, Commit, CommitError, Evicted, Evictions, Footprint, Near,
    Promises, Recovered, Standing, Walk,
};
use crate::durability::Durability;
use crate::map::WALK_CHUNK;
use crate::registry::OpenRequest;
use crate::settings::CacheSettings;

/// Evictions that are followed under one lock, at most: some milliseconds. A million records may be idle at
/// once.
const FOLLOWED_AT_ONCE: usize = 1_024;

/// Times that the writer does so in a row, when it asks what was evicted: it comes back soon.
const FOLLOWED_IN_A_ROW: usize = 16;

/// Opens an empty cache.
pub(crate) fn open(request: &OpenRequest) -> (Arc<dyn Backend>, Recovered) {
    (Arc::new(Moka::new(&request.settings.cache)), Recovered::default())
}

/// A cache, and what it remembers of what it does not hold.
struct Moka {
    hot: Hot,
    room: Room,
    /// Changed together with the cache under its write lock, so that who asks one after the other never
    /// sees an older record. The cache's own threads of work never take it.
    side: RwLock<Side>,
    /// Of keys without any trace, versions up to here may have been held.
    forgotten: AtomicU64,
    /// For the writer, who keeps deadlines.
    evicted: Mutex<Vec<Evicted>>,
}

impl Moka {
    fn new(settings: &CacheSettings) -> Self {
        let room = Room::of(settings.max_bytes);
        Self {
            hot: Hot::new(settings, room.cached_bytes),
            room,
            side: RwLock::default(),
            forgotten: AtomicU64::new(0),
            evicted: Mutex::default(),
        }
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Side>, BackendError> {
        self.side.read().map_err(|_| BackendError::Poisoned)
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, Side>, BackendError> {
        self.side.write().map_err(|_| BackendError::Poisoned)
    }

    fn evicted(&self) -> MutexGuard<'_, Vec<Evicted>> {
        self.evicted.lock().unwrap_or_else(PoisonError::into_inner) // a list of keys is never half made
    }

    fn put(&self, keyed: &KeyedRecord) -> Result<(), BackendError> {
        let KeyedRecord { key, record } = keyed;
        match &record.state {
            State::Live(_) => self.put_live(key, record)?,
            State::Expired { .. } | State::Deleted => {
                let mut side = self.write()?;
                side.bury(key, record);
                self.hot.remove(key);
            }
        }
        self.trim()
    }

    fn put_live(&self, key: &Key, record: &Record) -> Result<(), BackendError> {
        let weight = weight(key, record);
        let fits = |side: &Side| side.has_room(key, weight, self.room.max_bytes);
        let kept = weight <= self.room.largest_weight
            && (fits(&*self.read()?) || self.settle_until(fits)?);
        let mut side = self.write()?;
        if kept {
            let record = Arc::new(record.clone());
            let key = side.hold(key, &record, weight);
            self.hot.insert(key, record);
        } else {
            side.leave(key, record.version);
            self.hot.remove(key);
            self.hot.refused();
        }
        Ok(())
    }

    /// Lets the cache do what it put off, and follows a bounded part of what it evicted.
    fn settle(&self) -> Result<(), BackendError> {
        self.hot.settle();
        self.follow().map(|_| ())
    }

    /// Likewise, and follows evictions until `enough`, or all of them. Says whether it is.
    fn settle_until(&self, enough: impl Fn(&Side) -> bool) -> Result<bool, BackendError> {
        self.hot.settle();
        loop {
            let more = self.follow()?;
            let is_enough = enough(&*self.read()?);
            if is_enough || !more {
                return Ok(is_enough);
            }
        }
    }

    /// Follows evictions, a bounded number of them: whoever reads the side map meanwhile waits for no
    /// more. Says whether there may be others.
    fn follow(&self) -> Result<bool, BackendError> {
        let gone = self.hot.take_gone(FOLLOWED_AT_ONCE);
        if gone.is_empty() {
            return Ok(false);
        }
        let more = gone.len() == FOLLOWED_AT_ONCE;
        let mut evicted = self.evicted();
        let mut side = self.write()?;
        let forgotten = self.forgotten();
        for gone in gone {
            side.evict(&gone, forgotten);
            evicted.push(Evicted { key: gone.key, expires_at: gone.expires_at });
        }
        Ok(more)
    }

    /// Pushes out what is remembered beyond its share, and what is evicted and still counts. Only within
    /// a commit: the writer learns what was forgotten after each, before it judges another record.
    fn trim(&self) -> Result<(), BackendError> {
        let (outside, all) = {
            let side = self.read()?;
            (side.outside_bytes(), side.bytes())
        };
        if all > self.room.max_bytes {
            self.settle_until(|side| side.bytes() <= self.room.max_bytes)?;
        }
        if outside > self.room.outside_bytes {
            let forgotten = self.write()?.trim(self.room.outside_bytes);
            self.forgotten.fetch_max(forgotten.bits(), Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Backend for Moka {
    fn promises(&self) -> Promises {
        Promises {
            persistent: false,
            cache: true,
            hot_tier: true,
            reads_disk: false,
            durability: Durability::Memory,
            best: Durability::Memory,
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        match self.hot.get(key) {
            Some(record) => Ok(Some(record.as_ref().clone())),
            None => Ok(self.read()?.dead(key)),
        }
    }

    /// Never waits: what is dead is as absent as what was evicted.
    fn get_near(&self, key: &str) -> Result<Near, BackendError> {
        Ok(Near::Known(self.hot.get(key).map(|record| record.as_ref().clone())))
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        let put = commit.records.iter().try_for_each(|keyed| self.put(keyed));
        put.map_err(CommitError::Unknown)?;
        Ok(Durability::Memory)
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.forget_all(Hlc::ZERO).map_err(CommitError::Unchanged)
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let (found, next) = self.read()?.walk(from, limit.clamp(1, WALK_CHUNK));
        let records = found
            .into_iter()
            .map(|(key, record)| KeyedRecord { key, record: record.as_ref().clone() })
            .collect();
        Ok(Walk { records, next })
    }

    fn flush(&self, _frontier: &Frontier, _floor: Hlc) -> Result<(), BackendError> {
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        let counted = self.settle().and_then(|()| self.read());
        counted.map_or_else(
            |_| Footprint::default(),
            |side| Footprint {
                memory_bytes: Some(side.bytes()),
                keys: Some(self.hot.held()),
                tombstones: Some(side.dead_records()),
                ..Footprint::default()
            },
        )
    }

    fn as_cache(&self) -> Option<&dyn Cache> {
        Some(self)
    }
}

impl Cache for Moka {
    fn standing(&self, key: &str) -> Result<Standing, BackendError> {
        Ok(self.read()?.standing(key))
    }

    fn forgotten(&self) -> Hlc {
        Hlc::from_bits(self.forgotten.load(Ordering::Acquire))
    }

    fn keys(&self) -> u64 {
        self.hot.held()
    }

    fn take_evicted(&self) -> Vec<Evicted> {
        self.hot.settle();
        for _ in 0..FOLLOWED_IN_A_ROW {
            match self.follow() {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return Vec::new(), // a poisoned lock fails the next commit, which says so
            }
        }
        let mut evicted = std::mem::take(&mut *self.evicted());
        if let Ok(side) = self.read() {
            // What came back with the same deadline still has it.
            evicted.retain(|gone| !side.holds_until(&gone.key, gone.expires_at));
        }
        evicted
    }

    fn forget_all(&self, forgotten: Hlc) -> Result<(), BackendError> {
        let old = {
            let mut side = self.write()?;
            let forgotten = forgotten.max(side.greatest());
            self.forgotten.fetch_max(forgotten.bits(), Ordering::AcqRel);
            (self.hot.replace(), std::mem::take(&mut *side))
        };
        self.evicted().clear();
        drop(old); // many records: not while readers wait
        Ok(())
    }

    fn largest_record(&self) -> usize {
        self.room.largest_record()
    }

    fn evictions(&self) -> Evictions {
        self.hot.evictions()
    }
}

// CAVEATS: reads by key count as use, for the policy and for the time to idle; lists, walks and what the
// writer looks up do not, for they read beside the cache. A list may still show a record that the
// cache has just evicted, while a read misses it: the newest version in both. A newcomer may be
// refused by TinyLFU right after its write was answered. A condition on an evicted key meets no value, and
// a touch no key. Bytes of what was evicted count until that was followed, some writer's ticks later when
// a million records are idle at once. Walks visit the keys of residue too, and may return short stretches.

#[cfg(test)]
#[path = "moka_test.rs"]
mod tests;

#[cfg(test)]
#[path = "moka/mesh_test.rs"]
mod mesh_tests;

#[cfg(test)]
#[path = "moka/reads_test.rs"]
mod reads_tests;

#[cfg(test)]
pub(crate) mod test_cache;

//! The side map: which version stands under each key, whatever the cache does with its record.
//!
//! Keys in byte order, for walks; and what is not in the cache (residue, tombstones, expired records) in
//! order of versions, so that what is pushed out raises the floor as little as can be.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::Bound;
use std::sync::{Arc, Weak};

use gridkv_protocol::{Hlc, Key, Record, State, UnixMs, Version};

use super::hot::Gone;
use super::room::outside_weight;
use crate::backend::Standing;
use crate::schedule::deadline;

/// What is known of each key.
#[derive(Default)]
pub(super) struct Side {
    traces: BTreeMap<Key, Trace>,
    sums: Sums,
    greatest: Hlc,
}

/// What all traces come to.
#[derive(Default)]
struct Sums {
    /// What the cache does not hold, oldest version first.
    outside: BTreeSet<(Version, Key)>,
    outside_bytes: u64,
    dead: u64,
    held_bytes: u64,
}

/// What is known of a key.
enum Trace {
    /// The cache got this record, and did not say that it evicted it. Weak: a look at it is no use of
    /// the cache, and its bytes go when the cache lets go.
    Held { version: Version, record: Weak<Record>, weight: u32 },
    /// A tombstone, or with a deadline an expired record: kept here alone.
    Dead { version: Version, expired_at: Option<UnixMs> },
    /// A record of this version was evicted.
    Residue(Version),
}

impl Trace {
    fn version(&self) -> Version {
        match self {
            Self::Held { version, .. } | Self::Dead { version, .. } | Self::Residue(version) => {
                *version
            }
        }
    }

    /// The record, if it is there whole.
    fn record(&self) -> Option<Arc<Record>> {
        match self {
            Self::Held { record, .. } => record.upgrade(),
            Self::Dead { version, expired_at } => Some(Arc::new(dead(*version, *expired_at))),
            Self::Residue(_) => None,
        }
    }

    fn is_dead(&self) -> bool {
        matches!(self, Self::Dead { .. })
    }
}

fn dead(version: Version, expired_at: Option<UnixMs>) -> Record {
    let expired = |expires_at| State::Expired { expires_at };
    Record { version, state: expired_at.map_or(State::Deleted, expired) }
}

impl Side {
    /// What stands under `key`.
    pub(super) fn standing(&self, key: &str) -> Standing {
        let Some(trace) = self.traces.get(key) else { return Standing::Absent };
        match trace.record() {
            Some(record) => Standing::Record(record.as_ref().clone()),
            None => Standing::Residue(trace.version()),
        }
    }

    /// The tombstone or expired record under `key`.
    pub(super) fn dead(&self, key: &str) -> Option<Record> {
        match self.traces.get(key) {
            Some(Trace::Dead { version, expired_at }) => Some(dead(*version, *expired_at)),
            Some(Trace::Held { .. } | Trace::Residue(_)) | None => None,
        }
    }

    /// Whether the cache holds a record under `key` that has this deadline, or has none either.
    pub(super) fn holds_until(&self, key: &Key, expires_at: Option<UnixMs>) -> bool {
        match self.traces.get(key) {
            Some(Trace::Held { record, .. }) => {
                record.upgrade().is_some_and(|record| deadline(&record) == expires_at)
            }
            Some(Trace::Dead { .. } | Trace::Residue(_)) | None => false,
        }
    }

    /// Notes a record that goes into the cache, under the key that is returned: the one that is kept
    /// here, so that both share its bytes.
    pub(super) fn hold(&mut self, key: &Key, record: &Arc<Record>, weight: u32) -> Key {
        let version = record.version;
        self.set(key, Trace::Held { version, record: Arc::downgrade(record), weight })
    }

    /// Keeps a tombstone or an expired record.
    pub(super) fn bury(&mut self, key: &Key, record: &Record) {
        let expired_at = match &record.state {
            State::Expired { expires_at } => Some(*expires_at),
            State::Deleted | State::Live(_) => None,
        };
        self.set(key, Trace::Dead { version: record.version, expired_at });
    }

    /// Notes a version whose record is not kept.
    pub(super) fn leave(&mut self, key: &Key, version: Version) {
        self.set(key, Trace::Residue(version));
    }

    /// Follows an eviction, unless another record took its place since. What is forgotten anyway leaves
    /// no trace.
    pub(super) fn evict(&mut self, gone: &Gone, forgotten: Hlc) {
        let Some(Trace::Held { version, record, .. }) = self.traces.get(&gone.key) else { return };
        if !Weak::ptr_eq(record, &gone.record) {
            return;
        }
        let version = *version;
        if version.hlc <= forgotten {
            self.remove(&gone.key);
        } else {
            self.set(&gone.key, Trace::Residue(version));
        }
    }

    /// Pushes out what the cache does not hold, oldest versions first, until it takes at most `limit`
    /// bytes. Returns the greatest point of what went.
    pub(super) fn trim(&mut self, limit: u64) -> Hlc {
        let mut forgotten = Hlc::ZERO;
        while self.sums.outside_bytes > limit {
            let Some((version, key)) = self.sums.outside.first().cloned() else { break };
            self.remove(&key);
            forgotten = version.hlc;
        }
        forgotten
    }

    /// Returns the key as it is kept here, so that all share its bytes.
    fn set(&mut self, key: &Key, trace: Trace) -> Key {
        self.greatest = self.greatest.max(trace.version().hlc);
        match self.traces.entry(key.clone()) {
            Entry::Occupied(mut at) => {
                let own = at.key().clone();
                self.sums.remove(&own, at.get());
                self.sums.add(&own, &trace);
                at.insert(trace);
                own
            }
            Entry::Vacant(at) => {
                self.sums.add(key, &trace);
                at.insert(trace);
                key.clone()
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some((own, trace)) = self.traces.remove_entry(key) {
            self.sums.remove(&own, &trace);
        }
    }

    /// Records of at most `limit` keys from a bound, and the last key if more may follow.
    pub(super) fn walk(
        &self,
        from: Bound<&str>,
        limit: usize,
    ) -> (Vec<(Key, Arc<Record>)>, Option<Key>) {
        let mut seen = 0;
        let mut last = None;
        let mut found = Vec::new();
        for (key, trace) in self.traces.range::<str, _>((from, Bound::Unbounded)).take(limit) {
            (seen, last) = (seen + 1, Some(key));
            found.extend(trace.record().map(|record| (key.clone(), record)));
        }
        (found, last.filter(|_| seen == limit).cloned())
    }

    /// Tombstones and expired records.
    pub(super) fn dead_records(&self) -> u64 {
        self.sums.dead
    }

    /// No version was later, ever.
    pub(super) fn greatest(&self) -> Hlc {
        self.greatest
    }

    /// Bytes of everything.
    pub(super) fn bytes(&self) -> u64 {
        self.sums.held_bytes + self.sums.outside_bytes
    }

    /// Whether everything takes at most `limit` bytes, once a record of this weight stands under `key`.
    pub(super) fn has_room(&self, key: &Key, weight: u32, limit: u64) -> bool {
        let after = self.bytes() + u64::from(weight);
        after <= limit || after - self.weight_of(key) <= limit // most often nobody need look
    }

    fn weight_of(&self, key: &Key) -> u64 {
        match self.traces.get(key) {
            Some(Trace::Held { weight, .. }) => u64::from(*weight),
            Some(Trace::Dead { .. } | Trace::Residue(_)) => outside_weight(key),
            None => 0,
        }
    }

    /// Bytes of what the cache does not hold.
    pub(super) fn outside_bytes(&self) -> u64 {
        self.sums.outside_bytes
    }
}

impl Sums {
    fn add(&mut self, key: &Key, trace: &Trace) {
        match trace {
            Trace::Held { weight, .. } => self.held_bytes += u64::from(*weight),
            Trace::Dead { .. } | Trace::Residue(_) => {
                self.dead += u64::from(trace.is_dead());
                self.outside_bytes += outside_weight(key);
                self.outside.insert((trace.version(), key.clone()));
            }
        }
    }

    fn remove(&mut self, key: &Key, trace: &Trace) {
        match trace {
            Trace::Held { weight, .. } => self.held_bytes -= u64::from(*weight),
            Trace::Dead { .. } | Trace::Residue(_) => {
                self.dead -= u64::from(trace.is_dead());
                self.outside_bytes -= outside_weight(key);
                self.outside.remove(&(trace.version(), key.clone()));
            }
        }
    }
}

// CAVEATS: a trace costs a lookup in an ordered map for each put, and walks over a cache that evicts a lot
// pass many traces that lead to no record.

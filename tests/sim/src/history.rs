//! What was written, by whom, and what was promised of it.

use std::collections::{BTreeMap, BTreeSet};

use gridkv_protocol::{Hlc, Key, Origin, State, Version};
use gridkv_storage::durability::Durability;

use crate::network::At;
use crate::node::{StoreAt, Ticket};

/// One version that was minted.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its key.
    pub key: Key,
    /// What it says; what a touch says is known once it is seen.
    pub state: Option<State>,
}

/// A client's request that was not refused.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it was made.
    pub at: At,
    /// In which run of the process.
    pub run: u64,
    /// What was minted for it.
    pub written: Vec<(Key, Version)>,
}

/// What was promised at one machine of one key, and not undone by a loss that the promise does not cover.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The version that was acknowledged.
    pub version: Version,
    /// What it survives.
    pub survives: Durability,
}

/// Everything that was written to one store.
#[derive(Debug, Default)]
pub struct History {
    facts: BTreeMap<Version, Fact>,
    by_origin: BTreeMap<Origin, Vec<(Hlc, Key)>>,
    by_key: BTreeMap<Key, Vec<Version>>,
    promises: BTreeMap<At, BTreeMap<Key, Vec<Promise>>>,
    /// Of each key the latest dead version that somebody let go.
    purged: BTreeMap<Key, Version>,
    /// Versions of which nobody promises anything.
    doubted: BTreeSet<Version>,
}

/// What was written to each store, and what clients wait for.
#[derive(Debug, Default)]
pub struct Histories {
    stores: Vec<History>,
    requests: BTreeMap<Ticket, (StoreAt, Request)>,
}

impl History {
    /// Notes a version that was minted. Says whether it is a new one.
    pub fn minted(&mut self, version: Version, fact: Fact) -> bool {
        let ops = self.by_origin.entry(version.origin).or_default();
        let at = ops.partition_point(|(hlc, _)| *hlc < version.hlc);
        ops.insert(at, (version.hlc, fact.key.clone()));
        self.by_key.entry(fact.key.clone()).or_default().push(version);
        self.facts.insert(version, fact).is_none()
    }

    /// A version was minted for a write that was refused: it must not be anywhere.
    pub fn revoke(&mut self, version: Version) {
        let Some(fact) = self.facts.remove(&version) else { return };
        if let Some(ops) = self.by_origin.get_mut(&version.origin) {
            ops.retain(|(hlc, _)| *hlc != version.hlc);
        }
        if let Some(versions) = self.by_key.get_mut(&fact.key) {
            versions.retain(|other| *other != version);
        }
    }

    /// What a version says.
    #[must_use]
    pub fn fact(&self, version: Version) -> Option<&Fact> {
        self.facts.get(&version)
    }

    /// Every version of a key.
    #[must_use]
    pub fn of_key(&self, key: &Key) -> &[Version] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Learns what a touch made of its key.
    pub fn learn(&mut self, version: Version, state: &State) {
        if let Some(fact) = self.facts.get_mut(&version).filter(|fact| fact.state.is_none()) {
            fact.state = Some(state.clone());
        }
    }

    /// Ops of an origin above `after` and up to `upto`.
    pub fn between(&self, origin: Origin, after: Hlc, upto: Hlc) -> &[(Hlc, Key)] {
        let ops = self.by_origin.get(&origin).map_or(&[][..], Vec::as_slice);
        let place = |point: Hlc| ops.partition_point(|(hlc, _)| *hlc <= point);
        ops.get(place(after)..place(upto)).unwrap_or_default()
    }

    /// The last version that an origin minted before this one.
    #[must_use]
    pub fn before(&self, version: Version) -> Option<Hlc> {
        let ops = self.by_origin.get(&version.origin)?;
        let at = ops.partition_point(|(hlc, _)| *hlc < version.hlc);
        ops.get(at.checked_sub(1)?).map(|(hlc, _)| *hlc)
    }

    /// The last version that an origin minted.
    #[must_use]
    pub fn last_of(&self, origin: Origin) -> Option<Hlc> {
        self.by_origin.get(&origin).and_then(|ops| ops.last()).map(|(hlc, _)| *hlc)
    }

    /// Somebody let a dead record go: it and all that is older may be absent from now on.
    pub fn purged(&mut self, key: &Key, version: Version) {
        let known = self.purged.entry(key.clone()).or_insert(version);
        *known = version.max(*known);
    }

    /// Whether who holds this under a key has what a version says: itself, a newer one, or nothing because
    /// all of that is dead and gone.
    #[must_use]
    pub fn honours(&self, held: Option<Version>, key: &Key, version: Version) -> bool {
        match held {
            Some(held) => held >= version,
            None => self.purged.get(key).is_some_and(|purged| *purged >= version),
        }
    }

    /// Nobody promises anything of a version from now on.
    pub fn doubt(&mut self, version: Version) {
        self.doubted.insert(version);
        for kept in self.promises.values_mut().flat_map(BTreeMap::values_mut) {
            kept.retain(|promise| promise.version != version);
        }
    }

    /// The same of all that an origin mints above a point.
    pub fn doubt_after(&mut self, origin: Origin, point: Hlc) {
        let ops = self.between(origin, point, Hlc::from_bits(u64::MAX));
        let versions: Vec<Version> =
            ops.iter().map(|(hlc, _)| Version { hlc: *hlc, origin }).collect();
        for version in versions {
            self.doubt(version);
        }
    }

    /// Whether nobody promises anything of a version.
    #[must_use]
    pub fn is_doubted(&self, version: Version) -> bool {
        self.doubted.contains(&version)
    }

    /// A write was acknowledged.
    pub fn promise(&mut self, at: At, key: Key, promise: Promise) {
        if self.is_doubted(promise.version) {
            return;
        }
        self.promises.entry(at).or_default().entry(key).or_default().push(promise);
    }

    /// A machine lost what survives less than `least`. `synced` are versions that it had brought to the disk
    /// since they were acknowledged.
    pub fn lose(&mut self, at: At, least: Option<Durability>, synced: impl Fn(Version) -> bool) {
        let Some(promises) = self.promises.get_mut(&at) else { return };
        for kept in promises.values_mut() {
            kept.retain_mut(|promise| {
                if synced(promise.version) {
                    promise.survives = Durability::Fsync;
                }
                least.is_some_and(|least| promise.survives >= least)
            });
        }
    }

    /// The greatest version of each key that was promised at a machine and still must be there.
    pub fn promised_at(&self, at: At) -> impl Iterator<Item = (&Key, Version)> {
        let keys = self.promises.get(&at).into_iter().flatten();
        keys.filter_map(|(key, kept)| {
            kept.iter().map(|promise| promise.version).max().map(|version| (key, version))
        })
    }

    /// The greatest version of each key that was promised anywhere and still must be there.
    #[must_use]
    pub fn promised(&self) -> BTreeMap<&Key, Version> {
        let mut all = BTreeMap::new();
        for at in self.promises.keys() {
            for (key, version) in self.promised_at(*at) {
                let known = all.entry(key).or_insert(version);
                *known = version.max(*known);
            }
        }
        all
    }

    /// Versions written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

impl Histories {
    /// Histories of so many stores.
    #[must_use]
    pub fn of(stores: usize) -> Self {
        let stores = (0..stores).map(|_| History::default()).collect();
        Self { stores, requests: BTreeMap::new() }
    }

    /// The history of a store.
    #[must_use]
    pub fn store(&self, at: StoreAt) -> Option<&History> {
        self.stores.get(at)
    }

    /// Likewise, to add to it.
    pub fn store_mut(&mut self, at: StoreAt) -> Option<&mut History> {
        self.stores.get_mut(at)
    }

    /// Every history, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut History> {
        self.stores.iter_mut()
    }

    /// Notes a request that was not refused.
    pub fn asked(&mut self, ticket: Ticket, store: StoreAt, request: Request) {
        self.requests.insert(ticket, (store, request));
    }

    /// A request, by its ticket.
    #[must_use]
    pub fn request(&self, ticket: Ticket) -> Option<&(StoreAt, Request)> {
        self.requests.get(&ticket)
    }

    /// Versions written so far, to all stores.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stores.iter().map(History::len).sum()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

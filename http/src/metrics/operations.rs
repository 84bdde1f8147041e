//! How long the operations of each store take, measured around the calls of its handle.
//!
//! Of each store from when it is first used; those of one that was dropped go with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridkv_actors::OpKind;
use gridkv_actors::histogram::{Histogram, REQUESTS};
use gridkv_protocol::StoreName;

use super::exposition::Exposition;
use super::names::{ACK_WAIT_DURATION, STORE_DURATION};
use super::stores::word;
use crate::stopwatch::Stopwatch;

/// How a wait for peers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckResult {
    Met,
    Timeout,
}

/// The measurements of one store.
pub(crate) struct StoreTimers {
    operations: [Histogram; OpKind::ALL.len()],
    acks_met: Histogram,
    acks_timeout: Histogram,
}

impl StoreTimers {
    fn new() -> Self {
        let timer = || Histogram::of(&REQUESTS);
        let operations = OpKind::ALL.map(|_| timer());
        Self { operations, acks_met: timer(), acks_timeout: timer() }
    }

    /// An operation that has ended.
    pub(crate) fn observe(&self, kind: OpKind, since: Stopwatch) {
        if let Some(histogram) = self.operations.get(kind as usize) {
            histogram.observe_time(since.elapsed());
        }
    }

    /// A wait for peers that has ended.
    pub(crate) fn acks(&self, result: AckResult, since: Stopwatch) {
        let histogram = match result {
            AckResult::Met => &self.acks_met,
            AckResult::Timeout => &self.acks_timeout,
        };
        histogram.observe_time(since.elapsed());
    }
}

/// The measurements of all stores, each from when it is first used.
#[derive(Default)]
pub(crate) struct Timers(ArcSwap<BTreeMap<StoreName, Arc<StoreTimers>>>);

impl Timers {
    /// The measurements of a store.
    pub(crate) fn of(&self, store: &StoreName) -> Arc<StoreTimers> {
        if let Some(timers) = self.0.load().get(store) {
            return Arc::clone(timers);
        }
        let fresh = Arc::new(StoreTimers::new());
        self.0.rcu(|all| {
            let mut all = BTreeMap::clone(all);
            all.entry(store.clone()).or_insert_with(|| Arc::clone(&fresh));
            all
        });
        self.0.load().get(store).map_or(fresh, Arc::clone)
    }

    /// Writes the measurements of these stores; those of others, which were dropped, go.
    pub(super) fn collect(&self, stores: &[StoreName], into: &mut Exposition) {
        if self.0.load().keys().any(|store| !stores.contains(store)) {
            self.0.rcu(|all| {
                let mut all = BTreeMap::clone(all);
                all.retain(|store, _| stores.contains(store));
                all
            });
        }
        for store in stores {
            let timers = self.of(store);
            for (kind, histogram) in OpKind::ALL.into_iter().zip(&timers.operations) {
                let labels = [store.as_str(), word(kind)];
                into.histogram(&STORE_DURATION, &labels, &histogram.measured());
            }
            for (result, histogram) in
                [("met", &timers.acks_met), ("timeout", &timers.acks_timeout)]
            {
                let labels = [store.as_str(), result];
                into.histogram(&ACK_WAIT_DURATION, &labels, &histogram.measured());
            }
        }
    }
}

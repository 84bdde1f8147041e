//! How long the operations of each store take, measured around the calls of its handle.
//!
//! Of each store from when it is first used; those of one that was dropped go with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridkv_protocol::StoreName;
use prometheus::core::Metric;
use prometheus::{Histogram, HistogramOpts};

use super::MetricsError;
use super::exposition::Exposition;
use super::names::{ACK_WAIT_DURATION, BUCKETS, Family, STORE_DURATION};
use crate::stopwatch::Stopwatch;

/// What a client does with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Put,
    Delete,
    Touch,
    List,
    Batch,
}

/// How a wait for peers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckResult {
    Met,
    Timeout,
}

/// The measurements of one store.
pub(crate) struct StoreTimers {
    get: Histogram,
    put: Histogram,
    delete: Histogram,
    touch: Histogram,
    list: Histogram,
    batch: Histogram,
    acks_met: Histogram,
    acks_timeout: Histogram,
}

impl StoreTimers {
    fn new() -> Result<Self, MetricsError> {
        let of = |family: &Family| {
            let options = HistogramOpts::new(family.name, family.help).buckets(BUCKETS.to_vec());
            Histogram::with_opts(options)
        };
        Ok(Self {
            get: of(&STORE_DURATION)?,
            put: of(&STORE_DURATION)?,
            delete: of(&STORE_DURATION)?,
            touch: of(&STORE_DURATION)?,
            list: of(&STORE_DURATION)?,
            batch: of(&STORE_DURATION)?,
            acks_met: of(&ACK_WAIT_DURATION)?,
            acks_timeout: of(&ACK_WAIT_DURATION)?,
        })
    }

    /// An operation that has ended.
    pub(crate) fn observe(&self, operation: Operation, since: Stopwatch) {
        let histogram = match operation {
            Operation::Get => &self.get,
            Operation::Put => &self.put,
            Operation::Delete => &self.delete,
            Operation::Touch => &self.touch,
            Operation::List => &self.list,
            Operation::Batch => &self.batch,
        };
        histogram.observe(since.elapsed().as_secs_f64());
    }

    /// A wait for peers that has ended.
    pub(crate) fn acks(&self, result: AckResult, since: Stopwatch) {
        let histogram = match result {
            AckResult::Met => &self.acks_met,
            AckResult::Timeout => &self.acks_timeout,
        };
        histogram.observe(since.elapsed().as_secs_f64());
    }

    fn all(&self) -> [(&'static str, &Histogram); 6] {
        [
            ("get", &self.get),
            ("put", &self.put),
            ("delete", &self.delete),
            ("touch", &self.touch),
            ("list", &self.list),
            ("batch", &self.batch),
        ]
    }
}

/// The measurements of all stores, each from when it is first used.
pub(crate) struct Timers {
    by_store: ArcSwap<BTreeMap<StoreName, Arc<StoreTimers>>>,
    /// Of a store whose histograms can not be made.
    nameless: Arc<StoreTimers>,
}

impl Timers {
    /// Nothing measured yet.
    ///
    /// # Errors
    /// When a histogram can not be made, which is a mistake in the table.
    pub(crate) fn new() -> Result<Self, MetricsError> {
        Ok(Self { by_store: ArcSwap::default(), nameless: Arc::new(StoreTimers::new()?) })
    }

    /// The measurements of a store.
    pub(crate) fn of(&self, store: &StoreName) -> Arc<StoreTimers> {
        if let Some(timers) = self.by_store.load().get(store) {
            return Arc::clone(timers);
        }
        let Ok(fresh) = StoreTimers::new().map(Arc::new) else { return Arc::clone(&self.nameless) };
        self.by_store.rcu(|all| {
            let mut all = BTreeMap::clone(all);
            all.entry(store.clone()).or_insert_with(|| Arc::clone(&fresh));
            all
        });
        self.by_store.load().get(store).map_or(fresh, Arc::clone)
    }

    /// Writes the measurements of these stores; those of others, which were dropped, go.
    pub(super) fn collect(&self, stores: &[StoreName], into: &mut Exposition) {
        if self.by_store.load().keys().any(|store| !stores.contains(store)) {
            self.by_store.rcu(|all| {
                let mut all = BTreeMap::clone(all);
                all.retain(|store, _| stores.contains(store));
                all
            });
        }
        for store in stores {
            let timers = self.of(store);
            for (operation, histogram) in timers.all() {
                let measured = histogram.metric().get_histogram().clone();
                into.histogram(&STORE_DURATION, &[store.as_str(), operation], measured);
            }
            for (result, histogram) in
                [("met", &timers.acks_met), ("timeout", &timers.acks_timeout)]
            {
                let measured = histogram.metric().get_histogram().clone();
                into.histogram(&ACK_WAIT_DURATION, &[store.as_str(), result], measured);
            }
        }
    }
}

//! What this room counts, and what `/metrics` shows of the node.
//!
//! The other rooms count in plain atomics; only the files below here name prometheus. Nothing is
//! registered globally: two nodes in one process have two registries.

mod access;
mod actors;
mod bodies;
mod certificates;
mod exposition;
mod mesh;
mod names;
mod node;
mod operations;
#[cfg(test)]
mod page;
mod requests;
mod stores;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gridkv_actors::node::NodeHandle;
use gridkv_protocol::StoreName;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};

use crate::operating::Operating;
pub(crate) use bodies::Bodies;
use node::{NodeCollector, Table};
use operations::Timers;
pub(crate) use operations::{AckResult, StoreTimers};
pub(crate) use requests::{InFlight, Requests, RequestsView};

/// The metrics could not be set up or written.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub(crate) struct MetricsError(#[from] prometheus::Error);

/// The metrics of one server.
pub(crate) struct Metrics {
    /// Requests, by route.
    pub(crate) requests: Arc<Requests>,
    /// Bytes of bodies.
    pub(crate) bodies: Arc<Bodies>,
    timers: Arc<Timers>,
    collector: NodeCollector,
    /// The families of the process, and the names of all others.
    registry: Registry,
    /// Bytes of the last exposition.
    size: AtomicUsize,
}

impl Metrics {
    /// The metrics of a node.
    ///
    /// # Errors
    /// When a name is not valid or taken twice, which is a mistake in [`names`].
    pub(crate) fn new(node: &NodeHandle, operating: &Operating) -> Result<Self, MetricsError> {
        let requests = Arc::new(Requests::new());
        let (bodies, timers) = (Arc::<Bodies>::default(), Arc::<Timers>::default());
        let collector = NodeCollector {
            node: node.clone(),
            operating: operating.clone(),
            requests: Arc::clone(&requests),
            bodies: Arc::clone(&bodies),
            timers: Arc::clone(&timers),
        };
        let registry = Registry::new();
        registry.register(Box::new(Table::new()?))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { requests, bodies, timers, collector, registry, size: AtomicUsize::new(0) })
    }

    /// The measurements of a store's operations.
    pub(crate) fn timers(&self, store: &StoreName) -> Arc<StoreTimers> {
        self.timers.of(store)
    }

    /// Everything, in the text format.
    ///
    /// # Errors
    /// When a family has no text form, which is a mistake in this crate.
    pub(crate) fn exposition(&self) -> Result<String, MetricsError> {
        let mut text = self.collector.collect(self.size.load(Ordering::Relaxed)).into_text();
        self.size.store(text.len(), Ordering::Relaxed);
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?; // `process_`, which sorts behind `gridkv_`
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

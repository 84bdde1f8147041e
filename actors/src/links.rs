//! The links that are up, by peer: where publishers and catch-ups send to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use gridkv_protocol::NodeId;
use gridkv_protocol::message::Message;
use gridkv_storage::histogram::{Histogram, REQUESTS};

use crate::views::LinkCounts;
use crate::wire::Outbox;

/// The outboxes of the links that are up, and what each peer was sent. Shared by everything on a node.
#[derive(Debug, Default)]
pub(crate) struct Links {
    up: RwLock<BTreeMap<NodeId, Outbox>>,
    counters: RwLock<BTreeMap<NodeId, Arc<LinkCounters>>>,
}

/// What a peer was sent over all its links.
#[derive(Debug)]
pub(crate) struct LinkCounters {
    pub(crate) batches_ok: AtomicU64,
    pub(crate) batches_error: AtomicU64,
    /// No answer came before the link was gone.
    pub(crate) batches_timeout: AtomicU64,
    /// From sending a batch to its answer.
    pub(crate) batch_times: Histogram,
    pub(crate) sent_bytes: Arc<AtomicU64>,
}

impl Default for LinkCounters {
    fn default() -> Self {
        Self {
            batches_ok: AtomicU64::new(0),
            batches_error: AtomicU64::new(0),
            batches_timeout: AtomicU64::new(0),
            batch_times: Histogram::of(&REQUESTS),
            sent_bytes: Arc::default(),
        }
    }
}

impl Links {
    /// Sends a message to a peer. Without a link nothing is sent: who waits for an answer asks again.
    pub(crate) fn send(&self, peer: NodeId, message: &Message) {
        if let Some(outbox) = read(&self.up).get(&peer) {
            outbox.send(message);
        }
    }

    pub(crate) fn open(&self, peer: NodeId, outbox: Outbox) {
        write(&self.up).insert(peer, outbox);
    }

    pub(crate) fn close(&self, peer: NodeId) {
        write(&self.up).remove(&peer);
    }

    /// Ends the link to a peer; it is dialled again.
    pub(crate) fn cut(&self, peer: NodeId) {
        if let Some(outbox) = read(&self.up).get(&peer) {
            outbox.cut();
        }
    }

    pub(crate) fn peers(&self) -> Vec<NodeId> {
        read(&self.up).keys().copied().collect()
    }

    pub(crate) fn counters(&self, peer: NodeId) -> Arc<LinkCounters> {
        if let Some(counters) = read(&self.counters).get(&peer) {
            return Arc::clone(counters);
        }
        Arc::clone(write(&self.counters).entry(peer).or_default())
    }

    /// Drops what was counted of those who are no members any more.
    pub(crate) fn keep(&self, is_member: impl Fn(NodeId) -> bool) {
        write(&self.counters).retain(|peer, _| is_member(*peer));
    }

    pub(crate) fn counts(&self, peer: NodeId) -> LinkCounts {
        let counters = self.counters(peer);
        LinkCounts {
            batches_ok: counters.batches_ok.load(Ordering::Relaxed),
            batches_error: counters.batches_error.load(Ordering::Relaxed),
            batches_timeout: counters.batches_timeout.load(Ordering::Relaxed),
            batch_times: counters.batch_times.measured(),
            sent_bytes: counters.sent_bytes.load(Ordering::Relaxed),
        }
    }
}

// Nothing panics while it holds these locks, and what they guard is whole at every moment.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

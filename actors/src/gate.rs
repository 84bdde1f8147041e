//! The gate before a storage actor: counts what is in flight to it, and refuses what is too much.
//!
//! An actor's mailbox is no back-pressure: every clone of its address may add a message to a full one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_storage::write::{Action, BatchItem, Write};

/// How much may be in flight to one store.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Writes, at most.
    pub ops: u64,
    /// Bytes of keys and values, at most (a single request may be larger).
    pub bytes: u64,
}

/// Counts what is in flight to a store.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: GateLimits,
    ops: AtomicU64,
    bytes: AtomicU64,
}

/// The right to have something in flight; dropped when the store has answered.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    ops: u64,
    bytes: u64,
}

impl Gate {
    pub(crate) fn new(limits: GateLimits) -> Self {
        Self { limits, ops: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// A permit for `ops` writes of `bytes` bytes, unless too much is in flight.
    pub(crate) fn enter(self: &Arc<Self>, ops: u64, bytes: u64) -> Option<Permit> {
        let before_ops = self.ops.fetch_add(ops, Ordering::AcqRel);
        let before_bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let permit = Permit { gate: Arc::clone(self), ops, bytes };
        let idle = before_ops == 0;
        let fits = before_ops + ops <= self.limits.ops && before_bytes + bytes <= self.limits.bytes;
        (idle || fits).then_some(permit)
    }

    /// Writes in flight now.
    pub(crate) fn in_flight(&self) -> u64 {
        self.ops.load(Ordering::Acquire)
    }

    pub(crate) fn limits(&self) -> GateLimits {
        self.limits
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.ops.fetch_sub(self.ops, Ordering::AcqRel);
        self.gate.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Bytes of an operation's key and value.
pub(crate) fn item_weight(item: &BatchItem) -> u64 {
    match item {
        BatchItem::Write(write) => weight(write),
        BatchItem::Get(key) => bytes(key.len()),
    }
}

/// Bytes of a write's key and value.
pub(crate) fn weight(write: &Write) -> u64 {
    let value = match &write.action {
        Action::Put { value, .. } => value.len(),
        Action::Delete | Action::Touch { .. } => 0,
    };
    bytes(write.key.len() + value)
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_and_leaves_no_trace() {
        let gate = Arc::new(Gate::new(GateLimits { ops: 2, bytes: 10 }));
        let first = gate.enter(1, 4).unwrap();
        let second = gate.enter(1, 4).unwrap();
        assert!(gate.enter(1, 1).is_none(), "too many ops");
        drop(first);
        assert!(gate.enter(1, 7).is_none(), "too many bytes");
        assert!(gate.enter(1, 6).is_some());
        drop(second);
        assert_eq!((gate.in_flight(), gate.bytes.load(Ordering::Acquire)), (0, 0));
        assert!(gate.enter(9, 99).is_some(), "a single large request passes an idle gate");
    }
}

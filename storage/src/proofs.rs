//! The proofs of a store's last commits, for its readers: what its state amounted to at which frontier.
//!
//! A peer's proof says something only beside this store's own of the same frontier, which was here a moment
//! ago or comes in a moment. One thread adds, any thread looks; nobody waits for anybody.

use std::sync::atomic::{AtomicU64, Ordering};

use gridkv_protocol::digest::Proof;

/// Proofs that are kept: those of some heartbeats at rest, and of half a second of 2,000 commits per second.
const KEPT: usize = 1_024;

/// The last [`KEPT`] proofs.
pub(crate) struct Proofs {
    slots: Box<[Slot]>,
    /// Proofs that were ever added.
    added: AtomicU64,
    /// The number of the latest one, plus one; 0 while the present state proves nothing.
    latest: AtomicU64,
}

/// A proof in two halves. A reader that finds halves of two different ones sees a frontier that never was.
#[derive(Default)]
struct Slot {
    masked_frontier: AtomicU64,
    root: AtomicU64,
}

impl Proofs {
    /// Says what the state amounts to from now on; `None` when that proves nothing.
    pub(crate) fn publish(&self, proof: Option<Proof>) {
        let Some(proof) = proof else {
            self.latest.store(0, Ordering::Release);
            return;
        };
        let number = self.added.load(Ordering::Relaxed);
        if let Some(slot) = self.slot(number) {
            slot.masked_frontier.store(proof.frontier ^ proof.root, Ordering::Release);
            slot.root.store(proof.root, Ordering::Release);
        }
        self.added.store(number + 1, Ordering::Release);
        self.latest.store(number + 1, Ordering::Release);
    }

    /// What the present state amounts to, if it proves anything.
    pub(crate) fn latest(&self) -> Option<Proof> {
        loop {
            let number = self.latest.load(Ordering::Acquire).checked_sub(1)?;
            let proof = self.slot(number)?.read();
            // Its slot is taken again after as many more.
            let added = self.added.load(Ordering::Acquire);
            if added.saturating_sub(number) < self.slots.len() as u64 {
                return Some(proof);
            }
        }
    }

    /// The root of the digest when the frontier had this fingerprint, if that was lately.
    pub(crate) fn root_at(&self, frontier: u64) -> Option<u64> {
        let added = self.added.load(Ordering::Acquire);
        let oldest = added.saturating_sub(self.slots.len() as u64);
        let kept = (oldest..added).rev().filter_map(|number| self.slot(number));
        kept.map(Slot::read).find(|proof| proof.frontier == frontier).map(|proof| proof.root)
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        let at = usize::try_from(number).unwrap_or(usize::MAX) % self.slots.len();
        self.slots.get(at)
    }
}

impl Slot {
    fn read(&self) -> Proof {
        let root = self.root.load(Ordering::Acquire);
        Proof { frontier: self.masked_frontier.load(Ordering::Acquire) ^ root, root }
    }
}

impl Default for Proofs {
    fn default() -> Self {
        let slots = (0..KEPT).map(|_| Slot::default()).collect();
        Self { slots, added: AtomicU64::default(), latest: AtomicU64::default() }
    }
}

//! The peer appliers of a node, which come and go with the connections of its peers, taken together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gridkv_protocol::NodeId;

use crate::mailbox::Mailbox;

/// What is counted of all peer appliers. Shared by everything on a node.
#[derive(Debug)]
pub(crate) struct Appliers {
    /// Their mailboxes, counted as one.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Peers that were served in this run of the node.
    served: Mutex<BTreeSet<NodeId>>,
    restarts: AtomicU64,
}

impl Appliers {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, served: Mutex::default(), restarts: AtomicU64::new(0) }
    }

    /// An applier has the first message of a peer that was let in.
    pub(crate) fn began(&self, peer: NodeId) {
        // Nothing panics while it holds the lock.
        let is_first = self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(peer);
        self.restarts.fetch_add(u64::from(!is_first), Ordering::Relaxed);
    }

    /// How many of them came after another one of the same peer.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockSource;
    use crate::mailbox::ActorRole;

    #[test]
    fn the_first_applier_of_a_peer_is_no_restart() {
        let clock = Arc::new(ClockSource::start());
        let mailbox = Mailbox::of(ActorRole::PeerApplier, &clock, &Arc::default());
        let appliers = Appliers::new(mailbox);
        appliers.began(NodeId(2));
        appliers.began(NodeId(3));
        assert_eq!(appliers.restarts(), 0);
        appliers.began(NodeId(2));
        assert_eq!(appliers.restarts(), 1);
    }
}

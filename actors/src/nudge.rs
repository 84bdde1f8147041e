//! The nudge from a store's commits to its publisher: there is something to send, or it is urgent.

use std::time::Duration;

use gridkv_storage::ring::OpRing;
use tokio::sync::Notify;

/// Two bells that remember one ring each.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    committed: Notify,
    hurry: Notify,
}

impl Nudge {
    /// Something was committed; a ring that is half full does not wait for a batch to fill.
    pub(crate) fn committed(&self, ring: &OpRing) {
        self.committed.notify_one();
        if ring.len() >= ring.capacity() / 2 {
            self.hurry.notify_one();
        }
    }

    /// There are no more commits; who waits for one finds out.
    pub(crate) fn ended(&self) {
        self.committed.notify_one();
    }

    /// Waits for a commit.
    pub(crate) async fn next(&self) {
        self.committed.notified().await;
    }

    /// Waits for a batch to fill, `pause` at most.
    pub(crate) async fn fill(&self, pause: Duration) {
        // Hurried or not: what there is is sent now.
        drop(tokio::time::timeout(pause, self.hurry.notified()).await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gridkv_protocol::op_log::LoggedOp;
    use gridkv_protocol::{Epoch, Hlc, Key, NodeId, Op, Origin, Record, State, Version};

    use super::*;

    fn op(hlc: u64) -> LoggedOp {
        let origin = Origin::new(NodeId(1), Epoch(1));
        let version = Version { hlc: Hlc::from_bits(hlc), origin };
        let record = Record { version, state: State::Deleted };
        LoggedOp { op: Op { key: Key::new("k").unwrap(), record }, seen: Arc::default() }
    }

    #[actix_rt::test]
    async fn a_ring_that_fills_does_not_wait_for_the_batch() {
        const FOR_EVER: Duration = Duration::from_secs(100_000);
        let (ring, nudge) = (OpRing::new(4), Nudge::default());
        ring.push(op(1));
        nudge.committed(&ring);
        nudge.next().await;
        let waits = tokio::time::timeout(Duration::from_millis(20), nudge.fill(FOR_EVER)).await;
        assert!(waits.is_err(), "a quarter full is no hurry");
        ring.push(op(2));
        nudge.committed(&ring);
        nudge.fill(FOR_EVER).await;
    }
}

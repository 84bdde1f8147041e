//! Batches that peers have not answered: when each was sent, and which ones no answer will come to.

use std::collections::{BTreeMap, VecDeque};

use gridkv_protocol::limits::MAX_BATCHES_IN_FLIGHT;
use gridkv_protocol::{Hlc, NodeId, Origin};

/// Batches of one store to one peer that are remembered, at most: those in flight, and what was in flight before
/// the publisher went back to send some again. Who answers only some is not waited for.
const MOST: usize = 4 * MAX_BATCHES_IN_FLIGHT;

/// A batch on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentBatch {
    pub(crate) origin: Origin,
    pub(crate) after: Hlc,
    pub(crate) upto: Hlc,
    /// Microseconds since the node started, when it was sent.
    pub(crate) now_us: u64,
}

/// The batches of one store that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(BTreeMap<NodeId, VecDeque<SentBatch>>);

impl Unanswered {
    /// Notes one that is sent. Says whether an earlier one is given up for it.
    pub(crate) fn sent(&mut self, peer: NodeId, batch: SentBatch) -> bool {
        let batches = self.0.entry(peer).or_default();
        batches.push_back(batch);
        batches.len() > MOST && batches.pop_front().is_some()
    }

    /// A peer answered the batch of these bounds: when the first such was sent, if it is known.
    pub(crate) fn answered(&mut self, peer: NodeId, bounds: (Origin, Hlc, Hlc)) -> Option<u64> {
        let batches = self.0.get_mut(&peer)?;
        let is_it = |batch: &SentBatch| (batch.origin, batch.after, batch.upto) == bounds;
        let at = batches.iter().position(is_it)?;
        batches.remove(at).map(|batch| batch.now_us)
    }

    /// The link to a peer is gone. Says to how many batches no answer comes any more.
    pub(crate) fn lost(&mut self, peer: NodeId) -> u64 {
        let lost = self.0.remove(&peer).map_or(0, |batches| batches.len());
        u64::try_from(lost).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId(2);

    fn batch(after: u64, now_us: u64) -> SentBatch {
        let (origin, upto) = (Origin::from_bits(1), Hlc::from_bits(after + 1));
        SentBatch { origin, after: Hlc::from_bits(after), upto, now_us }
    }

    fn answered(unanswered: &mut Unanswered, after: u64) -> Option<u64> {
        let SentBatch { origin, after, upto, .. } = batch(after, 0);
        unanswered.answered(PEER, (origin, after, upto))
    }

    #[test]
    fn an_answer_finds_its_batch_and_the_rest_is_lost_with_the_link() {
        let mut unanswered = Unanswered::default();
        for (after, now_us) in [(1, 10), (2, 20), (1, 30)] {
            assert!(!unanswered.sent(PEER, batch(after, now_us)));
        }
        assert_eq!(answered(&mut unanswered, 1), Some(10), "the first of two that were sent");
        assert_eq!(answered(&mut unanswered, 3), None);
        assert_eq!(unanswered.lost(NodeId(3)), 0);
        assert_eq!((unanswered.lost(PEER), unanswered.lost(PEER)), (2, 0));
        assert_eq!(answered(&mut unanswered, 2), None);
    }

    #[test]
    fn a_peer_that_answers_nothing_takes_no_memory() {
        let mut unanswered = Unanswered::default();
        let given_up = (0..100).filter(|after| unanswered.sent(PEER, batch(*after, 0))).count();
        assert_eq!((given_up, unanswered.lost(PEER)), (100 - MOST, MOST as u64));
    }
}

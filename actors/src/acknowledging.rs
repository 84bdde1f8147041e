//! Acknowledgement by peers: how many a client asks for, whether so many are up, and who has the write.
//!
//! What can not come is refused before the write, and nothing is lowered in silence: `majority` and `all`
//! count every member, also those that are down or do not hold the store, and only a member that holds it
//! can acknowledge.

use std::time::Duration;

use gridkv_protocol::{NodeId, Version};

use crate::acks::Seat;
use crate::cluster_board::Neighbour;
use crate::error::WriteError;
use crate::handle::StoreHandle;
use crate::node::NodeHandle;
use crate::views::PeerState;

/// How many peers are to have a write before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckLevel {
    /// So many peers besides this node.
    Peers(usize),
    /// As many as make a majority of all members together with this node.
    Majority,
    /// Every other member.
    All,
}

/// Fewer peers can acknowledge than were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} peers are asked to have the write, and {up} can")]
pub struct NotEnoughPeers {
    /// Peers that were asked for.
    pub asked: usize,
    /// Peers that are up, connected, and hold the store.
    pub up: usize,
    /// Names of those that hold the store and are not up.
    pub down: Vec<String>,
    /// Names of those that do not hold the store.
    pub without_store: Vec<String>,
}

/// A write's claim on its peers, made before it is written.
pub struct AckRequest {
    seat: Option<Seat>,
    asked: usize,
    peers: Vec<(NodeId, String)>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// Peers that have the write, of those that were asked for.
    pub got: usize,
    /// Peers that were asked for.
    pub asked: usize,
    /// Names of those that do not have it, as far as is known; empty when it is acknowledged.
    pub missing: Vec<String>,
}

impl AckLevel {
    /// Peers besides this node, in a mesh with `others` besides it.
    fn of(self, others: usize) -> usize {
        match self {
            Self::Peers(count) => count,
            Self::Majority => others.div_ceil(2),
            Self::All => others,
        }
    }
}

impl NodeHandle {
    /// Claims as many acknowledgements of a write to `store` as `level` says; the write comes next.
    ///
    /// # Errors
    /// [`WriteError`]: the node takes no writes, or can not have so many peers. Nothing was written.
    pub fn ask_peers(
        &self,
        store: &StoreHandle,
        level: AckLevel,
    ) -> Result<AckRequest, WriteError> {
        if level == AckLevel::Peers(0) {
            return Ok(AckRequest { seat: None, asked: 0, peers: Vec::new() });
        }
        store.check_clock()?;
        store.takes_writes()?;
        let (board, now) = (self.inner().board.read(), self.now());
        let asked = level.of(board.neighbours.len());
        let holds = |n: &&Neighbour| n.member.holds(store.name());
        let (holders, others): (Vec<_>, Vec<_>) = board.neighbours.iter().partition(holds);
        // Who stopped closed its connections, long before its silence says the same.
        let is_up = |n: &&&Neighbour| {
            n.contact.is_connected() && self.state_of(&n.contact, now) == PeerState::Up
        };
        let up = holders.iter().filter(is_up).count();
        if up < asked {
            let down = holders.iter().filter(|n| !is_up(n));
            return Err(WriteError::NotEnoughPeers(NotEnoughPeers {
                asked,
                up,
                down: down.map(|n| n.member.name.clone()).collect(),
                without_store: others.iter().map(|n| n.member.name.clone()).collect(),
            }));
        }
        let seat = if asked == 0 { None } else { Some(store.seat()?) };
        let peers = holders.iter().map(|n| (n.member.origin.node(), n.member.name.clone()));
        Ok(AckRequest { seat, asked, peers: peers.collect() })
    }
}

impl AckRequest {
    /// Whether no peer is asked for the write.
    pub fn asks_nobody(&self) -> bool {
        self.asked == 0
    }

    /// Waits, at most for `patience`, until as many peers as were asked for have applied `version`, as
    /// safely as each of them promises.
    pub async fn wait(self, version: Version, patience: Duration) -> Acked {
        let Self { seat, asked, peers } = self;
        let Some(seat) = seat else { return Acked { got: 0, asked, missing: Vec::new() } };
        let among = peers.iter().map(|(peer, _)| *peer).collect();
        let had = seat.wait(version, among, asked, patience).await;
        let mut missing = Vec::new();
        if had.len() < asked {
            missing.extend(
                peers.into_iter().filter(|(peer, _)| !had.contains(peer)).map(|(_, name)| name),
            );
        }
        Acked { got: had.len().min(asked), asked, missing }
    }
}

impl Acked {
    /// Whether all peers that were asked for have the write.
    pub fn is_met(&self) -> bool {
        self.got >= self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_counts_this_node() {
        // Members, and peers that make a majority with this node.
        for (members, peers) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (25, 12)] {
            assert_eq!(AckLevel::Majority.of(members - 1), peers, "of {members}");
            assert_eq!(AckLevel::All.of(members - 1), members - 1);
            assert_eq!(AckLevel::Peers(3).of(members - 1), 3, "however many there are");
        }
    }
}

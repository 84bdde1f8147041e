//! Who minted a version: a node's identity and the epoch of its present run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node's identity: random, made once, persisted in its data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A run of a node: fresh at every start, never reused by the same identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The next epoch; stays at the last one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Identity and epoch in one number: who minted, in which run. Orders by identity, then epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(u64);

impl Origin {
    /// The origin of `node` in its run `epoch`.
    #[must_use]
    pub fn new(node: NodeId, epoch: Epoch) -> Self {
        Self((u64::from(node.0) << 32) | u64::from(epoch.0))
    }

    /// From its number, as it stands on the wire and in files.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its number: identity above epoch, 32 bits each.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whose run this is.
    #[must_use]
    pub fn node(self) -> NodeId {
        NodeId(u32::try_from(self.0 >> 32).unwrap_or(u32::MAX))
    }

    /// Which run this is.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        Epoch(u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_epoch_come_back_out() {
        let origin = Origin::new(NodeId(0xdead_beef), Epoch(7));
        assert_eq!((origin.node(), origin.epoch()), (NodeId(0xdead_beef), Epoch(7)));
        assert_eq!(origin.to_string(), "deadbeef00000007");
        assert!(Origin::new(NodeId(1), Epoch(9)) < Origin::new(NodeId(2), Epoch(1)));
    }
}

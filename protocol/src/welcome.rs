//! The handshake: who knocks, who answers, and whom each counts as a member.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{MAX_MEMBERS, MAX_NAME_BYTES, MAX_STORES, MAX_TEXT_BYTES};
use crate::{Hlc, NodeId, Origin, StoreName, UnixMs, capped};

/// The versions of the replication rules and messages that a node speaks. Two nodes use the greatest that
/// both do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolRange {
    /// The oldest.
    pub least: u16,
    /// The newest.
    pub most: u16,
}

impl ProtocolRange {
    /// What this program speaks.
    pub const OWN: Self = Self { least: 3, most: 3 };

    /// The version that two nodes use; `None` when they have none in common.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let most = self.most.min(other.most);
        (most >= self.least.max(other.least)).then_some(most)
    }
}

/// The first frame of the node that dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What it speaks.
    pub protocol: ProtocolRange,
    /// The cluster it belongs to; another one's nodes are refused.
    #[serde(deserialize_with = "capped::text")]
    pub cluster: String,
    /// Who it is.
    pub member: Member,
    /// Whether it has ever joined (or formed) its cluster.
    pub joined: bool,
    /// Its physical time.
    pub now: UnixMs,
}

/// The answer of the node that was dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// What it speaks.
    pub protocol: ProtocolRange,
    /// Who answers.
    pub member: Member,
    /// Whether it has ever joined (or formed) its cluster.
    pub joined: bool,
    /// Whom it counts as members; the node that dialled is among them once it is durably added.
    pub members: Members,
    /// Its physical time.
    pub now: UnixMs,
    /// The greatest point of its clock: who joins mints nothing below it.
    pub clock: Hlc,
}

impl Welcome {
    /// Whether the node that knocked, `id`, is served. If not it may knock again: who answers has not joined
    /// either, or is not ready and takes in nobody new.
    #[must_use]
    pub fn takes_in(&self, id: NodeId) -> bool {
        self.joined && self.members.contains(id)
    }
}

/// What a node says before it closes a connection that it will not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for the machine.
    pub reason: RefusalReason,
    /// Why, for people.
    #[serde(deserialize_with = "capped::text")]
    pub detail: String,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The peer belongs to another cluster.
    OtherCluster,
    /// The peer speaks no version of the protocol that this node does.
    OtherProtocol,
    /// The peer's identity was forgotten: it comes back empty, under a new one.
    Forgotten,
    /// A node with the peer's identity is up.
    IdentityInUse,
    /// A node with the peer's name but another identity is up.
    NameInUse,
    /// A store is a cache on one side only.
    CacheMismatch,
    /// The first frame was not what belongs there.
    UnexpectedMessage,
    /// The node is stopping.
    Stopping,
    /// The node has as many members or connections as it takes.
    TooMany,
    /// The certificate that the peer showed is not that of the node that it says it is, or of none that is let in.
    /// Said only inside TLS: to nodes that know this word.
    NotCertified,
}

/// A member of the mesh. Orders by origin and revision first, so that of one identity the newest run is
/// greatest, and of one run what it said last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Its identity and the newest epoch seen of it.
    pub origin: Origin,
    /// How often its stores have changed in this run.
    #[serde(default)]
    pub revision: u32,
    /// Its name, for people.
    #[serde(deserialize_with = "capped::text")]
    pub name: String,
    /// Where its peers dial it, `host:port`.
    #[serde(deserialize_with = "capped::text")]
    pub addr: String,
    /// The stores it holds.
    #[serde(deserialize_with = "capped::seq::<_, _, MAX_STORES>")]
    pub stores: Vec<StoreInfo>,
}

impl Member {
    /// Whether it holds a store.
    #[must_use]
    pub fn holds(&self, store: &StoreName) -> bool {
        self.stores.iter().any(|theirs| theirs.name == *store)
    }

    /// What no node can have been started with, in words for people: names go into headers, labels and
    /// log lines, and addresses are dialled.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let letter = |b: u8| b.is_ascii_alphanumeric();
        let plain = |text: &str| text.bytes().all(|b| letter(b) || matches!(b, b'.' | b'_' | b'-'));
        let named = self.name.bytes().next().is_some_and(letter) && plain(&self.name);
        if !named || self.name.len() > MAX_NAME_BYTES {
            return Some("a name has 1 to 128 letters, digits, dots, dashes and underscores");
        }
        (!is_dialled(&self.addr)).then_some("an address is host:port")
    }
}

/// Whether an address is one that can be dialled, as far as its letters say: `host:port`.
#[must_use]
pub fn is_dialled(addr: &str) -> bool {
    let plain = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let (host, port) = addr.rsplit_once(':').unwrap_or_default();
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let v6 = v6.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'));
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let dialled = port.parse::<u16>().is_ok_and(|port| port > 0) && digits;
    addr.len() <= MAX_TEXT_BYTES && dialled && (v6 || (!host.is_empty() && plain(host)))
}

/// What a member says of one of its stores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoreInfo {
    /// The store.
    pub name: StoreName,
    /// Whether it may forget: a cache on one member is a cache on all.
    pub cache: bool,
    /// What it is kept on, for people.
    #[serde(deserialize_with = "capped::text")]
    pub backend: String,
}

/// The member set as one node knows it. Sets that meet are united; forgotten wins over joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Members {
    joined: BTreeMap<NodeId, Member>,
    forgotten: BTreeSet<NodeId>,
}

impl RefusalReason {
    /// Whether it is about who the peer is: it will not be taken in as long as that stays so.
    #[must_use]
    pub fn is_of_identity(self) -> bool {
        matches!(self, Self::Forgotten | Self::IdentityInUse | Self::NameInUse)
    }
}

impl Members {
    /// Every member, in order of identity.
    pub fn iter(&self) -> impl Iterator<Item = &Member> + '_ {
        self.joined.values()
    }

    /// A member by identity.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&Member> {
        self.joined.get(&id)
    }

    /// Whether this identity is a member.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.joined.contains_key(&id)
    }

    /// Whether this identity was forgotten.
    #[must_use]
    pub fn is_forgotten(&self, id: NodeId) -> bool {
        self.forgotten.contains(&id)
    }

    /// Every forgotten identity, in order.
    pub fn forgotten(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.forgotten.iter().copied()
    }

    /// Number of members, this node included once it joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.joined.len()
    }

    /// Whether there is no member yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// Adds a member, or takes what its newest run said of it last. Says whether anything changed.
    pub fn add(&mut self, member: Member) -> bool {
        let id = member.origin.node();
        if self.forgotten.contains(&id) {
            return false;
        }
        match self.joined.get(&id) {
            // Of one revision a node says the same everywhere; should it not, all keep the same one.
            Some(known) if *known >= member => false,
            None if self.joined.len() >= MAX_MEMBERS => false,
            Some(_) | None => {
                self.joined.insert(id, member);
                true
            }
        }
    }

    /// Forgets an identity for good. Says whether anything changed.
    pub fn forget(&mut self, id: NodeId) -> bool {
        if self.forgotten.len() >= MAX_MEMBERS {
            return false;
        }
        let added = self.forgotten.insert(id);
        let removed = self.joined.remove(&id).is_some();
        added || removed
    }

    /// Takes over what `other` knows. Says whether anything changed.
    pub fn unite(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for id in &other.forgotten {
            changed |= self.forget(*id);
        }
        for member in other.joined.values() {
            changed |= self.add(member.clone());
        }
        changed
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(deserialize_with = "capped::map::<_, _, _, MAX_MEMBERS>")]
            joined: BTreeMap<NodeId, Member>,
            #[serde(deserialize_with = "capped::seq::<_, _, MAX_MEMBERS>")]
            forgotten: Vec<NodeId>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let mut members =
            Self { joined: BTreeMap::new(), forgotten: wire.forgotten.into_iter().collect() };
        for member in wire.joined.into_values() {
            members.add(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    fn member(id: u32, epoch: u32, addr: &str) -> Member {
        let origin = Origin::new(NodeId(id), Epoch(epoch));
        let (name, addr) = (format!("n{id}"), addr.into());
        Member { origin, revision: 0, name, addr, stores: vec![] }
    }

    #[test]
    fn sets_that_meet_are_united_and_forgotten_wins() {
        let mut a = Members::default();
        assert!(a.add(member(1, 1, "a:1")) && !a.add(member(1, 1, "a:1")));
        let mut b = Members::default();
        b.add(member(2, 1, "b:1"));
        b.forget(NodeId(1));
        assert!(a.unite(&b));
        assert!(!a.unite(&b), "uniting twice changes nothing");
        assert!(b.unite(&a) || a == b);
        assert_eq!(a, b);
        assert!(a.is_forgotten(NodeId(1)) && !a.contains(NodeId(1)) && a.contains(NodeId(2)));
        assert!(!a.add(member(1, 9, "a:1")), "a forgotten identity does not come back");
    }

    #[test]
    fn the_newest_epoch_says_where_a_member_is() {
        let mut set = Members::default();
        set.add(member(1, 5, "new:1"));
        assert!(!set.add(member(1, 4, "old:1")));
        assert_eq!(set.get(NodeId(1)).map(|m| m.addr.as_str()), Some("new:1"));
    }
}

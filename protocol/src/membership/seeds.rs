//! The addresses that a node was told to dial, and what answered there.

use std::collections::BTreeMap;

use crate::NodeId;
use crate::welcome::Members;

/// Seed addresses, each with what is known of it.
#[derive(Debug)]
pub(super) struct Seeds(BTreeMap<String, Seed>);

/// What is known of a seed address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seed {
    /// Not dialled yet, or not answered the last time; and who answered there before.
    Silent { reason: String, before: Option<NodeId> },
    /// It is this node's own address.
    Myself,
    /// It answered: who, and whether it had joined.
    Answered { node: NodeId, joined: bool },
}

impl Seed {
    fn not_reached() -> Self {
        Self::Silent { reason: "not reached yet".into(), before: None }
    }

    fn node(&self) -> Option<NodeId> {
        match self {
            Self::Silent { before, .. } => *before,
            Self::Answered { node, .. } => Some(*node),
            Self::Myself => None,
        }
    }
}

impl Seeds {
    /// Seeds of the node at `own`, none of them dialled yet.
    pub(super) fn new(addrs: &[String], own: &str) -> Self {
        let seed = |addr: &String| if addr == own { Seed::Myself } else { Seed::not_reached() };
        Self(addrs.iter().map(|addr| (addr.clone(), seed(addr))).collect())
    }

    /// One more address to dial.
    pub(super) fn add(&mut self, addr: String) {
        self.0.entry(addr).or_insert_with(Seed::not_reached);
    }

    pub(super) fn remove(&mut self, addr: &str) {
        self.0.remove(addr);
    }

    pub(super) fn silent(&mut self, addr: &str, reason: String) {
        if let Some(seed) = self.0.get_mut(addr) {
            *seed = Seed::Silent { reason, before: seed.node() };
        }
    }

    pub(super) fn answered(&mut self, addr: &str, node: NodeId, joined: bool) {
        if let Some(seed) = self.0.get_mut(addr) {
            *seed = Seed::Answered { node, joined };
        }
    }

    pub(super) fn led_to_myself(&mut self, addr: &str) {
        if let Some(seed) = self.0.get_mut(addr) {
            *seed = Seed::Myself;
        }
    }

    /// Whether the node `mine`, which never joined, may form a cluster: all seeds answered as never joined
    /// too, and it is the lowest of them.
    pub(super) fn may_form(&self, mine: NodeId) -> bool {
        self.0.values().all(|seed| match seed {
            Seed::Myself => true,
            Seed::Answered { node, joined } => !joined && mine < *node,
            Seed::Silent { .. } => false,
        })
    }

    /// Those that lead to others.
    pub(super) fn to_dial(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter(|(_, seed)| **seed != Seed::Myself).map(|(addr, _)| addr)
    }

    /// Whether every address belongs to this node, or to one that `members` knows: as a member that is
    /// dialled there or once answered there, or as one that was forgotten.
    pub(super) fn all_known(&self, members: &Members) -> bool {
        let is_known = |id: NodeId| members.contains(id) || members.is_forgotten(id);
        self.0.iter().all(|(addr, seed)| {
            *seed == Seed::Myself
                || seed.node().is_some_and(is_known)
                || members.iter().any(|member| member.addr == *addr)
        })
    }

    /// What a node that has not joined waits for, one line per seed.
    pub(super) fn waits_for(&self) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|(addr, seed)| match seed {
                Seed::Silent { reason, .. } => Some(format!("seed {addr} is silent ({reason})")),
                Seed::Answered { node, joined: false } => {
                    Some(format!("seed {addr} ({node}) has not joined a cluster yet"))
                }
                Seed::Answered { node, joined: true } => Some(format!(
                    "seed {addr} ({node}) has not added this node yet; it adds nobody before it \
                         is ready itself"
                )),
                Seed::Myself => None,
            })
            .collect()
    }
}

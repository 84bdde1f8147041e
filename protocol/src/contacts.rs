//! Contacts: who was heard from, when, and over what; and who does not take this node in.

use std::collections::BTreeMap;

use crate::refusals::Refusals;
use crate::report::Report;
use crate::{NodeId, Origin, StoreName, UnixMs};

/// The peers of this run.
#[derive(Debug, Default)]
pub struct Contacts {
    by_node: BTreeMap<NodeId, Contact>,
    /// The addresses that refused this node.
    pub refusals: Refusals,
}

/// What is known of one peer.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// When it was last heard from.
    pub last: Option<UnixMs>,
    /// In which run it was last heard from.
    run: Option<Origin>,
    /// Whether it took clients and their writes, as far as its clock and its stores go.
    pub ready: Option<bool>,
    /// Its live keys, by store.
    pub keys: BTreeMap<StoreName, u64>,
    /// Whether this node's link to it is up, and to which run.
    link: Option<Origin>,
    /// Its connections to this node, by run.
    inbound: Vec<Origin>,
}

impl Contact {
    /// Whether it is connected now, in either direction.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_some() || !self.inbound.is_empty()
    }

    /// Whether this node's link to it is up.
    #[must_use]
    pub fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// A peer that took a new epoch did not leave: its connections are of the new run from now on. Else it
    /// would be taken for a copy of itself when it is dialled again.
    fn goes_on(&mut self, run: Origin) {
        for known in self.inbound.iter_mut().chain(&mut self.link) {
            *known = run.max(*known);
        }
    }
}

impl Contacts {
    /// What is known of a peer.
    #[must_use]
    pub fn get(&self, peer: NodeId) -> Option<&Contact> {
        self.by_node.get(&peer)
    }

    /// Notes a report that came at `now`.
    pub fn reported(&mut self, report: &Report, now: UnixMs) {
        let contact = self.by_node.entry(report.origin.node()).or_default();
        contact.last = Some(now);
        contact.run = Some(report.origin);
        contact.goes_on(report.origin);
        contact.ready = Some(report.ready);
        contact.keys = report.stores.iter().map(|s| (s.store.clone(), s.keys)).collect();
    }

    /// This node's link to a peer is up.
    pub fn link_up(&mut self, origin: Origin, now: UnixMs) {
        let contact = self.by_node.entry(origin.node()).or_default();
        contact.link = Some(origin);
        contact.last = Some(now);
    }

    /// This node's link to a peer is gone.
    pub fn link_down(&mut self, peer: NodeId) {
        if let Some(contact) = self.by_node.get_mut(&peer) {
            contact.link = None;
        }
    }

    /// Whether this node's link to a peer is up.
    #[must_use]
    pub fn has_link(&self, peer: NodeId) -> bool {
        self.linked_run(peer).is_some()
    }

    /// The run of a peer to which this node's link is up.
    #[must_use]
    pub fn linked_run(&self, peer: NodeId) -> Option<Origin> {
        self.by_node.get(&peer).and_then(|contact| contact.link)
    }

    /// Whether a peer is connected now, in either direction.
    #[must_use]
    pub fn is_connected(&self, peer: NodeId) -> bool {
        self.by_node.get(&peer).is_some_and(Contact::is_connected)
    }

    /// A peer connected to this node.
    pub fn arrived(&mut self, origin: Origin) {
        self.by_node.entry(origin.node()).or_default().inbound.push(origin);
    }

    /// A connection of a peer to this node is over.
    pub fn left(&mut self, origin: Origin) {
        if let Some(contact) = self.by_node.get_mut(&origin.node()) {
            let at = contact.inbound.iter().position(|one| *one == origin);
            let at = at.unwrap_or(0); // it went on under another run since it arrived
            if at < contact.inbound.len() {
                contact.inbound.swap_remove(at);
            }
        }
    }

    /// The runs of peers that were heard of within the last `ms` milliseconds.
    pub fn heard_within(&self, ms: u64, now: UnixMs) -> impl Iterator<Item = Origin> + '_ {
        let lately =
            self.by_node.values().filter(move |c| c.last.is_some_and(|at| now.since(at) < ms));
        lately.filter_map(|contact| contact.run)
    }

    /// The runs of peers that are connected now, in either direction.
    #[must_use]
    pub fn up(&self) -> Vec<Origin> {
        let all = self.by_node.values();
        all.flat_map(|contact| contact.link.iter().chain(&contact.inbound).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, Hlc};

    fn run(epoch: u32) -> Origin {
        Origin::new(NodeId(7), Epoch(epoch))
    }

    fn report(origin: Origin) -> Report {
        let (now, clock) = (UnixMs(5), Hlc::ZERO);
        let (members, stores) = (crate::welcome::Members::default(), Vec::new());
        Report { origin, now, clock, ready: true, members, stores }
    }

    #[test]
    fn a_peer_that_takes_a_new_epoch_is_up_in_that_run_and_leaves_whole() {
        let mut contacts = Contacts::default();
        contacts.arrived(run(1));
        contacts.link_up(run(1), UnixMs(4));
        contacts.reported(&report(run(2)), UnixMs(5));
        assert_eq!(contacts.up(), [run(2), run(2)]);
        contacts.left(run(1));
        contacts.link_down(NodeId(7));
        assert_eq!(contacts.up(), []);
        contacts.left(run(1));
    }
}

//! Who was heard from, when, and over what; and who does not take this node in.

use std::collections::BTreeMap;

use gridkv_protocol::report::Report;
use gridkv_protocol::welcome::RefusalReason;
use gridkv_protocol::{NodeId, Origin, UnixMs};

/// The peers of this run.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    by_node: BTreeMap<NodeId, Contact>,
    refusals: BTreeMap<String, RefusalReason>,
}

#[derive(Debug, Default)]
struct Contact {
    last: Option<UnixMs>,
    run: Option<Origin>,
    link: Option<Origin>,
    inbound: Vec<Origin>,
}

impl Contact {
    /// A peer that took a new epoch did not leave: its connections are of the new run from now on.
    fn goes_on(&mut self, run: Origin) {
        for known in self.inbound.iter_mut().chain(&mut self.link) {
            *known = run.max(*known);
        }
    }
}

impl Contacts {
    pub(super) fn reported(&mut self, report: &Report, now: UnixMs) {
        let contact = self.by_node.entry(report.origin.node()).or_default();
        contact.last = Some(now);
        contact.run = Some(report.origin);
        contact.goes_on(report.origin);
    }

    pub(super) fn link_up(&mut self, origin: Origin, now: UnixMs) {
        let contact = self.by_node.entry(origin.node()).or_default();
        (contact.link, contact.last) = (Some(origin), Some(now));
    }

    pub(super) fn link_down(&mut self, peer: NodeId) {
        if let Some(contact) = self.by_node.get_mut(&peer) {
            contact.link = None;
        }
    }

    pub(super) fn has_link(&self, peer: NodeId) -> bool {
        self.by_node.get(&peer).is_some_and(|contact| contact.link.is_some())
    }

    /// The run of a peer that is linked.
    pub(super) fn linked_run(&self, peer: NodeId) -> Option<Origin> {
        self.by_node.get(&peer).and_then(|contact| contact.link)
    }

    /// Whether a peer is connected now, in either direction.
    pub(super) fn is_connected(&self, peer: NodeId) -> bool {
        let contact = self.by_node.get(&peer);
        contact.is_some_and(|contact| contact.link.is_some() || !contact.inbound.is_empty())
    }

    pub(super) fn arrived(&mut self, origin: Origin) {
        self.by_node.entry(origin.node()).or_default().inbound.push(origin);
    }

    pub(super) fn left(&mut self, origin: Origin) {
        if let Some(contact) = self.by_node.get_mut(&origin.node()) {
            let exact = contact.inbound.iter().position(|one| *one == origin);
            let at = exact.unwrap_or(0);
            if at < contact.inbound.len() {
                contact.inbound.swap_remove(at);
            }
        }
    }

    /// The runs of peers that were heard of within the last `ms` milliseconds.
    pub(super) fn heard_within(&self, ms: u64, now: UnixMs) -> impl Iterator<Item = Origin> + '_ {
        let lately =
            self.by_node.values().filter(move |c| c.last.is_some_and(|at| now.since(at) < ms));
        lately.filter_map(|contact| contact.run)
    }

    /// The runs of peers that are connected now, in either direction.
    pub(super) fn up(&self) -> Vec<Origin> {
        let all = self.by_node.values();
        all.flat_map(|contact| contact.link.iter().chain(&contact.inbound).copied()).collect()
    }

    /// Notes what became of dialling an address.
    pub(super) fn dialled(&mut self, addr: &str, refused: Option<RefusalReason>) {
        match refused {
            Some(reason) => self.refusals.insert(addr.to_owned(), reason),
            None => self.refusals.remove(addr),
        };
    }

    /// Drops addresses that are not dialled any more.
    pub(super) fn keep(&mut self, targets: &[String]) {
        self.refusals.retain(|addr, _| targets.contains(addr));
    }

    /// Whether a refusal stands against this node's being ready: of its identity always, another one only
    /// when nobody takes it in.
    pub(super) fn refuse(&self, linked: bool) -> bool {
        self.refusals.values().any(|reason| !linked || reason.is_of_identity())
    }
}

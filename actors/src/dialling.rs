//! The links that this node keeps, by the address that is dialled, and what came of it there the last time.

use std::collections::BTreeMap;

use gridkv_protocol::{NodeId, UnixMs};
use tokio::task::JoinHandle;

use crate::trouble::{PeerTrouble, Trouble};

/// One task per address.
#[derive(Debug, Default)]
pub(crate) struct Dialling {
    by_addr: BTreeMap<String, Link>,
}

/// The task of an address, and the peer that its link serves now.
#[derive(Debug)]
struct Link {
    task: JoinHandle<()>,
    peer: Option<NodeId>,
    last: Option<Outcome>,
}

/// Who answered at an address, or why nobody did, and since when that is so.
#[derive(Debug)]
struct Outcome {
    what: Result<NodeId, Trouble>,
    since: UnixMs,
}

impl Dialling {
    /// Ends the links to addresses that are not among `targets`, and those whose task is over. Returns
    /// the peers that they served.
    pub(crate) fn end_others(&mut self, targets: &[String]) -> Vec<NodeId> {
        let mut served = Vec::new();
        self.by_addr.retain(|addr, link| {
            let goes_on = targets.contains(addr) && !link.task.is_finished();
            if !goes_on {
                link.task.abort();
                served.extend(link.peer);
            }
            goes_on
        });
        served
    }

    /// Starts a link for each of `targets` that has none.
    pub(crate) fn start(&mut self, targets: Vec<String>, start: impl Fn(&str) -> JoinHandle<()>) {
        for addr in targets {
            self.by_addr.entry(addr).or_insert_with_key(|addr| Link {
                task: start(addr),
                peer: None,
                last: None,
            });
        }
    }

    /// Notes that the link to `addr` serves `peer`. Says whether the address is still dialled: what was
    /// learnt from an answer may have ended its link.
    pub(crate) fn serves(&mut self, addr: &str, peer: NodeId) -> bool {
        let Some(link) = self.by_addr.get_mut(addr) else { return false };
        link.peer = Some(peer);
        true
    }

    /// Notes what came of dialling `addr`, or of its link. What is so already stays as old as it is.
    pub(crate) fn note(&mut self, addr: &str, what: Result<NodeId, Trouble>, now: UnixMs) {
        let Some(link) = self.by_addr.get_mut(addr) else { return };
        if link.last.as_ref().is_none_or(|last| last.what != what) {
            link.last = Some(Outcome { what, since: now });
        }
    }

    /// What came of `addr` is of no use any more: who is dialled there has come by itself.
    pub(crate) fn renew(&mut self, addr: &str) {
        if let Some(link) = self.by_addr.get_mut(addr) {
            link.last = None;
        }
    }

    /// Why a peer is not reached where it is dialled; `None` when it is, or nothing came of it yet.
    pub(crate) fn trouble(&self, addr: &str, peer: NodeId) -> Option<PeerTrouble> {
        let Outcome { what, since } = self.by_addr.get(addr)?.last.as_ref()?;
        let what = match what {
            Ok(who) if *who == peer => return None,
            Ok(who) => Trouble::OtherNode(*who),
            Err(trouble) => trouble.clone(),
        };
        Some(PeerTrouble { what, since: *since })
    }

    /// The peer that the link to `addr` serves now.
    pub(crate) fn peer_at(&self, addr: &str) -> Option<NodeId> {
        self.by_addr.get(addr).and_then(|link| link.peer)
    }

    /// Notes that no link serves `peer` any more.
    pub(crate) fn lost(&mut self, peer: NodeId) {
        for link in self.by_addr.values_mut().filter(|link| link.peer == Some(peer)) {
            link.peer = None;
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        for link in self.by_addr.values() {
            link.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(_: &str) -> JoinHandle<()> {
        actix_rt::spawn(std::future::pending())
    }

    #[actix_rt::test]
    async fn an_address_that_is_not_dialled_any_more_serves_nobody() {
        let mut dialling = Dialling::default();
        dialling.start(vec!["a:1".into(), "b:1".into()], idle);
        assert!(dialling.serves("a:1", NodeId(7)));
        assert_eq!((dialling.peer_at("a:1"), dialling.peer_at("b:1")), (Some(NodeId(7)), None));
        assert_eq!(dialling.end_others(&["b:1".into()]), [NodeId(7)]);
        assert!(!dialling.serves("a:1", NodeId(7)), "its link was ended meanwhile");
        assert!(dialling.serves("b:1", NodeId(7)));
        dialling.lost(NodeId(7));
        assert_eq!(dialling.end_others(&[]), []);
    }

    #[actix_rt::test]
    async fn a_task_that_is_over_is_started_again() {
        let mut dialling = Dialling::default();
        dialling.start(vec!["a:1".into()], |_| actix_rt::spawn(async {}));
        while !dialling.by_addr.values().all(|link| link.task.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(dialling.end_others(&["a:1".into()]), []);
        dialling.start(vec!["a:1".into()], idle);
        assert!(dialling.serves("a:1", NodeId(7)));
    }

    #[actix_rt::test]
    async fn what_came_of_an_address_is_as_old_as_its_first_time() {
        let mut dialling = Dialling::default();
        dialling.start(vec!["a:1".into()], idle);
        let (n7, n8) = (NodeId(7), NodeId(8));
        assert_eq!(dialling.trouble("a:1", n7), None, "not dialled yet");
        for now in [10, 20] {
            dialling.note("a:1", Err(Trouble::ConnectionRefused), UnixMs(now));
        }
        let refused = PeerTrouble { what: Trouble::ConnectionRefused, since: UnixMs(10) };
        assert_eq!(dialling.trouble("a:1", n7), Some(refused));
        dialling.note("a:1", Err(Trouble::Hung), UnixMs(30));
        assert_eq!(dialling.trouble("a:1", n7).map(|now| now.since), Some(UnixMs(30)));
        dialling.note("a:1", Ok(n8), UnixMs(40));
        assert_eq!(dialling.trouble("a:1", n8), None);
        let other = PeerTrouble { what: Trouble::OtherNode(n8), since: UnixMs(40) };
        assert_eq!(dialling.trouble("a:1", n7), Some(other));
        dialling.renew("a:1");
        assert_eq!(dialling.trouble("a:1", n7), None, "n7 came by itself, and is dialled again");
        dialling.note("b:1", Ok(n7), UnixMs(50));
        assert_eq!(dialling.trouble("b:1", n7), None, "it is not dialled");
    }
}

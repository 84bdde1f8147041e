//! The addresses that a node dials, and the connections that came of it.

use std::collections::BTreeMap;

use gridkv_protocol::NodeId;

use super::ConnId;

/// The first pause before an address is dialled again (milliseconds); it doubles up to the longest.
const FIRST_PAUSE_MS: u64 = 100;
const LONGEST_PAUSE_MS: u64 = 2_000;

/// One entry per address.
#[derive(Debug, Default)]
pub(super) struct Dialling {
    by_addr: BTreeMap<String, Dial>,
}

#[derive(Debug)]
struct Dial {
    pause_ms: u64,
    conn: Option<ConnId>,
    peer: Option<NodeId>,
}

impl Dialling {
    /// Ends what leads to addresses that are not among `targets`. Returns the connections, and the peers
    /// that they served.
    pub(super) fn end_others(&mut self, targets: &[String]) -> (Vec<ConnId>, Vec<NodeId>) {
        let (mut conns, mut served) = (Vec::new(), Vec::new());
        self.by_addr.retain(|addr, dial| {
            let goes_on = targets.contains(addr);
            if !goes_on {
                conns.extend(dial.conn);
                served.extend(dial.peer);
            }
            goes_on
        });
        (conns, served)
    }

    /// Of `targets`, those that are not dialled yet; from now on they are.
    pub(super) fn start(&mut self, targets: Vec<String>) -> Vec<String> {
        let mut fresh = Vec::new();
        for addr in targets {
            self.by_addr.entry(addr).or_insert_with_key(|addr| {
                fresh.push(addr.clone());
                Dial { pause_ms: FIRST_PAUSE_MS, conn: None, peer: None }
            });
        }
        fresh
    }

    /// Notes the connection that was made to `addr`. Says whether the address is to be dialled at all now.
    pub(super) fn connects(&mut self, addr: &str, conn: ConnId) -> bool {
        let free = self.by_addr.get_mut(addr).filter(|dial| dial.conn.is_none());
        free.map(|dial| dial.conn = Some(conn)).is_some()
    }

    /// The address that a connection leads to.
    pub(super) fn addr_of(&self, conn: ConnId) -> Option<&str> {
        let mut all = self.by_addr.iter();
        all.find(|(_, dial)| dial.conn == Some(conn)).map(|(addr, _)| addr.as_str())
    }

    /// Notes that the link to `addr` serves `peer`. Says whether the address is still dialled.
    pub(super) fn serves(&mut self, addr: &str, peer: NodeId) -> bool {
        let dial = self.by_addr.get_mut(addr);
        dial.map(|dial| dial.peer = Some(peer)).is_some()
    }

    /// The peer that a connection serves.
    pub(super) fn peer_of(&self, conn: ConnId) -> Option<NodeId> {
        self.by_addr.values().find(|dial| dial.conn == Some(conn)).and_then(|dial| dial.peer)
    }

    /// A connection is over. Returns its address, the pause before the next one, and the peer it served.
    pub(super) fn ended(&mut self, conn: ConnId, ending: Ending) -> Option<Ended> {
        let (addr, dial) = self.by_addr.iter_mut().find(|(_, dial)| dial.conn == Some(conn))?;
        dial.conn = None;
        let peer = dial.peer.take();
        dial.pause_ms = match ending {
            Ending::Served | Ending::NotYet => FIRST_PAUSE_MS,
            Ending::NotNeeded => LONGEST_PAUSE_MS,
            Ending::Failed => (dial.pause_ms * 2).min(LONGEST_PAUSE_MS),
        };
        Some(Ended { addr: addr.clone(), pause_ms: dial.pause_ms, peer })
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It served, for a while.
    Served,
    /// One side has not joined.
    NotYet,
    /// Another link leads to the same node.
    NotNeeded,
    /// Nobody answered, or refused.
    Failed,
}

/// What is known of a connection that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) addr: String,
    pub(super) pause_ms: u64,
    pub(super) peer: Option<NodeId>,
}

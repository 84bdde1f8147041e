//! Members that are added and forgotten while the node runs: what is asked, what it comes to, and who
//! still waits for that.

use std::collections::BTreeSet;

use gridkv_protocol::limits::{ADD_WAIT_MS, FORGET_WAIT_MS};
use gridkv_protocol::{NodeId, UnixMs};
use tokio::sync::oneshot;

use crate::post;

/// A node that was to be dialled, and is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAdded {
    /// Its name.
    pub name: String,
    /// Whether it was linked before.
    pub known: bool,
}

/// Why a peer was not added. It is not dialled any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The address is this node's own.
    #[error("the address is this node's own")]
    Myself,
    /// Nobody answered there.
    #[error("it can not be reached: {0}")]
    Unreachable(String),
    /// It refuses this node.
    #[error("it refuses this node: {0}")]
    Refused(String),
    /// It has not joined a cluster, and waits for its own seeds.
    #[error("it has not joined a cluster yet")]
    NotJoined,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// A member that is forgotten, durably on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerForgotten {
    /// Its identity.
    pub id: NodeId,
    /// The member that said that it stored that too; `None` when there is no other.
    pub stored_by: Option<String>,
    /// Names of the members that have not said so; empty when one has, or there is no other.
    pub silent: Vec<String>,
}

/// Why a peer was not forgotten. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// A node does not forget itself.
    #[error("a node does not forget itself")]
    Myself,
    /// There is no such member.
    #[error("there is no such member")]
    NotFound,
    /// This node has not joined a cluster.
    #[error("this node has not joined a cluster")]
    NotJoined,
    /// As many are forgotten as are remembered.
    #[error("no more identities can be remembered as forgotten")]
    Full,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

pub(crate) type AddReply = oneshot::Sender<Result<PeerAdded, AddError>>;
pub(crate) type ForgetReply = oneshot::Sender<Result<PeerForgotten, ForgetError>>;

/// Who waits for a change of the members.
#[derive(Default)]
pub(crate) struct Changes {
    adding: Vec<Adding>,
    forgetting: Vec<Forgetting>,
}

struct Adding {
    addr: String,
    /// The address was not dialled before.
    fresh: bool,
    until: UnixMs,
    reply: AddReply,
}

struct Forgetting {
    id: NodeId,
    until: UnixMs,
    silent: BTreeSet<NodeId>,
    reply: ForgetReply,
}

impl Changes {
    /// Somebody waits for what answers at an address, which was not dialled before if it is `fresh`.
    pub(crate) fn adds(&mut self, (addr, fresh): (String, bool), now: UnixMs, reply: AddReply) {
        self.adding.push(Adding { addr, fresh, until: now.plus(ADD_WAIT_MS), reply });
    }

    /// Something answered at `addr`, or nothing. Says whether the address is not to be dialled any more.
    pub(crate) fn dialled(&mut self, addr: &str, outcome: &Result<PeerAdded, AddError>) -> bool {
        let mut fresh = false;
        for adding in self.adding.extract_if(.., |adding| adding.addr == addr) {
            fresh |= adding.fresh;
            post::answer(adding.reply, outcome.clone());
        }
        fresh && outcome.is_err()
    }

    /// Somebody waits until one of `others` has stored that `id` is forgotten.
    pub(crate) fn forgets(
        &mut self,
        id: NodeId,
        others: BTreeSet<NodeId>,
        now: UnixMs,
        reply: ForgetReply,
    ) {
        let until = now.plus(FORGET_WAIT_MS);
        self.forgetting.push(Forgetting { id, until, silent: others, reply });
    }

    /// A member reported, and has forgotten whom `has_forgotten` says.
    pub(crate) fn stored(
        &mut self,
        by: NodeId,
        name: &str,
        has_forgotten: impl Fn(NodeId) -> bool,
    ) {
        let heard = |f: &mut Forgetting| f.silent.contains(&by) && has_forgotten(f.id);
        for Forgetting { id, reply, .. } in self.forgetting.extract_if(.., heard) {
            let stored_by = Some(name.to_owned());
            post::answer(reply, Ok(PeerForgotten { id, stored_by, silent: Vec::new() }));
        }
    }

    /// The addresses of which nothing was heard for too long.
    pub(crate) fn unheard(&self, now: UnixMs) -> Vec<String> {
        let over = self.adding.iter().filter(|adding| now >= adding.until);
        over.map(|adding| adding.addr.clone()).collect()
    }

    /// Time passed, or a peer is gone: who can not be answered better is told so.
    pub(crate) fn settle(
        &mut self,
        now: UnixMs,
        is_linked: impl Fn(NodeId) -> bool,
        name: impl Fn(NodeId) -> String,
    ) {
        let over = |f: &mut Forgetting| {
            now >= f.until || !f.silent.iter().any(|member| is_linked(*member))
        };
        for Forgetting { id, silent, reply, .. } in self.forgetting.extract_if(.., over) {
            let silent = silent.into_iter().map(&name).collect();
            post::answer(reply, Ok(PeerForgotten { id, stored_by: None, silent }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N2: NodeId = NodeId(2);
    const N3: NodeId = NodeId(3);
    const GONE: NodeId = NodeId(9);

    fn name(id: NodeId) -> String {
        format!("n{}", id.0)
    }

    #[test]
    fn a_forgotten_node_is_stored_elsewhere_or_it_is_said_that_it_is_not() {
        let mut changes = Changes::default();
        let ask = |changes: &mut Changes| {
            let (reply, answer) = oneshot::channel();
            changes.forgets(GONE, [N2, N3].into(), UnixMs(1_000), reply);
            answer
        };
        let done = |by: Option<&str>, silent: &[&str]| {
            let silent = silent.iter().map(|name| (*name).to_owned()).collect();
            Ok(Ok(PeerForgotten { id: GONE, stored_by: by.map(str::to_owned), silent }))
        };
        let mut answer = ask(&mut changes);
        changes.stored(N2, "n2", |_| false);
        changes.stored(GONE, "n9", |_| true);
        changes.settle(UnixMs(2_000), |id| id == N2, name);
        assert!(answer.try_recv().is_err(), "the one who is linked may still say so");
        changes.stored(N2, "n2", |id| id == GONE);
        assert_eq!(answer.try_recv(), done(Some("n2"), &[]));

        let mut answer = ask(&mut changes);
        changes.settle(UnixMs(1_000), |_| false, name);
        assert_eq!(answer.try_recv(), done(None, &["n2", "n3"]), "nobody is linked");
        let mut answer = ask(&mut changes);
        changes.settle(UnixMs(1_000 + FORGET_WAIT_MS), |_| true, name);
        assert_eq!(answer.try_recv(), done(None, &["n2", "n3"]), "nobody says anything");
        let (reply, mut answer) = oneshot::channel();
        changes.forgets(GONE, BTreeSet::new(), UnixMs(0), reply);
        changes.settle(UnixMs(0), |_| true, name);
        assert_eq!(answer.try_recv(), done(None, &[]), "there is nobody");
    }

    #[test]
    fn an_address_that_came_to_nothing_is_dropped_if_it_was_new() {
        let mut changes = Changes::default();
        let gone = Err(AddError::Unreachable("refused".into()));
        for fresh in [true, false] {
            let (reply, mut answer) = oneshot::channel();
            changes.adds(("a:1".into(), fresh), UnixMs(0), reply);
            assert!(!changes.dialled("b:1", &gone), "another address");
            assert!(answer.try_recv().is_err());
            assert_eq!(changes.dialled("a:1", &gone), fresh);
            assert_eq!(answer.try_recv(), Ok(gone.clone()));
        }
        let (reply, mut answer) = oneshot::channel();
        changes.adds(("a:1".into(), true), UnixMs(0), reply);
        assert!(changes.unheard(UnixMs(ADD_WAIT_MS - 1)).is_empty());
        assert_eq!(changes.unheard(UnixMs(ADD_WAIT_MS)), ["a:1"]);
        let linked = Ok(PeerAdded { name: "n2".into(), known: false });
        assert!(!changes.dialled("a:1", &linked));
        assert_eq!(answer.try_recv(), Ok(linked));
    }
}

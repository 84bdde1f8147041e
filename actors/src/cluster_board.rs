//! The board where the cluster actor puts what it knows, for views to read without asking it.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use gridkv_protocol::NodeId;
use gridkv_protocol::contacts::Contact;
use gridkv_protocol::welcome::Member;
use tokio::sync::Notify;

use crate::trouble::{PeerTrouble, Trouble};
use crate::views::PeerState;

/// What the cluster actor knows, and whether something failed that the node can not go on with.
#[derive(Debug, Default)]
pub(crate) struct ClusterBoard {
    board: ArcSwap<Board>,
    failure: OnceLock<Failure>,
    failed: Notify,
}

/// Why a node can not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why, for people.
    pub reason: String,
    /// Nothing is broken: its peers still take what it wrote, and it may give them the time.
    pub hands_over: bool,
}

/// A snapshot of the mesh.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Whether this node is a member.
    pub(crate) joined: bool,
    /// What it waits for before it is.
    pub(crate) waits_for: Vec<String>,
    /// Members that have not answered since it started, while it still asks.
    pub(crate) silent_at_boot: Vec<NodeId>,
    /// Who refuses this node, and why, while it is not ready for that.
    pub(crate) refused_by: Vec<String>,
    /// How far its clock is ahead of the middle of its peers, in milliseconds.
    pub(crate) ahead_ms: Option<i64>,
    /// The other members.
    pub(crate) neighbours: Vec<Neighbour>,
}

/// Another member, and what was heard of it.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) member: Member,
    pub(crate) contact: Contact,
    /// How far its clock is ahead of this node's, in milliseconds, as its quickest reports of some seconds tell.
    pub(crate) skew_ms: Option<i64>,
    /// Why it is not reached where it is dialled.
    pub(crate) trouble: Option<PeerTrouble>,
}

impl Neighbour {
    /// Why it is not reached, if it is not. Over an open link nothing may come for a while before that is given up.
    pub(crate) fn trouble(&self, state: PeerState) -> Option<PeerTrouble> {
        if !self.contact.has_link() {
            return self.trouble.clone();
        }
        let since = self.contact.last.filter(|_| state != PeerState::Up)?;
        Some(PeerTrouble { what: Trouble::Silent, since })
    }
}

impl ClusterBoard {
    pub(crate) fn put(&self, board: Board) {
        self.board.store(Arc::new(board));
    }

    pub(crate) fn read(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// The name of another member for people; its id when none is known.
    pub(crate) fn name_of(&self, id: NodeId) -> String {
        let board = self.read();
        let mut members = board.neighbours.iter().map(|neighbour| &neighbour.member);
        let found = members.find(|member| member.origin.node() == id);
        found.map_or_else(|| id.to_string(), |member| member.name.clone())
    }

    /// Says that the node can not go on. The first reason stands.
    pub(crate) fn fail(&self, reason: String) {
        self.end(Failure { reason, hands_over: false });
    }

    /// Says that the node is not to go on, although it could.
    pub(crate) fn send_away(&self, reason: String) {
        self.end(Failure { reason, hands_over: true });
    }

    fn end(&self, failure: Failure) {
        drop(self.failure.set(failure));
        self.failed.notify_waiters();
        self.failed.notify_one();
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(|failure| failure.reason.as_str())
    }

    /// Waits until the node can not go on, and says why.
    pub(crate) async fn wait_for_failure(&self) -> Failure {
        loop {
            if let Some(failure) = self.failure.get() {
                return failure.clone();
            }
            self.failed.notified().await;
        }
    }
}

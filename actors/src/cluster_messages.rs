//! What the cluster actor is told: plain data, each with what its answer needs.

use std::sync::Arc;

use actix::Message;
use gridkv_protocol::report::Report;
use gridkv_protocol::welcome::{Hello, Refusal, Welcome};
use gridkv_protocol::{NodeId, Origin, StoreName};
use tokio::sync::oneshot;

use crate::credentials::Credentials;
use crate::member_change::{AddReply, ForgetReply};
use crate::operations::Operation;
use crate::store_ends::StoreEnd;
use crate::trouble::Trouble;
use crate::wire::Outbox;

/// A node knocked at this one; answered once what the answer says is kept.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Knock {
    pub(crate) hello: Hello,
    pub(crate) credentials: Credentials,
    pub(crate) reply: oneshot::Sender<Result<Welcome, Refusal>>,
}

/// A node that was dialled answered.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dialled {
    pub(crate) addr: String,
    pub(crate) welcome: Welcome,
    pub(crate) credentials: Credentials,
    pub(crate) outbox: Outbox,
    pub(crate) reply: oneshot::Sender<Verdict>,
}

/// What becomes of a link after its handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It serves.
    Serve,
    /// One side has not joined: to be dialled again soon.
    NotYet,
    /// Another link leads to the same node.
    NotNeeded,
    /// The address is this node's own.
    Myself,
    /// Who answers is not taken, and why: to be dialled again, but not soon.
    Unfit(String),
}

/// A dialled address did not answer, or refused.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Silent {
    pub(crate) addr: String,
    /// In words for the log.
    pub(crate) reason: String,
    pub(crate) trouble: Trouble,
}

/// A link that served has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkEnded {
    pub(crate) peer: NodeId,
    pub(crate) addr: String,
    pub(crate) trouble: Trouble,
}

/// A peer's connection to this node began.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Arrived(pub(crate) Origin);

/// A peer's connection to this node ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Left(pub(crate) Origin);

/// A peer reported, over either connection.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct PeerReported(pub(crate) Report);

/// A peer is to be answered with this node's report.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReportTo {
    pub(crate) peer: NodeId,
    pub(crate) outbox: Outbox,
}

/// An operator gives the address of a node to dial; answered once something answered there, or nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AddPeer {
    pub(crate) addr: String,
    pub(crate) reply: AddReply,
}

/// An operator says that a member is gone for good, by its name or identity; answered once another member
/// has stored that, or none can.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetPeer {
    pub(crate) name: String,
    pub(crate) reply: ForgetReply,
}

/// What to say first to a node that is dialled.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SayHello(pub(crate) oneshot::Sender<Hello>);

/// An operator wants a store to have all that a peer has; answered whether it begins.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FullSync {
    pub(crate) store: StoreName,
    /// What is told of it.
    pub(crate) operation: Arc<Operation>,
    pub(crate) reply: oneshot::Sender<Result<(), FullSyncRefusal>>,
}

/// This node holds a store from now on; answered when its members are told, with `false` if the node can not go on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MakeStore {
    pub(crate) end: Arc<StoreEnd>,
    pub(crate) reply: oneshot::Sender<bool>,
}

/// This node does not hold a store any more; answered when its members are told.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DropStore {
    pub(crate) name: StoreName,
    pub(crate) reply: oneshot::Sender<()>,
}

/// Why a full sync does not begin. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullSyncRefusal {
    /// There is no such store here.
    #[error("there is no such store here")]
    NoStore,
    /// A cache is never filled by its peers.
    #[error("the store is a cache: it may forget, and is never filled by its peers")]
    Cache,
    /// The store is being filled already.
    #[error("the store is being filled already")]
    Running,
    /// The peer is not connected, or has no such store.
    #[error("the peer is not connected, or has no such store")]
    NotConnected,
}

//! What a storage actor is told: plain data, each with what its answer needs.

use actix::Message;
use gridkv_protocol::catchup::{Emptied, Stretch};
use gridkv_protocol::convergence::Sums;
use gridkv_protocol::forgetting::Forget;
use gridkv_protocol::frontier::Closing;
use gridkv_protocol::message::StoreBatch;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, NodeId, Origin};
use gridkv_storage::durability::Durability;
use gridkv_storage::write::{Batch, ItemOutcome, Write, Written};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::catch_up_actor::CatchUpActor;
use crate::error::WriteError;
use crate::gate::Permit;
use crate::mail::Mail;
use crate::wire::Outbox;

/// Writes of clients wait in the store's intake.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TakeWrites;

/// One write of a client, in the intake.
pub(crate) struct ClientWrite {
    pub(crate) write: Write,
    pub(crate) durability: Option<Durability>,
    pub(crate) reply: oneshot::Sender<Result<Written, WriteError>>,
    pub(crate) permit: Permit,
}

/// A batch of a client.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ClientBatch {
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Result<Vec<ItemOutcome>, WriteError>>,
    pub(crate) permit: Permit,
}

/// A batch of a peer; answered into its connection.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ApplyBatch {
    pub(crate) peer: NodeId,
    pub(crate) batch: StoreBatch,
    pub(crate) answer_to: Outbox,
    pub(crate) catch_up: Mail<CatchUpActor>,
    /// Bytes that the connection's reader may not read while this is under way.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Records of a catch-up page, or what ends the session; answered whether it was committed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MergePage {
    pub(crate) records: Vec<KeyedRecord>,
    pub(crate) install: Option<(Frontier, Hlc)>,
    pub(crate) reply: oneshot::Sender<bool>,
}

/// A cache is to forget everything and adopt a frontier; answered whether it did.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetAll {
    pub(crate) forget: Forget,
    pub(crate) reply: oneshot::Sender<bool>,
}

/// Say what the store amounts to, bucket by bucket, as of the last commit; `None` when that is not known.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellDigest(pub(crate) oneshot::Sender<Option<Sums>>);

/// Time passed: expire what is due, and close the store's time for the heartbeat.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Tick;

/// Go on under a new epoch.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TakeOrigin(pub(crate) Origin);

/// Commit what is staged and say when it is done. Time is not closed any more after it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) oneshot::Sender<()>);

/// A donor's stretch is to be taken; answered whether it was committed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TakeStretch {
    pub(crate) stretch: Stretch,
    pub(crate) reply: oneshot::Sender<bool>,
}

/// The store is filled from scratch from now on, and takes no batches; or it takes them again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Hold(pub(crate) bool);

/// All members hold everything up to this point for good: dead records up to it go.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Purge(pub(crate) Hlc);

/// An origin is over, and all members hold the same of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CloseOrigin {
    pub(crate) origin: Origin,
    pub(crate) closing: Closing,
}

/// All members have closed an origin: how need not be known any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetClosing(pub(crate) Origin);

/// Everything goes, to be filled from a peer, if that has all of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Empty {
    pub(crate) covered: Frontier,
    pub(crate) reply: oneshot::Sender<Emptied>,
}

/// The store was dropped: end.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

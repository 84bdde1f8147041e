//! Everything that travels between two nodes, and how it stands in a frame.

use serde::de::DeserializeOwned;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use crate::codec::{DecodeError, EncodeError, decode, encode};
use crate::digest::Proof;
use crate::frame::{FrameError, FrameHeader, WIRE};
use crate::limits::{DIGEST_BUCKETS, MAX_BATCH_OPS};
use crate::op::{WireOp, write_op};
use crate::page::{Page, PageRequest};
use crate::report::Report;
use crate::welcome::{Hello, Refusal, Welcome};
use crate::{Frontier, Hlc, Op, OpBatch, Origin, Record, StoreName, Version, capped};

/// A message between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Dialler's first frame.
    Hello(Hello),
    /// The answer to it.
    Welcome(Welcome),
    /// The other answer to it, before the connection is closed.
    Refusal(Refusal),
    /// A heartbeat, from the dialler; answered with one.
    Report(Report),
    /// Ops of the dialler.
    Batch(StoreBatch),
    /// What became of a batch.
    Answer(BatchAnswer),
    /// Asks for a catch-up page.
    PageRequest(PageRequest),
    /// The page.
    Page(Page),
    /// The page can not be had: no such store here, or it can not be read.
    NoPage(NoPage),
    /// Asks for the digest of a store.
    DigestRequest(DigestRequest),
    /// The digest.
    Digest(DigestAnswer),
}

/// A batch and the store it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreBatch {
    /// The store.
    pub store: StoreName,
    /// The batch.
    pub batch: OpBatch,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// The store.
    pub store: StoreName,
    /// The batch's origin.
    pub origin: Origin,
    /// The batch's `after`: together with `upto` it says which batch this answers.
    pub after: Hlc,
    /// The batch's `upto`.
    pub upto: Hlc,
    /// What happened.
    pub outcome: BatchOutcome,
}

/// What a receiver did with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchOutcome {
    /// The receiver now has the origin up to these points. `applied` is below the batch's `upto` when
    /// the batch, or the time after its last op, lay too far in the future: it is to come again.
    Applied {
        /// In its state.
        applied: Hlc,
        /// What would survive a power cut.
        durable: Hlc,
    },
    /// Not merged: the receiver has the origin only up to `have`, below the batch's `after`.
    Gap {
        /// What the receiver has.
        have: Hlc,
    },
    /// Not merged, and not to be sent again: the store is unknown there, or the epoch is over.
    Refused,
    /// Not merged: the receiver's store can not take it now. To be sent again.
    Unavailable,
}

/// A catch-up page that can not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoPage {
    /// The store.
    pub store: StoreName,
    /// The receiver's number of the session.
    pub session: u64,
}

/// Asks for the digest of a store, bucket by bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRequest {
    /// The store.
    pub store: StoreName,
}

/// The digest of a store, bucket by bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestAnswer {
    /// The store.
    pub store: StoreName,
    /// Of which state it is; `None`: there is none that could be compared, and no bucket.
    pub proof: Option<Proof>,
    /// The sum of each bucket.
    #[serde(deserialize_with = "capped::seq::<_, _, DIGEST_BUCKETS>")]
    pub buckets: Vec<u64>,
}

/// Why a frame's payload is no message. The connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A kind that this protocol version does not know.
    #[error("unknown kind of message {0}")]
    UnknownKind(u8),
    /// The payload is not a message of its kind.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A batch whose ops are not ascending, not between `after` and `upto`, or too many.
    #[error("a batch that breaks its own bounds")]
    BrokenBatch,
}

/// Why a message can not be sent. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It has no MessagePack form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It is larger than a frame may be.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const WELCOME: u8 = 2;
    pub(super) const REFUSAL: u8 = 3;
    pub(super) const REPORT: u8 = 4;
    pub(super) const BATCH: u8 = 5;
    pub(super) const ANSWER: u8 = 6;
    pub(super) const PAGE_REQUEST: u8 = 7;
    pub(super) const PAGE: u8 = 8;
    pub(super) const NO_PAGE: u8 = 9;
    pub(super) const DIGEST_REQUEST: u8 = 10;
    pub(super) const DIGEST: u8 = 11;
}

impl Message {
    /// The frame of this message, with a payload of at most `limit` bytes.
    ///
    /// # Errors
    /// [`SendError`] when it does not fit.
    pub fn to_frame(&self, limit: usize) -> Result<Vec<u8>, SendError> {
        let (kind, payload) = match self {
            Self::Hello(message) => (kind::HELLO, encode(message)?),
            Self::Welcome(message) => (kind::WELCOME, encode(message)?),
            Self::Refusal(message) => (kind::REFUSAL, encode(message)?),
            Self::Report(message) => (kind::REPORT, encode(message)?),
            Self::Batch(message) => (kind::BATCH, encode(message)?),
            Self::Answer(message) => (kind::ANSWER, encode(message)?),
            Self::PageRequest(message) => (kind::PAGE_REQUEST, encode(message)?),
            Self::Page(message) => (kind::PAGE, encode(message)?),
            Self::NoPage(message) => (kind::NO_PAGE, encode(message)?),
            Self::DigestRequest(message) => (kind::DIGEST_REQUEST, encode(message)?),
            Self::Digest(message) => (kind::DIGEST, encode(message)?),
        };
        Ok(WIRE.wrap(kind, &payload, limit)?)
    }

    /// The message of a frame whose payload was verified.
    ///
    /// # Errors
    /// [`MessageError`] when the payload is not a message of its kind.
    pub fn from_frame(header: &FrameHeader, payload: &[u8]) -> Result<Self, MessageError> {
        fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, MessageError> {
            Ok(decode(payload)?)
        }
        Ok(match header.kind() {
            kind::HELLO => Self::Hello(read(payload)?),
            kind::WELCOME => Self::Welcome(read(payload)?),
            kind::REFUSAL => Self::Refusal(read(payload)?),
            kind::REPORT => Self::Report(read(payload)?),
            kind::BATCH => Self::Batch(read::<WireBatch>(payload)?.check()?),
            kind::ANSWER => Self::Answer(read(payload)?),
            kind::PAGE_REQUEST => Self::PageRequest(read(payload)?),
            kind::PAGE => Self::Page(read(payload)?),
            kind::NO_PAGE => Self::NoPage(read(payload)?),
            kind::DIGEST_REQUEST => Self::DigestRequest(read(payload)?),
            kind::DIGEST => Self::Digest(read(payload)?),
            unknown => return Err(MessageError::UnknownKind(unknown)),
        })
    }
}

/// A batch as it stands on the wire: its ops without their origin.
#[derive(Deserialize)]
struct WireBatch {
    store: StoreName,
    origin: Origin,
    after: Hlc,
    upto: Hlc,
    seen: Frontier,
    #[serde(deserialize_with = "capped::seq::<_, _, MAX_BATCH_OPS>")]
    ops: Vec<WireOp>,
}

impl WireBatch {
    fn check(self) -> Result<StoreBatch, MessageError> {
        let Self { store, origin, after, upto, seen, ops } = self;
        let mut last = after;
        let ascending = ops.iter().all(|op| {
            let rises = op.hlc > last && op.hlc <= upto;
            last = op.hlc;
            rises
        });
        if !ascending || after > upto {
            return Err(MessageError::BrokenBatch);
        }
        let ops = ops
            .into_iter()
            .map(|WireOp { key, hlc, state }| Op {
                key,
                record: Record { version: Version { hlc, origin }, state },
            })
            .collect();
        Ok(StoreBatch { store, batch: OpBatch { origin, after, upto, seen, ops } })
    }
}

impl Serialize for StoreBatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a>(&'a StoreName, Origin, Hlc, Hlc, &'a Frontier, Ops<'a>);
        let OpBatch { origin, after, upto, seen, ops } = &self.batch;
        Wire(&self.store, *origin, *after, *upto, seen, Ops(ops)).serialize(serializer)
    }
}

struct Ops<'a>(&'a [Op]);

impl Serialize for Ops<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for op in self.0 {
            list.serialize_element(&WithoutOrigin(op))?;
        }
        list.end()
    }
}

struct WithoutOrigin<'a>(&'a Op);

impl Serialize for WithoutOrigin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Op { key, record } = self.0;
        write_op(key, record.version.hlc, &record.state, serializer)
    }
}

// CAVEATS: structs stand on the wire as arrays by position. A field may only be added together with a
// new protocol version; the golden files under protocol/tests fail when a byte moves.

#[cfg(test)]
#[path = "message_test.rs"]
mod tests;

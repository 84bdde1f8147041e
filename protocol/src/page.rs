//! Catch-up pages: a donor's records, or those that a frontier does not cover.

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{DIGEST_BUCKETS, MAX_CURSOR_BYTES, MAX_PAGE_RECORDS};
use crate::op::KeyedRecord;
use crate::{Frontier, Hlc, Origin, StoreName, Value, capped};

/// Where a walk goes on: the donor's own notion, opaque to the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PageCursor(Value);

impl PageCursor {
    /// A cursor from the donor's bytes; `None` when there are more than a cursor may have.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX_CURSOR_BYTES).then(|| Self(Value::copied(bytes)))
    }

    /// The donor's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for PageCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Value::deserialize(deserializer)?;
        Self::new(&bytes).ok_or_else(|| serde::de::Error::custom("a cursor longer than its limit"))
    }
}

/// Asks a donor for the page at `cursor`. The donor keeps no session: all it needs is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// The store.
    pub store: StoreName,
    /// The receiver's number of this session; the page repeats it.
    pub session: u64,
    /// What the receiver had when the session started.
    pub frontier: Frontier,
    /// Which records it asks for.
    pub scope: Scope,
    /// Where to go on; `None` for the first page.
    pub cursor: Option<PageCursor>,
}

/// Which records a receiver asks for. All are sent with tombstones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Those that its frontier does not cover, in any order.
    #[default]
    Missing,
    /// All, in byte order of their keys: what is absent between two of them is absent at the donor.
    Everything,
    /// All of these buckets of the digest.
    Buckets(#[serde(deserialize_with = "capped::seq::<_, _, DIGEST_BUCKETS>")] Vec<u16>),
}

/// One page of a donor's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The store.
    pub store: StoreName,
    /// The receiver's number of the session.
    pub session: u64,
    /// The cursor that was asked for.
    pub cursor: Option<PageCursor>,
    /// The donor's present origin: a change means that it restarted, and ends the session.
    pub donor: Origin,
    /// The donor's frontier as it was before this page was read.
    pub frontier: Frontier,
    /// The donor's floor.
    pub floor: Hlc,
    /// The records that were asked for, tombstones included.
    #[serde(deserialize_with = "capped::seq::<_, _, MAX_PAGE_RECORDS>")]
    pub records: Vec<KeyedRecord>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<PageCursor>,
}

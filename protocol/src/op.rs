//! A record on the move, and the batch that closes a stretch of an origin's time.

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use std::fmt;

use crate::{ContentType, Frontier, Hlc, Key, Live, Origin, Record, State, UnixMs, Value, Version};

/// A key and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The key.
    pub key: Key,
    /// Its record after the op.
    pub record: Record,
}

/// Every op of `origin` with `after < hlc <= upto`, ascending. Without ops it is a heartbeat: it
/// closes the time up to `upto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpBatch {
    /// Who minted the ops.
    pub origin: Origin,
    /// The receiver must already have this origin up to here, or there is a gap.
    pub after: Hlc,
    /// The receiver has this origin up to here once the batch is applied.
    pub upto: Hlc,
    /// What the origin had of the others when it wrote these ops: conflicts are counted against it.
    pub seen: Frontier,
    /// The ops; their versions' origin is `origin`.
    pub ops: Vec<Op>,
}

impl Op {
    /// Bytes this op takes in logs and batches: its key, value and content type, and a constant for
    /// version and framing.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.key, &self.record)
    }
}

fn weight(key: &Key, record: &Record) -> usize {
    const FRAMING: usize = 32;
    FRAMING + key.len() + record.content_bytes()
}

/// How an op stands in a batch: without its origin, which the batch names once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WireOp {
    pub(crate) key: Key,
    pub(crate) hlc: Hlc,
    pub(crate) state: State,
}

/// How a record stands in a page or a file: with its whole version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRecord {
    /// The key.
    pub key: Key,
    /// Its record.
    pub record: Record,
}

impl KeyedRecord {
    /// Bytes this record takes in pages and files, as for [`Op::weight`].
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.key, &self.record)
    }
}

// Both are one flat MessagePack array: key, hlc, [origin,] kind, then what the kind needs.
const LIVE: u8 = 0;
const LIVE_WITH_EXTRAS: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;

fn state_len(state: &State) -> usize {
    match state {
        State::Live(Live { content_type: None, expires_at: None, .. }) | State::Expired { .. } => 2,
        State::Live(_) => 4,
        State::Deleted => 1,
    }
}

fn write_state<S: SerializeTuple>(tuple: &mut S, state: &State) -> Result<(), S::Error> {
    match state {
        State::Live(Live { value, content_type: None, expires_at: None }) => {
            tuple.serialize_element(&LIVE)?;
            tuple.serialize_element(value)
        }
        State::Live(live) => {
            tuple.serialize_element(&LIVE_WITH_EXTRAS)?;
            tuple.serialize_element(&live.value)?;
            tuple.serialize_element(&live.content_type)?;
            tuple.serialize_element(&live.expires_at)
        }
        State::Deleted => tuple.serialize_element(&DELETED),
        State::Expired { expires_at } => {
            tuple.serialize_element(&EXPIRED)?;
            tuple.serialize_element(expires_at)
        }
    }
}

fn element<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(tuple: &mut A) -> Result<T, A::Error> {
    tuple.next_element()?.ok_or_else(|| A::Error::custom("a record that ends too early"))
}

fn read_state<'de, A: SeqAccess<'de>>(tuple: &mut A) -> Result<State, A::Error> {
    match element::<A, u8>(tuple)? {
        LIVE => Ok(State::Live(Live {
            value: element::<A, Value>(tuple)?,
            content_type: None,
            expires_at: None,
        })),
        LIVE_WITH_EXTRAS => Ok(State::Live(Live {
            value: element::<A, Value>(tuple)?,
            content_type: element::<A, Option<ContentType>>(tuple)?,
            expires_at: element::<A, Option<UnixMs>>(tuple)?,
        })),
        DELETED => Ok(State::Deleted),
        EXPIRED => Ok(State::Expired { expires_at: element(tuple)? }),
        kind => Err(A::Error::custom(format_args!("unknown kind of record {kind}"))),
    }
}

pub(crate) fn write_op<S: Serializer>(
    key: &Key,
    hlc: Hlc,
    state: &State,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(2 + state_len(state))?;
    tuple.serialize_element(key)?;
    tuple.serialize_element(&hlc)?;
    write_state(&mut tuple, state)?;
    tuple.end()
}

impl<'de> Deserialize<'de> for WireOp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tuple;
        impl<'de> Visitor<'de> for Tuple {
            type Value = WireOp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an op")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut tuple: A) -> Result<WireOp, A::Error> {
                Ok(WireOp {
                    key: element(&mut tuple)?,
                    hlc: element(&mut tuple)?,
                    state: read_state(&mut tuple)?,
                })
            }
        }
        deserializer.deserialize_seq(Tuple)
    }
}

impl Serialize for KeyedRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { version, state } = &self.record;
        let mut tuple = serializer.serialize_tuple(3 + state_len(state))?;
        tuple.serialize_element(&self.key)?;
        tuple.serialize_element(&version.hlc)?;
        tuple.serialize_element(&version.origin)?;
        write_state(&mut tuple, state)?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for KeyedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tuple;
        impl<'de> Visitor<'de> for Tuple {
            type Value = KeyedRecord;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record under its key")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut tuple: A) -> Result<KeyedRecord, A::Error> {
                let key = element(&mut tuple)?;
                let version = Version { hlc: element(&mut tuple)?, origin: element(&mut tuple)? };
                let state = read_state(&mut tuple)?;
                Ok(KeyedRecord { key, record: Record { version, state } })
            }
        }
        deserializer.deserialize_seq(Tuple)
    }
}

//! A record and its key in one allocation, as the map keeps them.
//!
//! Version, kind and length of the key; deadline and length of the content type where there is one;
//! then key, content type and value. The layout never leaves the process.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use gridkv_protocol::{
    Buffer, ContentType, Hlc, Key, Live, Origin, Record, State, UnixMs, Value, Version,
};

use crate::chunk;

/// Bytes of version, kind and length of the key.
const HEAD_BYTES: usize = 19;

/// Bytes of a deadline.
const DEADLINE_BYTES: usize = 8;

// Kinds of records. The two bits of a live record say what it has beside its value.
const LIVE: u8 = 0;
const WITH_DEADLINE: u8 = 1;
const WITH_TYPE: u8 = 2;
const EXPIRED: u8 = 4;
const DELETED: u8 = 8;

/// Bytes of room that a draft keeps for the next one.
const DRAFT_BYTES: usize = 64 << 10;

thread_local! {
    /// Where a record is put together before its length is allocated: that saves an allocation for each.
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A record under its key. Equal, and hashed, as its key is: it is made to stand in a hash set.
#[derive(Clone)]
pub(crate) struct Packed(Buffer);

/// Bytes of memory that a record takes as it is packed.
pub(crate) fn bytes(key: &Key, record: &Record) -> usize {
    chunk::bytes(Buffer::HEAD_BYTES + length(key, record))
}

fn length(key: &Key, record: &Record) -> usize {
    let extras = match &record.state {
        State::Live(live) => {
            let deadline = if live.expires_at.is_some() { DEADLINE_BYTES } else { 0 };
            deadline + usize::from(live.content_type.is_some())
        }
        State::Expired { .. } => DEADLINE_BYTES,
        State::Deleted => 0,
    };
    HEAD_BYTES + extras + key.len() + record.content_bytes()
}

/// Appends a record as it is packed.
fn write(bytes: &mut Vec<u8>, key: &Key, record: &Record) {
    let (kind, deadline, content_type, value) = match &record.state {
        State::Live(Live { value, content_type, expires_at }) => {
            let kind = LIVE
                | if expires_at.is_some() { WITH_DEADLINE } else { 0 }
                | if content_type.is_some() { WITH_TYPE } else { 0 };
            (kind, *expires_at, content_type.as_ref(), &**value)
        }
        State::Expired { expires_at } => (EXPIRED, Some(*expires_at), None, &[][..]),
        State::Deleted => (DELETED, None, None, &[][..]),
    };
    bytes.reserve(length(key, record));
    bytes.extend_from_slice(&record.version.hlc.bits().to_le_bytes());
    bytes.extend_from_slice(&record.version.origin.bits().to_le_bytes());
    bytes.push(kind);
    // A key has at most 4,096 bytes, a content type at most 255.
    bytes.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
    if let Some(UnixMs(deadline)) = deadline {
        bytes.extend_from_slice(&deadline.to_le_bytes());
    }
    let content_type = content_type.map(ContentType::as_str);
    if let Some(text) = content_type {
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    }
    bytes.extend_from_slice(key.as_str().as_bytes());
    bytes.extend_from_slice(content_type.unwrap_or_default().as_bytes());
    bytes.extend_from_slice(value);
}

impl Packed {
    /// Packs a record: its bytes are copied.
    pub(crate) fn new(key: &Key, record: &Record) -> Self {
        DRAFT.with_borrow_mut(|draft| {
            write(draft, key, record);
            let packed = Self(Buffer::copied(draft));
            draft.clear();
            draft.shrink_to(DRAFT_BYTES);
            packed
        })
    }

    /// The record: its value and content type are stretches of this allocation.
    pub(crate) fn record(&self) -> Option<Record> {
        let Head { version, kind, key_length, mut rest } = Head::read(&self.0)?;
        let deadline = match kind {
            DELETED => return Some(Record { version, state: State::Deleted }),
            EXPIRED => {
                let expires_at = UnixMs(take_u64(&mut rest)?);
                return Some(Record { version, state: State::Expired { expires_at } });
            }
            _ if kind & WITH_DEADLINE != 0 => Some(UnixMs(take_u64(&mut rest)?)),
            _ => None,
        };
        let type_length =
            if kind & WITH_TYPE == 0 { 0 } else { usize::from(*rest.split_off_first()?) };
        let type_start = self.0.len() - rest.len() + key_length;
        let content_type = if type_length == 0 {
            None
        } else {
            ContentType::within(&self.0, type_start, type_length).ok()
        };
        let value = Value::tail(self.0.clone(), type_start + type_length);
        let live = Live { value, content_type, expires_at: deadline };
        Some(Record { version, state: State::Live(live) })
    }

    /// The key.
    pub(crate) fn key_text(&self) -> &str {
        std::str::from_utf8(self.key()).unwrap_or_default()
    }

    fn key(&self) -> &[u8] {
        self.find_key().unwrap_or_default()
    }

    fn find_key(&self) -> Option<&[u8]> {
        let Head { kind, key_length, rest, .. } = Head::read(&self.0)?;
        let deadline = if kind & (WITH_DEADLINE | EXPIRED) == 0 { 0 } else { DEADLINE_BYTES };
        let extras = deadline + usize::from(kind & WITH_TYPE != 0);
        rest.get(extras..)?.get(..key_length)
    }
}

/// What every packed record begins with, and what follows.
struct Head<'a> {
    version: Version,
    kind: u8,
    key_length: usize,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let hlc = Hlc::from_bits(take_u64(&mut rest)?);
        let origin = Origin::from_bits(take_u64(&mut rest)?);
        let (&[kind, low, high], rest) = rest.split_first_chunk()?;
        let key_length = usize::from(u16::from_le_bytes([low, high]));
        Some(Self { version: Version { hlc, origin }, kind, key_length, rest })
    }
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u64::from_le_bytes(*number))
}

impl Borrow<[u8]> for Packed {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Packed {}

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

// CAVEATS: a value is copied once more on its way into the map. For values of hundreds of kilobytes
// that is what a put costs; a read copies nothing.

#[cfg(test)]
#[path = "packed_test.rs"]
mod tests;

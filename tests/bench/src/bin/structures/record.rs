//! The key and the record every candidate stores: the shapes GridKV keeps.

use std::borrow::Borrow;
use std::sync::Arc;

/// Bytes in each stored value.
pub(crate) const VALUE_BYTES: usize = 100;

/// A key: shared text, ordered and hashed by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// The key as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One version of a key's value, with the stamp that orders versions.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Hybrid logical clock of the write.
    pub(crate) hlc: u64,
    /// Node that wrote it.
    pub(crate) origin: u64,
    /// What the write left behind.
    pub(crate) state: State,
}

/// Live value or tombstone.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// The key holds a value.
    Live {
        /// The value itself.
        value: Arc<[u8]>,
        /// Its media type, when the client gave one.
        content_type: Option<Arc<str>>,
        /// Unix milliseconds after which it is gone.
        expires_at: Option<u64>,
    },
    /// The key was deleted; kept so that replicas agree. This workload writes
    /// none, but the variant is part of the record's size.
    #[allow(dead_code, reason = "gives the record its true shape")]
    Deleted,
}

impl Record {
    /// A live record with a fresh 100-byte value.
    pub(crate) fn live(hlc: u64) -> Self {
        let fill = hlc.to_le_bytes().first().copied().unwrap_or_default();
        Self {
            hlc,
            origin: 1,
            state: State::Live {
                value: Arc::from([fill; VALUE_BYTES]),
                content_type: None,
                expires_at: None,
            },
        }
    }

    /// A number that depends on the record, so that reads are not optimised away.
    pub(crate) fn checksum(&self) -> u64 {
        let (length, typed, expires) = match &self.state {
            State::Live { value, content_type, expires_at } => {
                (value.len(), content_type.is_some(), expires_at.is_some())
            }
            State::Deleted => (0, false, false),
        };
        self.hlc ^ self.origin ^ (length as u64) ^ u64::from(typed) ^ u64::from(expires)
    }
}

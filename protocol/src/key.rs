//! A key: 1 to [`MAX_KEY_BYTES`] bytes of UTF-8, checked at the door and trusted from then on.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::{Serialize, Serializer};

use crate::limits::MAX_KEY_BYTES;

/// A key. Cheap to clone; orders by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why bytes are no key. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No bytes at all.
    #[error("a key has at least one byte")]
    Empty,
    /// More bytes than a key may have.
    #[error("a key has at most {limit} bytes, this one has {length}")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("a key is UTF-8, this one is not")]
    NotUtf8,
}

impl Key {
    /// A key from text.
    ///
    /// # Errors
    /// [`KeyError`] when it is empty or longer than [`MAX_KEY_BYTES`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            length if length > MAX_KEY_BYTES => {
                Err(KeyError::TooLong { length, limit: MAX_KEY_BYTES })
            }
            _ => Ok(Self(Arc::from(text))),
        }
    }

    /// A key from bytes.
    ///
    /// # Errors
    /// [`KeyError`], also when the bytes are not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| KeyError::NotUtf8)?)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes, 1 to [`MAX_KEY_BYTES`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a key is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key as bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Key, E> {
                Key::from_bytes(bytes).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_a_key() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert!(Key::new(&"k".repeat(MAX_KEY_BYTES)).is_ok());
        assert!(matches!(
            Key::new(&"k".repeat(MAX_KEY_BYTES + 1)),
            Err(KeyError::TooLong { length, .. }) if length == MAX_KEY_BYTES + 1
        ));
        assert_eq!(Key::from_bytes(b"\xff"), Err(KeyError::NotUtf8));
        assert_eq!(Key::new("a/é").unwrap().as_str(), "a/é");
    }

    #[test]
    fn keys_order_by_their_bytes() {
        let mut keys = ["b", "a/", "a", "é", "a0"].map(|text| Key::new(text).unwrap());
        keys.sort();
        assert_eq!(keys.map(|key| key.as_str().to_owned()), ["a", "a/", "a0", "b", "é"]);
    }
}

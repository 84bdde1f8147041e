//! A value: bytes that nobody here looks into, shared by everyone who holds the record.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::buffer::Buffer;

/// The bytes of a live record. Cheap to clone.
///
/// It is the end of a shared buffer: all of a buffer of its own, or the end of the record that a store
/// keeps in one piece, so that a read copies nothing. It never keeps much more than itself alive.
#[derive(Clone)]
pub struct Value {
    buffer: Buffer,
    start: usize,
}

impl Value {
    /// A value that holds a copy of `bytes`: a slice of a network buffer would keep all of it alive.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Self::tail(Buffer::copied(bytes), 0)
    }

    /// The bytes of `buffer` from `start` on; none when it is shorter.
    #[must_use]
    pub fn tail(buffer: Buffer, start: usize) -> Self {
        Self { buffer, start }
    }
}

impl Deref for Value {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Values never reach a log: only their length does.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value as bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
                Ok(Value::copied(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_buffer_is_the_same_value_as_a_copy() {
        let buffer = Buffer::copied(b"key and value");
        for (start, rest) in [(0, &b"key and value"[..]), (8, b"value"), (13, b""), (14, b"")] {
            let tail = Value::tail(buffer.clone(), start);
            assert_eq!((&*tail, &tail), (rest, &Value::copied(rest)));
        }
        assert!(Value::tail(buffer, 8) > Value::copied(b"valid"));
    }
}

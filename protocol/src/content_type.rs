//! The media type that came with a value: visible ASCII, kept as it was given.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::buffer::Buffer;
use crate::limits::MAX_CONTENT_TYPE_BYTES;

/// A media type such as `application/json; charset=utf-8`. Cheap to clone: a stretch of a shared
/// buffer, as for [`crate::Value`].
#[derive(Clone)]
pub struct ContentType {
    buffer: Buffer,
    start: u32,
    length: u16,
}

/// The text can not be sent back in a header: empty, too long, or not printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content type is 1 to {MAX_CONTENT_TYPE_BYTES} printable ASCII characters")]
pub struct ContentTypeError;

impl ContentType {
    /// A content type from a header's text.
    ///
    /// # Errors
    /// [`ContentTypeError`] when the text could not stand in a header again.
    pub fn new(text: &str) -> Result<Self, ContentTypeError> {
        if text.len() > MAX_CONTENT_TYPE_BYTES {
            return Err(ContentTypeError);
        }
        Self::within(&Buffer::copied(text.as_bytes()), 0, text.len())
    }

    /// The text that has `length` bytes from `start` on in `buffer`.
    ///
    /// # Errors
    /// [`ContentTypeError`] when they are not there, or could not stand in a header.
    pub fn within(buffer: &Buffer, start: usize, length: usize) -> Result<Self, ContentTypeError> {
        let bytes = buffer.get(start..).and_then(|rest| rest.get(..length)).unwrap_or_default();
        let fits = (1..=MAX_CONTENT_TYPE_BYTES).contains(&bytes.len());
        let printable = bytes.iter().all(|b| (0x20..0x7f).contains(b));
        match (u32::try_from(start), u16::try_from(length)) {
            (Ok(start), Ok(length)) if fits && printable => {
                Ok(Self { buffer: buffer.clone(), start, length })
            }
            _ => Err(ContentTypeError),
        }
    }

    /// The text of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let rest = self.buffer.get(start..).unwrap_or_default();
        let text = rest.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl PartialEq for ContentType {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ContentType {}

impl PartialOrd for ContentType {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ContentType {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for ContentType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for ContentType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ContentType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_header_again_is_taken() {
        assert_eq!(ContentType::new("text/html").unwrap().as_str(), "text/html");
        for bad in ["", "a\r\nb: c", "ü", &"x".repeat(MAX_CONTENT_TYPE_BYTES + 1)] {
            assert_eq!(ContentType::new(bad), Err(ContentTypeError));
        }
    }

    #[test]
    fn a_stretch_of_a_buffer_is_the_same_as_a_copy() {
        let buffer = Buffer::copied(b"\xfftext/html\xff");
        let stretch = ContentType::within(&buffer, 1, 9).unwrap();
        assert_eq!(stretch, ContentType::new("text/html").unwrap());
        for (start, length) in [(0, 9), (1, 10), (1, 0), (3, 9), (20, 1), (1, usize::MAX)] {
            assert_eq!(ContentType::within(&buffer, start, length), Err(ContentTypeError));
        }
    }
}

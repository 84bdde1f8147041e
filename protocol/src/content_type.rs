//! The media type that came with a value: visible ASCII, kept as it was given.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::MAX_CONTENT_TYPE_BYTES;

/// A media type such as `application/json; charset=utf-8`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ContentType(Arc<str>);

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
        let fits = (1..=MAX_CONTENT_TYPE_BYTES).contains(&text.len());
        if fits && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(ContentTypeError)
        }
    }

    /// The text of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
}

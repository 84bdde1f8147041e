//! The name of a store: it becomes a path segment, a directory and a metrics label.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::MAX_STORE_NAME_BYTES;

/// A store's name: `[a-z0-9][a-z0-9_-]{0,62}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct StoreName(Arc<str>);

/// The text is no store name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store's name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter or digit")]
pub struct StoreNameError;

impl StoreName {
    /// A store name from text.
    ///
    /// # Errors
    /// [`StoreNameError`] when the text has another form.
    pub fn new(text: &str) -> Result<Self, StoreNameError> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(letter);
        let all_well = text.bytes().all(|b| letter(b) || b == b'_' || b == b'-');
        if starts_well && all_well && text.len() <= MAX_STORE_NAME_BYTES {
            Ok(Self(Arc::from(text)))
        } else {
            Err(StoreNameError)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for StoreName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StoreName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_names() {
        for good in ["main", "a", "0", "a_b-c", &"x".repeat(63)] {
            assert!(StoreName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "a/b", "..", "é", &"x".repeat(64)] {
            assert_eq!(StoreName::new(bad), Err(StoreNameError), "{bad}");
        }
    }
}

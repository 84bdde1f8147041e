//! An ordered walk over live keys, in pages: what the API lists.

use gridkv_protocol::record::Live;
use gridkv_protocol::{ContentType, Key, UnixMs, Value, Version};

use crate::map::WALK_CHUNK;

/// Records that a page looks at before it is cut, about: what is dead is looked at and not shown, and a
/// request must not go on for as long as a store is large. So many that hardly anyone meets an empty page.
pub const LIST_SCAN: usize = 1_000 * WALK_CHUNK;

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that start with this; empty for all.
    pub prefix: String,
    /// Keys that have this after the prefix are rolled up: one group for all that agree up to the end of
    /// its first occurrence. Not empty.
    pub delimiter: Option<String>,
    /// Only what comes after this, in byte order.
    pub after: Option<After>,
    /// How many keys and groups together, at most; 0 counts as 1.
    pub limit: usize,
    /// `Some`: with the values, of so many bytes in all, or one alone that is larger.
    pub value_bytes: Option<usize>,
}

/// A place in a list, to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// All keys after this one are to come.
    Key(Key),
    /// All keys after those that start with this are to come.
    Group(String),
}

/// Live keys in byte order, and groups of them. Over all pages of a list, a key that is there throughout
/// is listed or in a listed group, exactly once, and no group is listed twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The keys that were not rolled up.
    pub records: Vec<Listed>,
    /// What the keys of each group start with, in byte order too.
    pub groups: Vec<String>,
    /// Where the list goes on; `None` at its end. A page may be short of its limit, even empty, and have
    /// one.
    pub next: Option<After>,
}

/// A live record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its version.
    pub version: Version,
    /// Bytes of its value.
    pub size: usize,
    /// The media type of its value, when the writer named one.
    pub content_type: Option<ContentType>,
    /// Its deadline, if it has one.
    pub expires_at: Option<UnixMs>,
    /// Its value, if that was asked for: others are not kept in memory until a page is full.
    pub value: Option<Value>,
}

impl Listed {
    pub(crate) fn new(key: Key, version: Version, live: Live, with_value: bool) -> Self {
        let Live { value, content_type, expires_at } = live;
        let (size, value) = (value.len(), with_value.then_some(value));
        Self { key, version, size, content_type, expires_at, value }
    }

    /// The record, of a list with values.
    #[cfg(test)]
    pub(crate) fn into_record(self) -> (Key, gridkv_protocol::Record) {
        let Self { key, version, content_type, expires_at, value, .. } = self;
        let live = Live { value: value.unwrap(), content_type, expires_at };
        (key, gridkv_protocol::Record { version, state: gridkv_protocol::State::Live(live) })
    }
}

impl ListQuery {
    /// What the keys of the group of `key` start with, if it is rolled up.
    pub(crate) fn group_of<'a>(&self, key: &'a Key) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let at = key.as_str().get(self.prefix.len()..)?.find(delimiter)?;
        key.as_str().get(..self.prefix.len() + at + delimiter.len())
    }
}

/// The least text above all that start with `prefix`; `None` when there is none.
pub(crate) fn past(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The order of UTF-8 is that of code points, and surrogates are none of its.
        let mut greater = u32::from(last) + 1..=u32::from(char::MAX);
        if let Some(next) = greater.find_map(char::from_u32) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_past_a_prefix() {
        let table = [
            ("a/", Some("a0")),
            ("é", Some("ê")),
            ("\u{7f}", Some("\u{80}")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ];
        for (prefix, wanted) in table {
            let past = past(prefix);
            assert_eq!(past.as_deref(), wanted, "{prefix:?}");
            assert!(past.is_none_or(|past| past.as_str() > &*format!("{prefix}\u{10ffff}")));
        }
    }

    #[test]
    fn groups_end_with_the_first_delimiter_after_the_prefix() {
        let table = [
            ("", "/", "a/b/c", Some("a/")),
            ("a/", "/", "a/b/c", Some("a/b/")),
            ("a", "/", "a/b/c", Some("a/")),
            ("a/b/", "/", "a/b/c", None),
            ("", "/", "/", Some("/")),
            ("a", "::", "a:::b", Some("a::")),
            ("a:", "::", "a::b", None),
            ("", "é", "xéy", Some("xé")),
        ];
        for (prefix, delimiter, key, wanted) in table {
            let query = ListQuery {
                prefix: prefix.to_owned(),
                delimiter: Some(delimiter.to_owned()),
                ..ListQuery::default()
            };
            let key = Key::new(key).unwrap();
            assert_eq!(query.group_of(&key), wanted, "{prefix} {delimiter} {key:?}");
        }
        assert_eq!(ListQuery::default().group_of(&Key::new("a/b").unwrap()), None);
    }
}

//! Where a list goes on: opaque base64url, bound to the store, the prefix and the delimiter it came from.
//!
//! A cursor of another list, or text that is none, is refused: going on somewhere else would skip
//! keys in silence.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gridkv_actors::After;
use gridkv_protocol::Key;

use crate::problem::{Code, Problem};

/// The first byte of a cursor; another layout gets another one.
const LAYOUT: u8 = 2;

/// The byte before the place: a key, or what the keys of a group start with.
const KEY: u8 = b'k';
const GROUP: u8 = b'g';

/// A list, as far as a cursor is bound to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListName<'a> {
    /// The store.
    pub(crate) store: &'a str,
    /// What its keys start with.
    pub(crate) prefix: &'a str,
    /// Where they are rolled up; empty for nowhere.
    pub(crate) delimiter: &'a str,
}

impl ListName<'_> {
    /// What every cursor of the list starts with. The place begins with the prefix: its length is enough.
    fn head(self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        for text in [self.store, self.delimiter] {
            bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(text.as_bytes());
        }
        let length = u16::try_from(self.prefix.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes
    }
}

/// A cursor that goes on after a place in `list`.
pub(crate) fn encode(list: ListName<'_>, after: &After) -> String {
    let (kind, place) = match after {
        After::Key(key) => (KEY, key.as_str()),
        After::Group(group) => (GROUP, group.as_str()),
    };
    let mut bytes = list.head();
    bytes.push(kind);
    bytes.extend_from_slice(place.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place after which `list` goes on.
///
/// # Errors
/// 400 `bad_cursor` when the cursor is not one of this list.
pub(crate) fn decode(cursor: &str, list: ListName<'_>) -> Result<After, Problem> {
    parse(cursor, list).ok_or_else(|| {
        Problem::new(
            Code::BadCursor,
            "use next_cursor as it was given, with the same store, prefix and delimiter; or start \
             over without",
        )
    })
}

fn parse(cursor: &str, list: ListName<'_>) -> Option<After> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (kind, place) = bytes.strip_prefix(list.head().as_slice())?.split_first()?;
    let rest = place.strip_prefix(list.prefix.as_bytes())?;
    // A group is as long as a key, at most.
    let key = Key::from_bytes(place).ok()?;
    match *kind {
        KEY => Some(After::Key(key)),
        GROUP if !list.delimiter.is_empty() && rest.ends_with(list.delimiter.as_bytes()) => {
            Some(After::Group(key.as_str().to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ListName<'_> = ListName { store: "main", prefix: "user:", delimiter: "/" };

    fn key(text: &str) -> After {
        After::Key(Key::new(text).unwrap())
    }

    #[test]
    fn a_cursor_goes_on_in_its_own_list_only() {
        for after in [key("user:1é"), key("user:1/é"), After::Group("user:1/".to_owned())] {
            let cursor = encode(LIST, &after);
            assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(decode(&cursor, LIST).unwrap(), after);
            let lists = [
                ListName { prefix: "user", ..LIST },
                ListName { prefix: "", ..LIST },
                ListName { prefix: "other", ..LIST },
                ListName { store: "mai", ..LIST },
                ListName { store: "main2", ..LIST },
                ListName { delimiter: "", ..LIST },
                ListName { delimiter: ":", ..LIST },
                ListName { delimiter: "//", ..LIST },
            ];
            for list in lists {
                let problem = decode(&cursor, list).unwrap_err();
                assert_eq!(problem.code, Code::BadCursor, "{list:?}");
            }
        }
    }

    #[test]
    fn garbage_is_refused() {
        let list = ListName { store: "m", prefix: "", delimiter: "" };
        let made = |tail: &[u8]| URL_SAFE_NO_PAD.encode([list.head().as_slice(), tail].concat());
        assert!(decode(&made(b"ka"), list).is_ok());
        let long = made(&[b"k".as_slice(), &[b'a'; 5_000]].concat());
        let bad =
            [made(b""), made(b"k"), made(b"k\xff"), made(b"xa"), made(b"ga"), made(b"g"), long];
        for garbage in ["", "!", "AQ", "abc", "AQE="].into_iter().chain(bad.iter().map(|s| &**s)) {
            assert!(decode(garbage, list).is_err(), "{garbage}");
        }
        let no_group = encode(LIST, &After::Group("user:1".to_owned()));
        assert!(decode(&no_group, LIST).is_err());
    }

    #[test]
    fn every_truncation_is_refused_or_shorter() {
        let list = ListName { store: "main", prefix: "k", delimiter: "" };
        let cursor = encode(list, &key("key"));
        for end in 0..cursor.len() {
            match decode(&cursor[..end], list) {
                Ok(After::Key(key)) => assert!("key".starts_with(key.as_str())),
                Ok(After::Group(group)) => panic!("{group}"),
                Err(_) => {}
            }
        }
    }
}

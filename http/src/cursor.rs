//! Where a list goes on: opaque base64url, bound to the store and the prefix it came from.
//!
//! A cursor of another list, or text that is none, is refused: going on somewhere else would skip
//! keys in silence.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gridkv_protocol::Key;

use crate::problem::{Code, Problem};

/// The first byte of a cursor; another layout gets another one.
const LAYOUT: u8 = 1;

/// A cursor that goes on after `last`, a key with the prefix `prefix`.
pub(crate) fn encode(store: &str, prefix: &str, last: &Key) -> String {
    // The key begins with the prefix: its length is enough to bind it.
    let mut bytes = vec![LAYOUT, u8::try_from(store.len()).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(store.as_bytes());
    bytes.extend_from_slice(&u16::try_from(prefix.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(last.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key after which the list of `store` and `prefix` goes on.
///
/// # Errors
/// 400 `bad_cursor` when the cursor is not one of this list.
pub(crate) fn decode(cursor: &str, store: &str, prefix: &str) -> Result<Key, Problem> {
    parse(cursor, store, prefix).ok_or_else(|| {
        Problem::new(
            Code::BadCursor,
            "use next_cursor as it was given, with the same store and prefix; or start over without",
        )
    })
}

fn parse(cursor: &str, store: &str, prefix: &str) -> Option<Key> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let rest = bytes.strip_prefix(&[LAYOUT])?;
    let (store_length, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(store.as_bytes())?;
    let (prefix_length, last) = rest.split_first_chunk::<2>()?;
    let bound = usize::from(*store_length) == store.len()
        && usize::from(u16::from_be_bytes(*prefix_length)) == prefix.len()
        && last.starts_with(prefix.as_bytes());
    bound.then(|| Key::from_bytes(last).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_in_its_own_list_only() {
        let last = Key::new("user:1/é").unwrap();
        let cursor = encode("main", "user:", &last);
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(decode(&cursor, "main", "user:").unwrap(), last);
        let lists = [
            ("main", "user"),
            ("main", ""),
            ("main", "other"),
            ("mai", "user:"),
            ("main2", "user:"),
        ];
        for (store, prefix) in lists {
            let problem = decode(&cursor, store, prefix).unwrap_err();
            assert_eq!(problem.code, Code::BadCursor, "{store} {prefix}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        let empty_key = URL_SAFE_NO_PAD.encode([1, 1, b'm', 0, 0]);
        let not_utf8 = URL_SAFE_NO_PAD.encode([1, 1, b'm', 0, 0, 0xff]);
        for garbage in ["", "!", "AQ", "abc", "AQE=", empty_key.as_str(), not_utf8.as_str()] {
            assert!(decode(garbage, "m", "").is_err(), "{garbage}");
        }
    }

    #[test]
    fn every_truncation_is_refused_or_shorter() {
        let cursor = encode("main", "k", &Key::new("key").unwrap());
        for end in 0..cursor.len() {
            if let Ok(key) = decode(&cursor[..end], "main", "k") {
                assert!("key".starts_with(key.as_str()));
            }
        }
    }
}

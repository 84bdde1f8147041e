//! Keys and store names out of the raw path of a request.
//!
//! The framework's router matches on a path that is decoded in part, maps invalid UTF-8 onto one
//! character, and would let two keys meet. So segments are taken from the path as it was sent, and
//! decoded exactly once. A percent sign without two hex digits is refused, not passed over.

use std::borrow::Cow;

use gridkv_protocol::Key;
use percent_encoding::percent_decode_str;

use crate::problem::{Code, Problem};

/// The position of `{store}` in every path that has one: `/v1/kv/{store}/…`, `/v1/stores/{store}/…`.
const STORE: usize = 3;

/// The raw segment that names the store; empty when there is none.
pub(crate) fn store_segment(path: &str) -> &str {
    segment(behind(path, STORE).unwrap_or_default())
}

/// The position of `{name}` in `/v1/cluster/peers/{name}/…`.
const PEER: usize = 4;

/// The raw segment that names a peer; empty when there is none.
pub(crate) fn peer_segment(path: &str) -> &str {
    segment(behind(path, PEER).unwrap_or_default())
}

/// The last segment, raw.
pub(crate) fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// All that follows the store's segment and its slash, raw.
pub(crate) fn key_segment(path: &str) -> &str {
    behind(path, STORE + 1).unwrap_or_default()
}

/// All that follows so many slashes; `None` when there are fewer.
fn behind(path: &str, slashes: usize) -> Option<&str> {
    let mut positions = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    let (last, _) = positions.nth(slashes.checked_sub(1)?)?;
    path.get(last + 1..)
}

/// What stands before the first slash.
fn segment(text: &str) -> &str {
    let end = text.bytes().position(|byte| byte == b'/').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The key in a path.
///
/// # Errors
/// 400 `invalid_key` when it is empty, too long, not UTF-8, `.` or `..`, or not percent-encoded well.
pub(crate) fn key(path: &str, max_bytes: usize) -> Result<Key, Problem> {
    let decoded = decode(key_segment(path)).ok_or_else(|| {
        invalid("percent-encode the key well: % and two hex digits for each byte".to_owned())
    })?;
    let key = check(&decoded, max_bytes)?;
    if matches!(key.as_str(), "." | "..") {
        return Err(invalid(
            "clients resolve `.` and `..` in paths; reach such a key through a batch".to_owned(),
        ));
    }
    Ok(key)
}

/// A key from decoded bytes.
///
/// # Errors
/// 400 `invalid_key` when it is empty, too long, or not UTF-8.
pub(crate) fn check(bytes: &[u8], max_bytes: usize) -> Result<Key, Problem> {
    if bytes.len() > max_bytes {
        return Err(invalid(format!(
            "a key has at most {max_bytes} bytes here, this one has {}",
            bytes.len()
        ))
        .with("limit_bytes", max_bytes));
    }
    Key::from_bytes(bytes).map_err(|error| invalid(error.to_string()))
}

fn invalid(detail: String) -> Problem {
    Problem::new(Code::InvalidKey, detail)
}

/// Percent-decodes once; `None` when a percent sign stands without two hex digits.
pub(crate) fn decode(raw: &str) -> Option<Cow<'_, [u8]>> {
    if !raw.as_bytes().contains(&b'%') {
        return Some(Cow::Borrowed(raw.as_bytes()));
    }
    let well_formed = raw.split('%').skip(1).all(|after| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    well_formed.then(|| percent_decode_str(raw).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<String, &'static str> {
        key(path, 1_024).map(|key| key.as_str().to_owned()).map_err(|p| p.code.as_str())
    }

    #[test]
    fn segments_are_those_of_the_raw_path() {
        assert_eq!(store_segment("/v1/kv/main/a/b"), "main");
        assert_eq!(store_segment("/v1/stores/main/batch"), "main");
        assert_eq!(store_segment("/v1/kv/a%2Fb/k"), "a%2Fb");
        assert_eq!(store_segment("/v1"), "");
        assert_eq!(last_segment("/v1/cluster/peers/n%32"), "n%32");
        assert_eq!(last_segment("/v1/"), "");
        assert_eq!(peer_segment("/v1/cluster/peers/n2/full-sync"), "n2");
        assert_eq!(key_segment("/v1/kv/main/a/b//c/"), "a/b//c/");
        assert_eq!(key_segment("/v1/kv/main/"), "");
        assert_eq!(key_segment("/v1/kv/main"), "");
    }

    #[test]
    fn keys_are_decoded_exactly_once() {
        let table = [
            ("/v1/kv/main/a", "a"),
            ("/v1/kv/main/a%2Fb", "a/b"),
            ("/v1/kv/main/a%252Fb", "a%2Fb"),
            ("/v1/kv/main/a//b", "a//b"),
            ("/v1/kv/main//", "/"),
            ("/v1/kv/main/a+b", "a+b"),
            ("/v1/kv/main/a%2Bb", "a+b"),
            ("/v1/kv/main/%20", " "),
            ("/v1/kv/main/%00", "\0"),
            ("/v1/kv/main/%0A", "\n"),
            ("/v1/kv/main/%c3%A9", "é"),
            ("/v1/kv/main/é", "é"),
            ("/v1/kv/main/...", "..."),
            ("/v1/kv/main/a/../b", "a/../b"),
            ("/v1/kv/main/%3Fq%23", "?q#"),
        ];
        for (path, key) in table {
            assert_eq!(of(path).as_deref(), Ok(key), "{path}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!("/v1/kv/main/{}", "k".repeat(1_025));
        let paths = [
            "/v1/kv/main/",
            "/v1/kv/main/%FF",
            "/v1/kv/main/%zz",
            "/v1/kv/main/%",
            "/v1/kv/main/a%2",
            "/v1/kv/main/%é1",
            "/v1/kv/main/.",
            "/v1/kv/main/..",
            "/v1/kv/main/%2e%2E",
            long.as_str(),
        ];
        for path in paths {
            assert_eq!(of(path), Err("invalid_key"), "{path}");
        }
        assert!(of(&format!("/v1/kv/main/{}", "%41".repeat(1_024))).is_ok());
    }

    #[test]
    fn every_byte_of_ascii_is_a_key_when_encoded() {
        for byte in 0..128_u8 {
            let path = format!("/v1/kv/main/x%{byte:02X}");
            assert_eq!(of(&path), Ok(format!("x{}", char::from(byte))), "{path}");
        }
    }

    #[test]
    fn every_printable_ascii_character_but_percent_is_itself() {
        for byte in 0x20..0x7f_u8 {
            let path = format!("/v1/kv/main/x{}y", char::from(byte));
            if byte == b'%' {
                assert_eq!(of(&path), Err("invalid_key"));
            } else {
                assert_eq!(of(&path), Ok(format!("x{}y", char::from(byte))));
            }
        }
    }
}

//! The id that ties a response to a log line: the client's own, or one that is made here.
//!
//! An id that could not be sent back unharmed (empty, longer than 128 characters, not visible ASCII)
//! is not used; it is no reason to refuse a request.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderMap, HeaderValue};
use bytes::Bytes;
use gridkv_protocol::hex;

use crate::headers;

/// Characters of a client's id, at most.
const MAX_BYTES: usize = 128;

/// Makes ids: a prefix that is random per process, and a count. Unique without a lock or a clock.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// A maker with a prefix of its own.
    pub(crate) fn new() -> Self {
        Self { prefix: RandomState::new().build_hasher().finish(), count: AtomicU64::new(1) }
    }

    /// The id of a request with these headers.
    pub(crate) fn of(&self, request: &HeaderMap) -> HeaderValue {
        match request.get(&headers::X_REQUEST_ID) {
            Some(id) if is_usable(id) => id.clone(),
            Some(_) | None => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let prefix = hex::digits(self.prefix);
        let mut id = Vec::with_capacity(2 * prefix.len() + 1);
        id.extend_from_slice(&prefix);
        id.push(b'-');
        id.extend(hex::digits(count).into_iter().skip_while(|digit| *digit == b'0'));
        headers::shared(Bytes::from(id))
    }
}

fn is_usable(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(ids: &RequestIds, given: &str) -> String {
        let mut request = HeaderMap::new();
        request.insert(headers::X_REQUEST_ID, HeaderValue::from_str(given).unwrap());
        ids.of(&request).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_usable_id_comes_back_and_another_does_not() {
        let ids = RequestIds::new();
        assert_eq!(id_for(&ids, "abc-1/~"), "abc-1/~");
        assert_eq!(id_for(&ids, &"x".repeat(128)), "x".repeat(128));
        for bad in ["", "a b", &"x".repeat(129)] {
            assert_ne!(id_for(&ids, bad), bad);
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = RequestIds::new();
        let (first, second) = (ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
        assert_ne!(first, second);
        assert!(is_usable(&first));
    }
}

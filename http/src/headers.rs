//! The names of our own headers and the values that are made for many responses.
//!
//! A value here is always visible ASCII by construction; what a client sent is checked where it is
//! read.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use gridkv_protocol::Version;

/// The node that answered.
pub(crate) const GRIDKV_NODE: HeaderName = HeaderName::from_static("gridkv-node");
/// The request, for logs.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The version of a record, without quotes.
pub(crate) const GRIDKV_VERSION: HeaderName = HeaderName::from_static("gridkv-version");
/// What a write survives on this node.
pub(crate) const GRIDKV_DURABILITY: HeaderName = HeaderName::from_static("gridkv-durability");
/// Peers that confirmed a write, and peers that were asked to.
pub(crate) const GRIDKV_ACKS: HeaderName = HeaderName::from_static("gridkv-acks");
/// Whether a deleted key had a value.
pub(crate) const GRIDKV_EXISTED: HeaderName = HeaderName::from_static("gridkv-existed");
/// Where a feed of changes begins.
pub(crate) const GRIDKV_CHANGES_SINCE: HeaderName = HeaderName::from_static("gridkv-changes-since");
/// The last event that a client of a feed has dealt with.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// When a record expires, RFC 3339.
pub(crate) const GRIDKV_EXPIRES_AT: HeaderName = HeaderName::from_static("gridkv-expires-at");
/// Seconds until a record expires, rounded up.
pub(crate) const GRIDKV_TTL: HeaderName = HeaderName::from_static("gridkv-ttl");
/// Live keys of a store when its snapshot was begun.
pub(crate) const GRIDKV_KEY_COUNT: HeaderName = HeaderName::from_static("gridkv-key-count");
/// What a browser says about where a request came from.
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header value from text that is made here. Text that can not stand in a header becomes empty.
pub(crate) fn value(text: impl Into<String>) -> HeaderValue {
    shared(Bytes::from(text.into()))
}

/// A header value from bytes that are made here, as [`value`].
pub(crate) fn shared(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The values of `ETag` and `GridKV-Version`: one allocation for both.
pub(crate) fn version(version: Version) -> (HeaderValue, HeaderValue) {
    let mut quoted = Vec::with_capacity(Version::TEXT_BYTES + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(&version.text());
    quoted.push(b'"');
    let quoted = Bytes::from(quoted);
    let bare = quoted.slice(1..=Version::TEXT_BYTES);
    (shared(quoted), shared(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_the_version_in_quotes() {
        let text = "0000000000000001-0000000200000003";
        let (etag, bare) = version(text.parse().unwrap());
        assert_eq!(etag.to_str().unwrap(), format!("\"{text}\""));
        assert_eq!(bare.to_str().unwrap(), text);
    }

    #[test]
    fn text_that_is_no_header_becomes_empty() {
        assert_eq!(value("a\r\nb: c"), HeaderValue::from_static(""));
    }
}

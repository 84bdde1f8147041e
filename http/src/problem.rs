//! Every refusal: RFC 9457 problem bodies, and the one table of their codes.
//!
//! A code, its status and its title never change together with a case; what differs goes into
//! `detail` (what to do next) and into fields of the case. A 5xx says nothing of what is inside: the
//! request id ties it to the log.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

/// What `type` begins with; the code follows with dashes.
const TYPE_PREFIX: &str = "urn:gridkv:problem:";

/// A table of codes becomes an enum, its rows and the list of all.
macro_rules! codes {
    ($($variant:ident $status:literal $code:literal $title:literal)*) => {
        /// Why a request was not done. Stable: clients match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Status, code and title.
            fn row(self) -> (u16, &'static str, &'static str) {
                match self {
                    $(Self::$variant => ($status, $code, $title),)*
                }
            }
        }
    };
}

codes! {
    AckTimeout           504 "ack_timeout"            "Peers did not confirm in time"
    ActorStuck           500 "actor_stuck"            "A part of the node does not answer"
    BadCursor            400 "bad_cursor"             "The cursor does not belong to this list"
    BatchAborted         424 "batch_aborted"          "Another operation of the atomic batch failed"
    BodyIncomplete       400 "body_incomplete"        "The request body ended early"
    BodyTimeout          408 "body_timeout"           "The request body came too slowly"
    BodyTooLarge         413 "body_too_large"         "The request body is too large"
    CacheMismatch        409 "cache_mismatch"         "The store would be a cache on one member only"
    ChangesTruncated     410 "changes_truncated"      "Changes after that place are not known any more"
    ClockFenced          503 "clock_fenced"           "The node's clock is wrong"
    DiskFull             507 "disk_full"              "The disk is full"
    Draining             503 "draining"               "The node takes no more writes"
    DurabilityUnavailable 400 "durability_unavailable" "The store does not give this durability"
    Forbidden            403 "forbidden"              "The request is not allowed"
    FullSyncRunning      409 "full_sync_running"      "The store is being filled already"
    Internal             500 "internal"               "The node failed to handle the request"
    InvalidDefinition    400 "invalid_definition"     "A store can not be defined like this"
    InvalidKey           400 "invalid_key"            "The key is not valid"
    InvalidParameter     400 "invalid_parameter"      "A parameter is not valid"
    KeyNotFound          404 "key_not_found"          "The key has no value"
    MalformedBody        400 "malformed_body"         "The request body is not valid"
    MemoryLimit          507 "memory_limit"           "The store is full"
    MethodNotAllowed     405 "method_not_allowed"     "The resource does not have this method"
    NotAcceptable        406 "not_acceptable"         "There is no such form of the answer"
    NotCommitted         503 "not_committed"          "The store could not commit"
    NotEnoughPeers       503 "not_enough_peers"       "Fewer peers are up than are to have the write"
    NotReady             503 "not_ready"              "The node takes no writes now"
    NotSupported         501 "not_supported"          "This is not possible here"
    OperationNotFound    404 "operation_not_found"    "There is no such operation"
    OperationRunning     409 "operation_running"      "Such an operation of the store runs"
    OutcomeUnknown       500 "outcome_unknown"        "Whether the write was made is not known"
    Overloaded           503 "overloaded"             "Too much is in flight"
    PeerIsSelf           409 "peer_is_self"           "It is this node itself"
    PeerNotFound         404 "peer_not_found"         "There is no such member"
    PeerNotJoined        409 "peer_not_joined"        "The node has not joined a cluster"
    PeerRefuses          409 "peer_refuses"           "The node refuses this one"
    PeerUnreachable      504 "peer_unreachable"       "The other node can not be reached"
    PeersBehind          503 "peers_behind"           "Peers lack some of what was written here"
    PreconditionFailed   412 "precondition_failed"    "The condition does not hold"
    RateLimited          429 "rate_limited"           "Too many tokens that are not known"
    RestoreRunning       409 "restore_running"        "A snapshot is put into the store already"
    RouteNotFound        404 "route_not_found"        "There is no such resource"
    SnapshotCorrupt      400 "snapshot_corrupt"       "The snapshot is damaged"
    StoreConfigured      409 "store_configured"       "The configuration names the store"
    StoreExists          409 "store_exists"           "There is such a store"
    StoreFailed          503 "store_failed"           "The store failed"
    StoreInUse           409 "store_in_use"           "The store is in use"
    StoreNotFound        404 "store_not_found"        "There is no such store"
    StoreUnreadable      503 "store_unreadable"       "The store can not be read"
    TooManyForgotten     409 "too_many_forgotten"     "Too many members were forgotten"
    TooManyStores        409 "too_many_stores"        "The node holds as many stores as it can"
    TooManyWatchers      503 "too_many_watchers"      "Too many watch already"
    Unauthorized         401 "unauthorized"           "The request needs a token"
    UnsupportedMediaType 415 "unsupported_media_type" "The media type is not supported"
    ValueTooLarge        413 "value_too_large"        "The value is too large"
    VersionNotReached    504 "version_not_reached"    "The node does not have the version yet"
}

impl Code {
    /// The stable word.
    pub(crate) fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The number of its status.
    pub(crate) fn status(self) -> u16 {
        self.row().0
    }

    /// What it means, the same in every case.
    pub(crate) fn title(self) -> &'static str {
        self.row().2
    }
}

/// One refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    /// Why.
    pub(crate) code: Code,
    /// What to do next.
    pub(crate) detail: Cow<'static, str>,
    /// Fields of the case.
    pub(crate) fields: Vec<(&'static str, Json)>,
    /// Headers of the case, such as `Allow`.
    headers: Vec<(HeaderName, HeaderValue)>,
    closes: bool,
}

impl Problem {
    /// A problem with a hint of what to do.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), headers: Vec::new(), closes: false }
    }

    /// The same with a field of the case.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The same with a header of the case.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, telling the client to come back after a second.
    #[must_use]
    pub(crate) fn retry_soon(self) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The same, and the connection ends with it: nothing more can be read from it.
    #[must_use]
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The response, for the request to `instance` with the id `request_id`.
    pub(crate) fn into_response(self, instance: &str, request_id: &str) -> HttpResponse {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&Body { problem: &self, instance, request_id });
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.closes {
            response.force_close();
        }
        for header in self.headers {
            response.insert_header(header);
        }
        response.body(body.unwrap_or_default())
    }
}

struct Body<'a> {
    problem: &'a Problem,
    instance: &'a str,
    request_id: &'a str,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = self.problem.code;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format!("{TYPE_PREFIX}{}", code.as_str().replace('_', "-")))?;
        map.serialize_entry("title", code.title())?;
        map.serialize_entry("status", &code.status())?;
        map.serialize_entry("code", code.as_str())?;
        map.serialize_entry("detail", &self.problem.detail)?;
        map.serialize_entry("instance", self.instance)?;
        map.serialize_entry("request_id", self.request_id)?;
        for (name, value) in &self.problem.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;

    use super::*;

    #[test]
    fn a_body_has_every_field_of_the_standard_and_those_of_the_case() {
        let problem =
            Problem::new(Code::KeyNotFound, "write it first").with("key", "a").retry_soon();
        let response = problem.into_response("/v1/kv/main/a", "r-1");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
        let body = response.into_body().try_into_bytes().unwrap();
        let json: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:gridkv:problem:key-not-found",
                "title": "The key has no value",
                "status": 404,
                "code": "key_not_found",
                "detail": "write it first",
                "instance": "/v1/kv/main/a",
                "request_id": "r-1",
                "key": "a",
            })
        );
    }

    #[test]
    fn codes_are_unique_sorted_words_of_a_refusing_status() {
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.is_sorted() && codes.windows(2).all(|pair| pair[0] != pair[1]));
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(!code.title().ends_with('.'), "{code:?}");
        }
    }
}

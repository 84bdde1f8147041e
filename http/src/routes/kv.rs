//! `/v1/kv/{store}/{key}`: one key, read, written and deleted.
//!
//! Reads are served while the node is not ready, as of what it has; writes are refused then. Values
//! are served so that no browser runs them. `If-Modified-Since` is not looked at: versions within a
//! second differ, and the `ETag` is exact. A body of a `DELETE` is not read.

use std::time::{Duration, SystemTime};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use gridkv_actors::write::{Action, Condition, Rejection, Write, Written};
use gridkv_actors::{Durability, OpKind};
use gridkv_protocol::record::{Live, Record, State};
use gridkv_protocol::{UnixMs, Value, Version};

use crate::body::{self, BodyLimits};
use crate::condition;
use crate::exchange::Exchange;
use crate::headers;
use crate::incoming::Incoming;
use crate::media_type;
use crate::problem::{Code, Problem};
use crate::query::{self, Query};
use crate::record_view::RecordView;
use crate::refusal::key_not_found;
use crate::rfc3339;
use crate::routes::{Endpoint, internal};
use crate::stopwatch::Stopwatch;
use crate::waiting::{self, AckTerms};

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static(media_type::OCTET_STREAM);

/// The last second that `Last-Modified` can name: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// `GET`, `HEAD`
pub(crate) async fn get(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let key = exchange.key()?;
    let query = exchange.query(Endpoint::GetKey)?;
    let (format, wait) = (Format::of(&query)?, waiting::wait(&query)?);
    let Condition { if_match, if_none_match, .. } = condition::from_headers(exchange.headers())?;
    if wait.is_some() && if_none_match.is_none() {
        return Err(query::invalid("wait", "needs If-None-Match with the version that you have"));
    }
    waiting::reach(exchange, &query, &store).await?;
    let found = if let Some(patience) = wait {
        let known = Condition { if_none_match: if_none_match.clone(), ..Condition::default() };
        let is_news =
            |found: Option<&Record>| found.is_none_or(|record| known.holds(Some(record.version)));
        // Rare, and large beside what other reads need.
        Box::pin(waiting::change(exchange, &store, (&key, patience), is_news)).await?
    } else {
        let stopwatch = Stopwatch::start();
        let found = store.handle.get(&key).await;
        store.timers.observe(OpKind::Get, stopwatch);
        found?
    };
    let Some(Record { version, state: State::Live(live) }) = found else {
        return Err(key_not_found());
    };
    let holds = |condition: Condition| condition.holds(Some(version));
    if !holds(Condition { if_match, ..Condition::default() }) {
        return Err(Rejection::PreconditionFailed { current: Some(version) }.into());
    }
    let changed = holds(Condition { if_none_match, ..Condition::default() });
    let status = if changed { StatusCode::OK } else { StatusCode::NOT_MODIFIED };
    let mut response = HttpResponse::build(status);
    describe(&mut response, version, &live, || store.handle.now());
    match format {
        _ if !changed => Ok(response.finish()),
        Format::Raw => Ok(content(response, live)),
        Format::Json => envelope(response, &RecordView::whole(&key, version, &live)),
    }
}

/// How a value is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As it was stored.
    Raw,
    /// In JSON, with what is known of it.
    Json,
}

impl Format {
    fn of(query: &Query<'_>) -> Result<Self, Problem> {
        match query.get("format") {
            None | Some("raw") => Ok(Self::Raw),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(query::invalid("format", "is raw or json")),
        }
    }
}

/// The headers that a value has with and without its bytes.
fn describe(
    response: &mut HttpResponseBuilder,
    version: Version,
    live: &Live,
    now: impl FnOnce() -> UnixMs,
) {
    let (etag, bare) = headers::version(version);
    response.insert_header((header::ETAG, etag));
    response.insert_header((headers::GRIDKV_VERSION, bare));
    response.insert_header((header::CACHE_CONTROL, NO_CACHE));
    response.insert_header((header::LAST_MODIFIED, last_modified(version)));
    if let Some(deadline) = live.expires_at {
        let seconds = deadline.since(now()).div_ceil(1_000);
        let deadline = headers::value(rfc3339::format(deadline));
        response.insert_header((headers::GRIDKV_EXPIRES_AT, deadline));
        response.insert_header((headers::GRIDKV_TTL, HeaderValue::from(seconds)));
    }
}

fn last_modified(version: Version) -> HeaderValue {
    let seconds = (version.hlc.physical().0 / 1_000).min(LAST_SECOND);
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    headers::value(httpdate::fmt_http_date(moment))
}

/// The bytes, shared with the store, under their type and where no browser runs them.
fn content(mut response: HttpResponseBuilder, live: Live) -> HttpResponse {
    response.insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX));
    match &live.content_type {
        None => response.insert_header((header::CONTENT_TYPE, OCTET_STREAM)),
        Some(given) => {
            if media_type::is_active(given.as_str()) {
                response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
            }
            response.insert_header((header::CONTENT_TYPE, headers::value(given.as_str())))
        }
    };
    response.body(Bytes::from_owner(live.value))
}

/// The record as JSON, no more to be run by a browser than the bytes.
fn envelope(
    mut response: HttpResponseBuilder,
    record: &RecordView<'_>,
) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(record).map_err(|error| internal(&error))?;
    response.insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX));
    response.insert_header((header::CONTENT_TYPE, "application/json"));
    Ok(response.body(body))
}

/// `PUT`
pub(crate) async fn put(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let key = exchange.key()?;
    let query = exchange.query(Endpoint::PutKey)?;
    let (ttl, durability, acks) = (query.ttl()?, query.durability()?, AckTerms::of(&query)?);
    let content_type = media_type::given(exchange.headers())?;
    let condition = condition::from_headers(exchange.headers())?;

    let config = &exchange.site.config;
    let limits = BodyLimits { max_bytes: config.max_value_bytes, timeout: config.body_timeout };
    let bytes = body::read(payload, exchange.headers(), limits)
        .await
        .map_err(|error| error.into_problem(|| value_too_large(limits.max_bytes)))?;
    let value = Value::copied(&bytes);
    drop(bytes);

    let write = Write { key, action: Action::Put { value, content_type, ttl }, condition };
    let claim = acks.claim(exchange, &store)?;
    let stopwatch = Stopwatch::start();
    let written = store.handle.write(write, durability).await;
    store.timers.observe(OpKind::Put, stopwatch);
    let written = written?;
    let acks = claim.settle(exchange, &store, written.version).await?;
    let status = if written.existed { StatusCode::NO_CONTENT } else { StatusCode::CREATED };
    Ok(wrote(status, &written, acks))
}

/// The answer to a write that left a value.
pub(crate) fn wrote(status: StatusCode, written: &Written, acks: HeaderValue) -> HttpResponse {
    let (etag, version) = headers::version(written.version);
    let mut response = acknowledge(status, version, written.durability, acks);
    response.insert_header((header::ETAG, etag));
    if let Some(deadline) = written.expires_at {
        let deadline = headers::value(rfc3339::format(deadline));
        response.insert_header((headers::GRIDKV_EXPIRES_AT, deadline));
    }
    response.finish()
}

/// `DELETE`
pub(crate) async fn delete(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let key = exchange.key()?;
    let query = exchange.query(Endpoint::DeleteKey)?;
    let (durability, acks) = (query.durability()?, AckTerms::of(&query)?);
    let condition = condition::from_headers(exchange.headers())?;
    let write = Write { key, action: Action::Delete, condition };
    let claim = acks.claim(exchange, &store)?;
    let stopwatch = Stopwatch::start();
    let written = store.handle.write(write, durability).await;
    store.timers.observe(OpKind::Delete, stopwatch);
    let written = written?;
    let acks = claim.settle(exchange, &store, written.version).await?;
    let existed = if written.existed { "true" } else { "false" };
    let (_, version) = headers::version(written.version);
    let mut response = acknowledge(StatusCode::NO_CONTENT, version, written.durability, acks);
    response.insert_header((headers::GRIDKV_EXISTED, HeaderValue::from_static(existed)));
    Ok(response.finish())
}

/// What every acknowledged write says.
fn acknowledge(
    status: StatusCode,
    version: HeaderValue,
    durability: Durability,
    acks: HeaderValue,
) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    let durability = HeaderValue::from_static(durability.as_str());
    response.insert_header((headers::GRIDKV_VERSION, version));
    response.insert_header((headers::GRIDKV_DURABILITY, durability));
    response.insert_header((headers::GRIDKV_ACKS, acks));
    response
}

/// A value over the limit.
pub(crate) fn value_too_large(limit_bytes: usize) -> Problem {
    let detail = format!("nothing was written; a value has at most {limit_bytes} bytes here");
    Problem::new(Code::ValueTooLarge, detail).with("limit_bytes", limit_bytes)
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use gridkv_protocol::{ContentType, Hlc, Origin};

    use super::*;

    fn version_at(ms: u64) -> Version {
        Version { hlc: Hlc::at(UnixMs(ms)), origin: Origin::from_bits(7) }
    }

    fn live(content_type: Option<&str>, expires_at: Option<u64>) -> Live {
        Live {
            value: Value::copied(b"v"),
            content_type: content_type.map(|text| ContentType::new(text).unwrap()),
            expires_at: expires_at.map(UnixMs),
        }
    }

    #[test]
    fn a_value_is_described_by_its_headers() {
        let mut response = HttpResponse::Ok();
        describe(&mut response, version_at(1_000), &live(None, Some(61_001)), || UnixMs(1_000));
        let response = content(response, live(None, None));
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("etag"), format!("\"{}\"", header("gridkv-version")));
        assert_eq!(header("last-modified"), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(header("gridkv-expires-at"), "1970-01-01T00:01:01.001Z");
        assert_eq!(header("gridkv-ttl"), "61", "rounded up");
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("content-type"), "application/octet-stream");
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert!(!response.headers().contains_key("content-disposition"));
        assert_eq!(response.into_body().try_into_bytes().unwrap(), "v");
    }

    #[test]
    fn a_page_is_a_download_and_keeps_its_type() {
        let response = content(HttpResponse::Ok(), live(Some("Text/HTML; charset=utf-8"), None));
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("content-disposition"), "attachment");
        assert_eq!(header("content-type"), "Text/HTML; charset=utf-8");
    }

    #[test]
    fn a_version_from_beyond_the_calendar_does_not_panic() {
        let end = Version { hlc: Hlc::from_bits(u64::MAX), origin: Origin::from_bits(0) };
        assert_eq!(last_modified(end), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}

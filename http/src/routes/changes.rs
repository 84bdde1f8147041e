//! `GET /v1/stores/{store}/changes`: what changes in a store, as it is committed here, whoever wrote it.
//!
//! A place in the feed means something on this node, until it stops. At least once: who goes on from the last
//! id that it has dealt with misses nothing, or is told with 410 that it would. Of a key that changes faster
//! than commits are made only the last change of each commit is told.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use gridkv_actors::changes::{ChangePlace, Feed, Truncated, WatchError};
use serde::Serialize;
use tokio::time::timeout;

use crate::change_format::{self, Shape, ShownChange};
use crate::change_id;
use crate::change_stream::ChangeStream;
use crate::exchange::{Exchange, StoreDoor};
use crate::headers;
use crate::problem::{Code, Problem};
use crate::progress::{Streaming, Waiting};
use crate::query::{self, Query};
use crate::routes::{Endpoint, Verb, json};
use crate::stopwatch::Stopwatch;
use crate::waiting;
use crate::watchers;

/// Changes of a document when nothing is said.
const DEFAULT_LIMIT: usize = 100;

/// Changes of a document, at most: it is built in memory.
const MAX_LIMIT: usize = 1_000;

/// Bytes of a document after which it is sent with what it has.
const DOCUMENT_BYTES: usize = 4 << 20;

/// Changes after which a stream ends, at most, if it shall end.
const MAX_STREAM_LIMIT: usize = 1_000_000_000;

#[derive(Serialize)]
struct Document<'a> {
    store: &'a str,
    results: Vec<ShownChange>,
    last_seq: String,
}

/// `GET`, `HEAD`
pub(crate) async fn changes(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let query = exchange.query(Endpoint::Changes)?;
    let shape = Shape::of(exchange.headers())?;
    let with_values = includes_values(&query)?;
    let prefix = query.get("prefix").unwrap_or_default();
    let wait = waiting::wait(&query)?;
    let most = exchange.site.config.max_watchers;
    let seat = exchange.site.watchers.sit(most)?;
    let feed = store.handle.follow(prefix).map_err(|error| unwatched(error, most))?;
    let place = begins(exchange, &query, &feed)?;
    let is_head = Verb::of(exchange.request.method()) == Verb::Head;
    match shape {
        Shape::Document => {
            let limit = query.count("limit", DEFAULT_LIMIT, MAX_LIMIT)?;
            let wait = wait.filter(|_| !is_head).unwrap_or_default();
            let requests = &exchange.site.metrics.requests;
            let _waiting =
                (!wait.is_zero()).then(|| (Waiting::of(&exchange.request), requests.step_aside()));
            document(&store, &feed, (place, limit, with_values), wait).await
        }
        Shape::Stream(_) if wait.is_some() => {
            Err(query::invalid("wait", "is for application/json; a stream goes on by itself"))
        }
        Shape::Stream(shape) => {
            let limit = query.count("limit", MAX_STREAM_LIMIT, MAX_STREAM_LIMIT)?;
            feed.read(place).map_err(|Truncated { oldest }| change_format::truncated(oldest))?;
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CONTENT_TYPE, shape.as_str()));
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            response.insert_header((headers::GRIDKV_CHANGES_SINCE, change_id::encode(place)));
            if is_head {
                return Ok(response.finish());
            }
            let left = query.get("limit").map(|_| limit);
            let held = (seat, Streaming::of(&exchange.request));
            let reader = (exchange.caller, exchange.site.operating.access.clone());
            let stream = ChangeStream { feed, shape, place, with_values, left, reader, held };
            let pieces = exchange.site.metrics.bodies.counted(stream.into_body());
            Ok(response.force_close().streaming(pieces))
        }
    }
}

/// Where the feed begins. The header of a client that comes back wins.
fn begins(exchange: &Exchange, query: &Query<'_>, feed: &Feed) -> Result<ChangePlace, Problem> {
    let last = exchange.headers().get(&headers::LAST_EVENT_ID).filter(|id| !id.is_empty());
    if let Some(last) = last {
        let place = last.to_str().ok().and_then(change_id::decode);
        return place.ok_or_else(|| {
            query::invalid("Last-Event-ID", "is the id of a change, as it was given")
        });
    }
    match query.get("since") {
        None | Some("now") => Ok(feed.end()),
        Some("0") => Ok(feed.start()),
        Some(text) => change_id::decode(text).ok_or_else(|| {
            query::invalid("since", "is 0, now, or the id of a change, as it was given")
        }),
    }
}

fn includes_values(query: &Query<'_>) -> Result<bool, Problem> {
    match query.get("include") {
        None => Ok(false),
        Some("value") => Ok(true),
        Some(_) => Err(query::invalid("include", "is value, or left away")),
    }
}

/// The changes there are; if there are none, the first that come within the wait.
async fn document(
    store: &StoreDoor,
    feed: &Feed,
    (mut place, limit, with_values): (ChangePlace, usize, bool),
    wait: Duration,
) -> Result<HttpResponse, Problem> {
    let stopwatch = Stopwatch::start();
    let (mut results, mut bytes) = (Vec::new(), 0);
    let mut waited = false;
    loop {
        let next = if waited { feed.read_on(place) } else { feed.read(place) };
        waited = true;
        let next = next.map_err(|Truncated { oldest }| change_format::truncated(oldest))?;
        let mut is_full = false;
        for change in &next.changes {
            let found = if with_values { feed.value(&change.key).await? } else { None };
            place.number = change.number;
            bytes += found.as_ref().map_or(0, gridkv_protocol::Record::content_bytes);
            results.push(ShownChange::new(change, place, found));
            is_full = results.len() == limit || bytes >= DOCUMENT_BYTES;
            if is_full {
                break;
            }
        }
        if !is_full {
            place = next.place;
        }
        if is_full || (!next.more && (!results.is_empty() || feed.is_over())) {
            break;
        }
        let left = wait.saturating_sub(stopwatch.elapsed());
        if !next.more && timeout(left, feed.changed()).await.is_err() {
            break;
        }
    }
    let store = store.handle.name().as_str();
    json(&Document { store, results, last_seq: change_id::encode(place) })
}

/// The refusal of who can not watch.
pub(crate) fn unwatched(error: WatchError, most: usize) -> Problem {
    match error {
        WatchError::TooMany => watchers::too_many(most),
        WatchError::Stopping => {
            Problem::new(Code::NotReady, "the node is stopping; ask another node").retry_soon()
        }
    }
}

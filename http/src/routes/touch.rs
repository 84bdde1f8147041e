//! `PATCH /v1/kv/{store}/{key}?ttl=60s`: another deadline for a key, and its value stays.
//!
//! It is a write like any other, with a version of its own. A body is refused: whoever sends one means to
//! change the value.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gridkv_actors::OpKind;
use gridkv_actors::write::{Action, Write};

use crate::body::{self, BodyLimits};
use crate::condition;
use crate::exchange::Exchange;
use crate::incoming::Incoming;
use crate::problem::{Code, Problem};
use crate::query;
use crate::routes::{Endpoint, kv};
use crate::stopwatch::Stopwatch;
use crate::waiting::AckTerms;

/// `PATCH`
pub(crate) async fn touch(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    let key = exchange.key()?;
    let query = exchange.query(Endpoint::TouchKey)?;
    if query.get("ttl").is_none() {
        return Err(query::invalid("ttl", "is missing: how long the value lives from now, or 0"));
    }
    let (ttl, durability, acks) = (query.ttl()?, query.durability()?, AckTerms::of(&query)?);
    let condition = condition::from_headers(exchange.headers())?;
    let limits = BodyLimits { max_bytes: 0, timeout: exchange.site.config.body_timeout };
    body::read(payload, exchange.headers(), limits)
        .await
        .map_err(|error| error.into_problem(has_a_body))?;

    let write = Write { key, action: Action::Touch { ttl }, condition };
    let claim = acks.claim(exchange, &store)?;
    let stopwatch = Stopwatch::start();
    let written = store.handle.write(write, durability).await;
    store.timers.observe(OpKind::Touch, stopwatch);
    let written = written?;
    let acks = claim.settle(exchange, &store, written.version).await?;
    Ok(kv::wrote(StatusCode::NO_CONTENT, &written, acks))
}

fn has_a_body() -> Problem {
    let detail = "nothing was written; PATCH changes the deadline alone and takes no body, PUT \
                  replaces the value";
    Problem::new(Code::MalformedBody, detail)
}

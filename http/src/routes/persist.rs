//! `POST /v1/stores/{store}/persist`: everything that was acknowledged is on the disk when it is answered.

use actix_web::HttpResponse;
use gridkv_actors::error::PersistError;
use gridkv_actors::upkeep::Persisted;
use serde_json::json;

use crate::exchange::Exchange;
use crate::problem::{Code, Problem};
use crate::routes::{Endpoint, json};

/// `POST`
pub(crate) async fn persist(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    exchange.query(Endpoint::Persist)?;
    let persisted = store.handle.persist().await;
    let Persisted { ms, bytes } = persisted.map_err(|error| refusal(exchange, &error))?;
    json(&json!({ "store": store.handle.name().as_str(), "duration_ms": ms, "bytes": bytes }))
}

fn refusal(exchange: &Exchange, error: &PersistError) -> Problem {
    match error {
        PersistError::Volatile => Problem::new(
            Code::NotSupported,
            "this store keeps nothing on a disk: configure it on `file` or `fjall`, or take a snapshot of it \
             with GET /v1/stores/{store}/snapshot",
        ),
        PersistError::DiskFull(_) => Problem::new(
            Code::DiskFull,
            "make room on the node's disk and try again; what was on it before still is",
        )
        .retry_soon(),
        PersistError::Failed(why) => {
            tracing::error!(path = exchange.path(), why, "a store can not be brought to the disk");
            Problem::new(
                Code::StoreFailed,
                "the store could not be brought to the disk; what was there before still is; see the node's log",
            )
        }
    }
}

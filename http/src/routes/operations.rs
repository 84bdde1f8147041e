//! Full syncs on an operator's word, and `/v1/operations`: how far they are.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use gridkv_actors::operations::{FullSyncError, FullSyncRefusal, OperationView};
use serde::Serialize;
use serde_json::json;

use crate::exchange::Exchange;
use crate::headers;
use crate::key_path;
use crate::problem::{Code, Problem};
use crate::query::invalid;
use crate::refusal::overloaded;
use crate::rfc3339;
use crate::routes::{Endpoint, json};

#[derive(Serialize)]
struct Operation {
    id: String,
    kind: &'static str,
    store: String,
    peer: String,
    mode: &'static str,
    state: &'static str,
    waits_for: Vec<String>,
    done: u64,
    total: u64,
    error: Option<String>,
    started_at: String,
}

impl From<OperationView> for Operation {
    fn from(view: OperationView) -> Self {
        let (state, error) = match view.end {
            None => ("running", None),
            Some(Ok(())) => ("done", None),
            Some(Err(why)) => ("failed", Some(why)),
        };
        Self {
            id: view.id.to_string(),
            kind: "full_sync",
            store: view.store.to_string(),
            peer: view.peer,
            mode: if view.rebuild { "rebuild" } else { "merge" },
            state,
            waits_for: view.waits_for,
            done: view.done,
            total: view.total,
            error,
            started_at: rfc3339::format(view.started_at),
        }
    }
}

/// `POST /v1/cluster/peers/{name}/full-sync`
pub(crate) async fn full_sync(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let query = exchange.query(Endpoint::FullSync)?;
    let rebuild = match query.get("mode") {
        None | Some("merge") => false,
        Some("rebuild") => true,
        Some(_) => return Err(invalid("mode", "is merge or rebuild")),
    };
    let name = query.get("store").ok_or_else(|| invalid("store", "says which store; name one"))?;
    let store = exchange.store_named(name)?;
    let peer = key_path::decode(key_path::peer_segment(exchange.path())).unwrap_or_default();
    let peer = String::from_utf8_lossy(&peer);
    let view = exchange.site.node.full_sync(store.handle, &peer, rebuild).await?;
    let location = headers::value(format!("/v1/operations/{}", view.id));
    let mut response = json(&Operation::from(view))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `GET`, `HEAD /v1/operations`
pub(crate) fn all(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Operations)?;
    let operations = exchange.site.node.operations();
    let operations: Vec<Operation> = operations.into_iter().map(Operation::from).collect();
    json(&json!({ "operations": operations }))
}

/// `GET`, `HEAD /v1/operations/{id}`
pub(crate) fn one(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Operation)?;
    let id = key_path::last_segment(exchange.path());
    let view = id.parse().ok().and_then(|id| exchange.site.node.operation(id));
    let view = view.ok_or_else(|| {
        Problem::new(Code::OperationNotFound, "GET /v1/operations lists those that are remembered")
    })?;
    json(&Operation::from(view))
}

impl From<FullSyncError> for Problem {
    fn from(error: FullSyncError) -> Self {
        match error {
            FullSyncError::NoPeer => {
                Self::new(Code::PeerNotFound, "GET /v1/cluster lists the other members")
            }
            FullSyncError::TooMany => overloaded("too many operations run"),
            FullSyncError::Stopping => {
                Self::new(Code::NotReady, "nothing was begun: the node is stopping")
            }
            FullSyncError::Refused(refusal) => Self::new(
                match refusal {
                    FullSyncRefusal::NoStore => Code::StoreNotFound,
                    FullSyncRefusal::Cache => Code::NotSupported,
                    FullSyncRefusal::Running => Code::FullSyncRunning,
                    FullSyncRefusal::NotConnected => Code::PeerUnreachable,
                },
                format!("nothing was begun: {refusal}"),
            ),
        }
    }
}

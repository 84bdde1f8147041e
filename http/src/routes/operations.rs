//! Full syncs and compactions on an operator's word, and `/v1/operations`: how far they are.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use gridkv_actors::error::CompactError;
use gridkv_actors::operations::{
    BeginError, FullSyncError, FullSyncRefusal, OperationKind, OperationView,
};
use serde::Serialize;
use serde_json::json;

use crate::exchange::{Exchange, StoreDoor};
use crate::headers;
use crate::key_path;
use crate::problem::{Code, Problem};
use crate::progress::Waiting;
use crate::query::invalid;
use crate::refusal::overloaded;
use crate::rfc3339;
use crate::routes::{Endpoint, internal, json};
use crate::waiting;

/// An operation, as it is shown.
#[derive(Serialize)]
pub(crate) struct Operation {
    id: String,
    kind: &'static str,
    store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
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
        let (kind, peer, mode) = match view.kind {
            OperationKind::FullSync { peer, rebuild } => {
                ("full_sync", Some(peer), Some(if rebuild { "rebuild" } else { "merge" }))
            }
            OperationKind::Compaction => ("compaction", None, None),
        };
        Self {
            id: view.id.to_string(),
            kind,
            store: view.store.to_string(),
            peer,
            mode,
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
    begun(exchange.site.node.full_sync(&store.handle, &peer, rebuild).await?)
}

/// `POST /v1/stores/{store}/compact`
pub(crate) fn compact(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    exchange.query(Endpoint::Compact)?;
    begun(exchange.site.node.compact(&store.handle).map_err(|error| not_begun(&store, &error))?)
}

fn not_begun(store: &StoreDoor, error: &CompactError) -> Problem {
    match error {
        CompactError::Nothing => Problem::new(
            Code::NotSupported,
            format!(
                "nothing was begun: `{}` keeps nothing that could be rewritten; `file` and `fjall` do",
                store.handle.backend()
            ),
        ),
        CompactError::NotBegun(BeginError::Running) => Problem::new(
            Code::OperationRunning,
            "nothing was begun: the store is compacted already; GET /v1/operations shows how far that is",
        ),
        CompactError::NotBegun(BeginError::TooMany) => overloaded("too many operations run"),
        CompactError::Failed(_) => internal(error),
    }
}

/// What an operation that was begun is answered with.
fn begun(view: OperationView) -> Result<HttpResponse, Problem> {
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
pub(crate) async fn one(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let wait = waiting::wait(&exchange.query(Endpoint::Operation)?)?;
    let id = key_path::last_segment(exchange.path()).parse().ok();
    if let (Some(id), Some(patience)) = (id, wait) {
        let _seat = exchange.site.watchers.sit(exchange.site.config.max_watchers)?;
        let requests = &exchange.site.metrics.requests;
        let _waiting = (Waiting::of(&exchange.request), requests.step_aside());
        exchange.site.node.await_operation(id, patience).await;
    }
    let view = id.and_then(|id| exchange.site.node.operation(id));
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

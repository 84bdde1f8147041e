//! `/v1/stores`, `/v1/stats`, `/v1/stores/{store}`: what the stores of this node hold, and those that are made and
//! dropped while it runs.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use gridkv_actors::stores::{DropStoreError, MakeStoreError, OpenError};
use gridkv_protocol::StoreName;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::exchange::{Exchange, store_not_found};
use crate::headers;
use crate::incoming::Incoming;
use crate::json_body;
use crate::problem::{Code, Problem};
use crate::query::invalid;
use crate::routes::{Endpoint, internal, json};
use crate::store_view::StoreView;

#[derive(Serialize)]
struct All {
    stores: Vec<StoreView>,
}

/// `GET`, `HEAD` of all stores, in order of name.
pub(crate) fn all(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Stores)?;
    json(&All { stores: exchange.site.node.stores().iter().map(StoreView::of).collect() })
}

/// `GET`, `HEAD` of one store.
pub(crate) fn one(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    exchange.query(Endpoint::StoreStats)?;
    json(&StoreView::of(&store.handle))
}

/// `PUT`: makes a store on this node, which is there after a restart too.
pub(crate) async fn make(
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::MakeStore)?;
    let name = StoreName::new(&exchange.store_name())
        .map_err(|error| invalid("store", &error.to_string()))?;
    let shape = "{\"backend\":\"memory\"}";
    let definition: Map<String, Json> = json_body::read(exchange, payload, shape).await?;
    let definition = Json::Object(definition).to_string();
    let store = exchange.site.node.make_store(name, definition).await?;
    let mut response = json(&StoreView::of(&store))?;
    *response.status_mut() = StatusCode::CREATED;
    let location = headers::value(format!("/v1/stores/{}/stats", store.name()));
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `DELETE`: drops a store that was made like that.
pub(crate) async fn remove(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let query = exchange.query(Endpoint::DropStore)?;
    let name = exchange.store_name();
    // Not kept: nothing of the store may be held while it goes.
    let known =
        StoreName::new(&name).ok().filter(|name| exchange.site.node.store(name.as_str()).is_some());
    let name = known.ok_or_else(|| store_not_found(&name))?;
    if query.get("confirm") != Some(name.as_str()) {
        let why = format!("is to be {name}, because all that this node has of the store goes");
        return Err(invalid("confirm", &why));
    }
    exchange.site.node.drop_store(name).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<MakeStoreError> for Problem {
    fn from(error: MakeStoreError) -> Self {
        let refuse = |code, detail: &'static str| Self::new(code, detail);
        match error {
            MakeStoreError::NotSupported => {
                refuse(Code::NotSupported, "this node has only the stores of its configuration")
            }
            MakeStoreError::Exists => refuse(
                Code::StoreExists,
                "nothing was changed; take another name, or drop that store first",
            ),
            MakeStoreError::Leaving => refuse(
                Code::StoreInUse,
                "one of this name was dropped, and a request still uses its files; try again when it has ended",
            ),
            MakeStoreError::TooMany => {
                refuse(Code::TooManyStores, "drop one that is not needed; a prefix of keys is cheaper")
            }
            MakeStoreError::Definition(wrong) => Self::new(
                Code::InvalidDefinition,
                format!("no store was made; its keys are those of a store in a configuration: {wrong}"),
            ),
            MakeStoreError::CacheMismatch { member } => Self::new(
                Code::CacheMismatch,
                format!(
                    "{member} holds a store of this name, and what is a cache on one member is one on all; \
                     take another name or a backend of the same sort"
                ),
            )
            .with("member", member),
            MakeStoreError::Open(OpenError::OtherBackend { owner, store, .. }) => Self::new(
                Code::StoreInUse,
                format!(
                    "stores/{store} in the data directory was made by {owner}; make the store on {owner}, or \
                     move that directory away"
                ),
            ),
            MakeStoreError::Open(OpenError::Backend { source, .. }) | MakeStoreError::Keep(source)
                if source.is_disk_full() =>
            {
                refuse(Code::DiskFull, "no store was made; make room on the disk of this node")
            }
            error @ (MakeStoreError::Open(_) | MakeStoreError::Keep(_)) => failed(&error),
            MakeStoreError::Stopping => stopping(),
        }
    }
}

impl From<DropStoreError> for Problem {
    fn from(error: DropStoreError) -> Self {
        match error {
            DropStoreError::NotFound => Self::new(Code::StoreNotFound, "it was dropped already"),
            DropStoreError::Configured => Self::new(
                Code::StoreConfigured,
                "it goes on; remove it from the configuration and restart the node",
            ),
            DropStoreError::Busy(with) => Self::new(
                Code::StoreInUse,
                format!("it goes on, because {with} is under way; try again when that has ended"),
            ),
            DropStoreError::PeersBehind(peers) => Self::new(
                Code::PeersBehind,
                format!(
                    "it goes on, because {} may lack some of what is here, and could get it nowhere else; try again, start \
                     who is down, or forget who is gone for good",
                    peers.join(", ")
                ),
            )
            .with("peers", peers)
            .retry_soon(),
            DropStoreError::Keep(source) if source.is_disk_full() => {
                Self::new(Code::DiskFull, "it goes on; make room on the disk of this node")
            }
            error @ DropStoreError::Keep(_) => failed(&error),
            DropStoreError::Stopping => stopping(),
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Problem {
    let Problem { detail, .. } = internal(error);
    Problem::new(Code::StoreFailed, detail)
}

fn stopping() -> Problem {
    Problem::new(Code::NotReady, "it is stopping")
}

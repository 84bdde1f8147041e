//! `/v1/stores/{store}/receipts/{version}`: which nodes have a write.
//!
//! It is what each node said itself: `true` once its frontier covers the version, so that a read there
//! finds that write or a newer one of its key. A node that is down says nothing new.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use gridkv_protocol::Version;
use serde::Serialize;

use crate::exchange::Exchange;
use crate::key_path;
use crate::problem::Problem;
use crate::query;
use crate::routes::{Endpoint, json};

#[derive(Serialize)]
struct Receipts {
    version: String,
    nodes: BTreeMap<String, bool>,
}

/// `GET`, `HEAD`
pub(crate) fn receipts(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    exchange.query(Endpoint::Receipts)?;
    let segment = key_path::decode(key_path::last_segment(exchange.path())).unwrap_or_default();
    let version: Version = String::from_utf8_lossy(&segment)
        .parse()
        .map_err(|error| query::invalid("version", &format!("{error}")))?;
    let nodes = exchange.site.node.receipts(&store.handle, version);
    json(&Receipts { version: version.to_string(), nodes })
}

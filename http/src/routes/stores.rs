//! `/v1/stores`, `/v1/stats`, `/v1/stores/{store}/stats`: what the stores of this node hold.

use actix_web::HttpResponse;
use serde::Serialize;

use crate::exchange::Exchange;
use crate::problem::Problem;
use crate::routes::{Endpoint, json};
use crate::store_view::StoreView;

#[derive(Serialize)]
struct All {
    stores: Vec<StoreView>,
}

/// `GET`, `HEAD` of all stores, in order of name.
pub(crate) fn all(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Stores)?;
    json(&All { stores: exchange.site.node.stores().map(StoreView::of).collect() })
}

/// `GET`, `HEAD` of one store.
pub(crate) fn one(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?;
    exchange.query(Endpoint::StoreStats)?;
    json(&StoreView::of(store.handle))
}

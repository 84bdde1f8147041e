//! `/v1/stores/{store}/convergence`: whether the store holds the same here and at each peer, and since when.
//!
//! It says nothing that was not proven: without a comparison for some seconds nobody knows, and it is null.

use actix_web::HttpResponse;
use gridkv_actors::views::{PeerStoreView, PeerView};
use serde::Serialize;

use crate::exchange::Exchange;
use crate::problem::{Code, Problem};
use crate::rfc3339;
use crate::routes::json;

#[derive(Serialize)]
struct Convergence<'a> {
    store: &'a str,
    peers: Vec<Peer<'a>>,
}

/// A peer that has the store too.
#[derive(Serialize)]
struct Peer<'a> {
    name: &'a str,
    /// Since when every comparison has found the same; null when it differs, or can not be compared.
    identical_since: Option<String>,
    /// Parts of 4,096 in which the two differ although both have seen the same.
    diverged_buckets: u64,
    /// Own operations that the peer does not have yet.
    behind_ops: u64,
}

/// `GET`, `HEAD`
pub(crate) fn convergence(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = exchange.store()?.handle;
    exchange.query(&[])?;
    if store.is_cache() {
        return Err(Problem::new(
            Code::NotSupported,
            "a cache forgets as it likes, so it is compared with no peer",
        ));
    }
    let mesh = exchange.site.node.cluster();
    let peers = mesh.peers.iter();
    let peers = peers.filter_map(|peer| Some(Peer::of(peer, peer.stores.get(store.name())?)));
    json(&Convergence { store: store.name().as_str(), peers: peers.collect() })
}

impl<'a> Peer<'a> {
    fn of(peer: &'a PeerView, view: &PeerStoreView) -> Self {
        let agreement = view.agreement.unwrap_or_default();
        Self {
            name: &peer.name,
            identical_since: agreement.identical_since.map(rfc3339::format),
            diverged_buckets: agreement.diverged_buckets,
            behind_ops: view.pending,
        }
    }
}

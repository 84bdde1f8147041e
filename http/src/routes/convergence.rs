//! `/v1/stores/{store}/convergence`: whether the store holds the same here and at each peer, and since when; below
//! it, at the name of a peer, which keys differed there.
//!
//! It says nothing that was not proven: without a comparison for some seconds nobody knows, and it is null.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::views::{ClusterView, PeerStoreView, PeerView};
use gridkv_protocol::differing::{Differing, DifferingKey};
use serde::Serialize;

use crate::exchange::Exchange;
use crate::key_path;
use crate::problem::{Code, Problem};
use crate::rfc3339;
use crate::routes::{Endpoint, json};

#[derive(Serialize)]
struct Convergence<'a> {
    store: &'a str,
    peers: Vec<Peer<'a>>,
}

/// A peer that has the store too.
#[derive(Serialize)]
pub(crate) struct Peer<'a> {
    name: &'a str,
    /// Since when every comparison has found the same; null when it differs, or can not be compared.
    identical_since: Option<String>,
    /// Parts of 4,096 in which the two differ although both have seen the same.
    diverged_buckets: u64,
    /// Own operations that the peer does not have yet.
    behind_ops: u64,
}

/// A peer, and which keys of the store differed there.
#[derive(Serialize)]
struct PeerInDetail<'a> {
    store: &'a str,
    #[serde(flatten)]
    peer: Peer<'a>,
    /// When the last repair from there found that keys differ; null when it found none, and without one.
    found_at: Option<String>,
    differing: Vec<Difference<'a>>,
    /// How many more keys differed.
    more: u64,
}

#[derive(Serialize)]
struct Difference<'a> {
    key: &'a str,
    here: Option<String>,
    there: String,
}

/// How every store but the caches stands beside those of the peers, by its name.
pub(crate) fn all<'a>(
    stores: &[StoreHandle],
    mesh: &'a ClusterView,
) -> BTreeMap<String, Vec<Peer<'a>>> {
    let compared = stores.iter().filter(|store| !store.is_cache());
    compared.map(|store| (store.name().to_string(), peers(store, mesh))).collect()
}

/// The peers that hold a store.
fn peers<'a>(store: &StoreHandle, mesh: &'a ClusterView) -> Vec<Peer<'a>> {
    let peers = mesh.peers.iter();
    peers.filter_map(|peer| Some(Peer::of(peer, peer.stores.get(store.name())?))).collect()
}

/// `GET`, `HEAD /v1/stores/{store}/convergence`
pub(crate) fn convergence(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = compared(exchange)?;
    let mesh = exchange.site.node.cluster();
    json(&Convergence { store: store.name().as_str(), peers: peers(&store, &mesh) })
}

/// `GET`, `HEAD /v1/stores/{store}/convergence/{peer}`
pub(crate) async fn differing(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    let store = compared(exchange)?;
    let name = key_path::decode(key_path::last_segment(exchange.path())).unwrap_or_default();
    let mesh = exchange.site.node.cluster();
    let named = mesh.peers.iter().find(|peer| *peer.name.as_bytes() == *name);
    let peer = named.ok_or_else(|| {
        Problem::new(Code::PeerNotFound, "GET /v1/cluster lists the other members")
    })?;
    let view = peer
        .stores
        .get(store.name())
        .ok_or_else(|| Problem::new(Code::StoreNotFound, "that peer does not hold this store"))?;
    let found = store.differing(peer.origin.node()).await;
    let found = found.ok_or_else(|| Problem::new(Code::NotReady, "the node is stopping"))?;
    json(&PeerInDetail::new(store.name().as_str(), Peer::of(peer, view), &found))
}

/// The store in the path, if it is one that is compared with peers.
fn compared(exchange: &Exchange) -> Result<StoreHandle, Problem> {
    let store = exchange.store()?.handle;
    exchange.query(Endpoint::Convergence)?;
    if store.is_cache() {
        return Err(Problem::new(
            Code::NotSupported,
            "a cache forgets as it likes, so it is compared with no peer",
        ));
    }
    Ok(store)
}

impl<'a> PeerInDetail<'a> {
    fn new(store: &'a str, peer: Peer<'a>, found: &'a Differing) -> Self {
        Self {
            store,
            peer,
            found_at: found.found_at.map(rfc3339::format),
            differing: found.keys.iter().map(Difference::of).collect(),
            more: found.more,
        }
    }
}

impl<'a> Difference<'a> {
    fn of(DifferingKey { key, here, there }: &'a DifferingKey) -> Self {
        let here = here.map(|version| version.to_string());
        Self { key: key.as_str(), here, there: there.to_string() }
    }
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

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Key, UnixMs, Version};
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_differ_are_told_with_their_versions() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        let (old, new) = ("01a2088455220000-0000beef6a000000", "01a2088455230000-0000beef6a000000");
        let differing = |key: &str, here: Option<&str>| DifferingKey {
            key: Key::new(key).unwrap(),
            here: here.map(version),
            there: version(new),
        };
        let found = Differing {
            found_at: Some(UnixMs(1_000)),
            keys: vec![differing("é\n", Some(old)), differing("k", None)],
            more: 7,
        };
        let peer = Peer { name: "n2", identical_since: None, diverged_buckets: 2, behind_ops: 1 };
        let expected = json!({
            "store": "main", "name": "n2", "identical_since": null, "diverged_buckets": 2, "behind_ops": 1,
            "found_at": "1970-01-01T00:00:01.000Z",
            "differing": [
                {"key": "é\n", "here": old, "there": new},
                {"key": "k", "here": null, "there": new},
            ],
            "more": 7,
        });
        assert_eq!(
            serde_json::to_value(PeerInDetail::new("main", peer, &found)).unwrap(),
            expected
        );
    }
}

//! `/v1/cluster`: the mesh as this node sees it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use gridkv_actors::views::{ClusterView, PeerStoreView, PeerTrouble, PeerView};
use serde::Serialize;
use serde_json::Value as Json;

use crate::exchange::Exchange;
use crate::problem::Problem;
use crate::rfc3339;
use crate::routes::{Endpoint, json};

/// The mesh, as it is shown.
#[derive(Serialize)]
pub(crate) struct Mesh {
    cluster: String,
    #[serde(rename = "self")]
    me: Me,
    peers: Vec<Peer>,
}

#[derive(Serialize)]
struct Me {
    name: String,
    id: String,
    epoch: u32,
    addr: String,
    joined: bool,
}

#[derive(Serialize)]
struct Peer {
    name: String,
    id: String,
    epoch: u32,
    addr: String,
    state: &'static str,
    last_contact: Option<String>,
    clock_skew_ms: Option<i64>,
    ready: Option<bool>,
    trouble: Option<TroubleRow>,
    stores: BTreeMap<String, PeerStore>,
    missing_stores: Vec<String>,
    other_backends: BTreeMap<String, String>,
}

/// Why this node does not reach a peer.
#[derive(Serialize)]
struct TroubleRow {
    reason: &'static str,
    detail: Cow<'static, str>,
    since: String,
}

impl From<PeerTrouble> for TroubleRow {
    fn from(PeerTrouble { what, since }: PeerTrouble) -> Self {
        let (reason, detail) = (what.word(), what.sentence());
        Self { reason, detail, since: rfc3339::format(since) }
    }
}

#[derive(Serialize)]
struct PeerStore {
    pending: u64,
    lag_seconds: Json,
    frontier_covered: bool,
    key_count: u64,
}

impl From<ClusterView> for Mesh {
    fn from(view: ClusterView) -> Self {
        let me = Me {
            name: view.me.name,
            id: view.me.origin.node().to_string(),
            epoch: view.me.origin.epoch().0,
            addr: view.me.addr,
            joined: view.me.joined,
        };
        let peers = view.peers.into_iter().map(Peer::from).collect();
        Self { cluster: view.cluster, me, peers }
    }
}

impl From<PeerView> for Peer {
    fn from(view: PeerView) -> Self {
        let stores = view.stores.iter();
        let other_backends = view.other_backends.into_iter();
        Self {
            name: view.name,
            id: view.origin.node().to_string(),
            epoch: view.origin.epoch().0,
            addr: view.addr,
            state: view.state.as_str(),
            last_contact: view.last_contact.map(rfc3339::format),
            clock_skew_ms: view.clock_skew_ms,
            ready: view.ready,
            trouble: view.trouble.map(TroubleRow::from),
            stores: stores.map(|(name, store)| (name.to_string(), PeerStore::of(store))).collect(),
            missing_stores: view.missing_stores.iter().map(ToString::to_string).collect(),
            other_backends: other_backends.map(|(name, on)| (name.to_string(), on)).collect(),
        }
    }
}

impl PeerStore {
    fn of(view: &PeerStoreView) -> Self {
        Self {
            pending: view.pending,
            lag_seconds: seconds(view.lag_ms),
            frontier_covered: view.frontier_covered,
            key_count: view.key_count,
        }
    }
}

/// Whole seconds as a whole number: 0 is `0`, not `0.0`.
fn seconds(ms: u64) -> Json {
    if ms.is_multiple_of(1_000) {
        Json::from(ms / 1_000)
    } else {
        Json::from(Duration::from_millis(ms).as_secs_f64())
    }
}

/// `GET /v1/cluster`
pub(crate) fn cluster(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Cluster)?;
    json(&Mesh::from(exchange.site.node.cluster()))
}

#[cfg(test)]
mod tests {
    use gridkv_actors::views::{LinkCounts, PeerState, SelfView, Trouble};
    use gridkv_protocol::{Epoch, NodeId, Origin, StoreName, UnixMs};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mesh_as_clients_see_it() {
        let store = PeerStoreView { pending: 3, lag_ms: 1_500, key_count: 7, ..Default::default() };
        let view = ClusterView {
            cluster: "gridkv".to_owned(),
            me: SelfView {
                name: "n1".to_owned(),
                origin: Origin::new(NodeId(0xab), Epoch(2)),
                addr: "127.0.0.1:7501".to_owned(),
                joined: true,
            },
            peers: vec![PeerView {
                name: "n2".to_owned(),
                origin: Origin::new(NodeId(0xcd), Epoch(1)),
                addr: "127.0.0.1:7502".to_owned(),
                state: PeerState::Suspect,
                last_contact: Some(UnixMs(0)),
                clock_skew_ms: Some(-4),
                ready: Some(true),
                trouble: Some(PeerTrouble {
                    what: Trouble::ConnectionRefused,
                    since: UnixMs(1_500),
                }),
                stores: BTreeMap::from([(StoreName::new("main").unwrap(), store)]),
                missing_stores: vec![StoreName::new("big").unwrap()],
                other_backends: BTreeMap::from([(
                    StoreName::new("main").unwrap(),
                    "memory".to_owned(),
                )]),
                link: LinkCounts::default(),
            }],
        };
        assert_eq!(
            serde_json::to_value(Mesh::from(view)).unwrap(),
            json!({
                "cluster": "gridkv",
                "self": {"name": "n1", "id": "000000ab", "epoch": 2, "addr": "127.0.0.1:7501",
                         "joined": true},
                "peers": [{
                    "name": "n2", "id": "000000cd", "epoch": 1, "addr": "127.0.0.1:7502",
                    "state": "suspect", "last_contact": "1970-01-01T00:00:00.000Z",
                    "clock_skew_ms": -4, "ready": true,
                    "trouble": {"reason": "connection_refused",
                                "detail": Trouble::ConnectionRefused.sentence(),
                                "since": "1970-01-01T00:00:01.500Z"},
                    "stores": {"main": {"pending": 3, "lag_seconds": 1.5,
                                        "frontier_covered": false, "key_count": 7}},
                    "missing_stores": ["big"], "other_backends": {"main": "memory"},
                }],
            })
        );
        assert_eq!(seconds(2_000), json!(2));
    }
}

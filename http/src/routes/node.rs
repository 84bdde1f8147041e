//! `/`, `/v1/node`, `/v1/cluster`: who this node is, and the mesh as it sees it.
//!
//! Browsers, which ask for a page, are sent from `/` to the console.
//! The configuration is shown as it was handed in: whoever composes the node masks its secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use gridkv_actors::views::{
    ActorView, ClockView, ClusterView, PeerStoreView, PeerTrouble, PeerView,
};
use gridkv_protocol::UnixMs;
use gridkv_protocol::fence::Standing;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::access::Exposed;
use crate::certificates::{Certificates, Listener};
use crate::exchange::Exchange;
use crate::operating::Operating;
use crate::problem::Problem;
use crate::rfc3339;
use crate::routes::{Endpoint, json};
use crate::site::Site;

/// The version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the console is.
pub(crate) const CONSOLE: &str = "/console/";

#[derive(Serialize)]
struct Root<'a> {
    name: &'a str,
    version: &'static str,
    links: BTreeMap<&'static str, &'static str>,
}

/// `GET /`
pub(crate) fn root(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Root)?;
    if wants_page(exchange) {
        return Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, CONSOLE))
            .insert_header((header::VARY, "accept"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish());
    }
    let links = [
        ("console", CONSOLE),
        ("stores", "/v1/stores"),
        ("stats", "/v1/stats"),
        ("node", "/v1/node"),
        ("cluster", "/v1/cluster"),
        ("live", "/livez"),
        ("ready", "/readyz"),
        ("metrics", "/metrics"),
        ("openapi", "/v1/openapi.json"),
    ];
    json(&Root { name: "GridKV", version: VERSION, links: links.into() })
}

/// Whether who asks names HTML among what it takes, as browsers do.
fn wants_page(exchange: &Exchange) -> bool {
    let accepts = exchange.headers().get_all(header::ACCEPT);
    accepts.filter_map(|value| value.to_str().ok()).any(|value| {
        value.split([',', ';']).any(|range| range.trim_ascii().eq_ignore_ascii_case("text/html"))
    })
}

#[derive(Serialize)]
struct Node {
    #[serde(flatten)]
    person: Person,
    actors: Vec<ActorRow>,
    config: Json,
}

/// Who the node is, and how it is.
#[derive(Serialize)]
pub(crate) struct Person {
    name: String,
    identity: String,
    epoch: u32,
    origin: String,
    cluster: String,
    version: &'static str,
    uptime_seconds: u64,
    started_at: String,
    clock: Clock,
    exposed_without_auth: ExposedRow,
    certificates: BTreeMap<&'static str, CertificateRow>,
}

impl Person {
    /// The node, now.
    pub(crate) fn of(site: &Site) -> Self {
        let node = &site.node;
        let (origin, started_at) = (node.origin(), node.started_at());
        Self {
            name: node.name().to_owned(),
            identity: origin.node().to_string(),
            epoch: origin.epoch().0,
            origin: origin.to_string(),
            cluster: node.cluster().cluster,
            version: VERSION,
            uptime_seconds: node.now().since(started_at) / 1_000,
            started_at: rfc3339::format(started_at),
            clock: Clock::of(node.clock(), node.now()),
            exposed_without_auth: site.operating.access.exposed().into(),
            certificates: certificates(&site.operating.certificates, node.now()),
        }
    }
}

/// When the certificate of a listener ends.
#[derive(Serialize)]
struct CertificateRow {
    expires_at: String,
    expires_in_seconds: i64,
}

/// The listeners that have one.
fn certificates(
    certificates: &Certificates,
    now: UnixMs,
) -> BTreeMap<&'static str, CertificateRow> {
    let row = |listener: Listener| {
        let end = certificates.end(listener)?;
        let left_ms = end.0.cast_signed().saturating_sub(now.0.cast_signed());
        let (expires_at, expires_in_seconds) = (rfc3339::format(end), left_ms.div_euclid(1_000));
        Some((listener.as_str(), CertificateRow { expires_at, expires_in_seconds }))
    };
    Listener::ALL.into_iter().filter_map(row).collect()
}

/// Which listeners other machines reach without a proof of who they are.
#[derive(Serialize)]
struct ExposedRow {
    http: bool,
    peers: bool,
}

impl From<Exposed> for ExposedRow {
    fn from(Exposed { http, peers }: Exposed) -> Self {
        Self { http, peers }
    }
}

#[derive(Serialize)]
struct Clock {
    now: String,
    standing: &'static str,
    fenced: bool,
    ahead_of_wall_ms: i64,
    ahead_of_peers_ms: Option<i64>,
}

impl Clock {
    fn of(view: ClockView, now: UnixMs) -> Self {
        let ClockView { standing, ahead_of_wall_ms, ahead_of_peers_ms, .. } = view;
        Self {
            now: rfc3339::format(now),
            standing: standing.as_str(),
            fenced: standing == Standing::Fenced,
            ahead_of_wall_ms,
            ahead_of_peers_ms,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ActorRow {
    actor: &'static str,
    /// `_node` when it is the node's.
    store: String,
    messages: u64,
    capacity: Option<u64>,
    handled: u64,
    refused: Option<u64>,
    restarts: Option<u64>,
    /// Of all messages that it has taken, together.
    waited_seconds: f64,
    heartbeat_age_ms: Option<u64>,
}

impl From<ActorView> for ActorRow {
    fn from(view: ActorView) -> Self {
        Self {
            actor: view.role.as_str(),
            store: view.store.map_or_else(|| "_node".to_owned(), |store| store.to_string()),
            messages: view.messages,
            capacity: view.capacity,
            handled: view.handled,
            refused: view.refused,
            restarts: view.restarts,
            waited_seconds: Duration::from_micros(view.waited_us).as_secs_f64(),
            heartbeat_age_ms: view.silent_ms,
        }
    }
}

/// `GET /v1/node`
pub(crate) fn node(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Node)?;
    let site = &exchange.site;
    json(&Node { person: Person::of(site), actors: actors(site), config: config(&site.operating) })
}

/// Its actors, now.
pub(crate) fn actors(site: &Site) -> Vec<ActorRow> {
    site.node.actors().into_iter().map(ActorRow::from).collect()
}

/// The configuration, with the level of the log as it is now.
fn config(operating: &Operating) -> Json {
    let mut config = Json::clone(&operating.shown.get());
    if let (Some(level), Some(config)) = (operating.log.level(), config.as_object_mut()) {
        let log = config.entry("log").or_insert_with(|| Json::Object(Map::new()));
        if let Some(log) = log.as_object_mut() {
            log.insert("level".to_owned(), level.as_str().into());
        }
    }
    config
}

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

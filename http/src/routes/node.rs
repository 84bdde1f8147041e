//! `/`, `/v1/node`: who this node is, and how it is.
//!
//! Browsers, which ask for a page, are sent from `/` to the console.
//! The configuration is shown as it was handed in: whoever composes the node masks its secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use gridkv_actors::views::{ActorView, ClockView};
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

//! `GET /v1/stream`: what the node knows of itself and of the others, once a second, for who shows it to people.
//!
//! It saves asking eight other endpoints, which say the same but for `spread`, how far the members are on what others
//! wrote, and `purging`, for whom what is deleted is kept. The first event says who reads, because what that one may do
//! decides what is shown; each of the others is whole by itself, so that none has to be read to understand the next, and
//! one that is missed is no loss. Who comes is told the state of that moment; from then on all get the same event, which
//! is made once (`ticks.rs`): whoever may read this at all may read all of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::spread::{Reach, Spread};
use gridkv_actors::views::{ClusterView, StableView};
use gridkv_protocol::UnixMs;
use serde::Serialize;
use tokio::time::timeout;

use crate::access::Caller;
use crate::exchange::Exchange;
use crate::metrics::RequestsView;
use crate::problem::Problem;
use crate::progress::Streaming;
use crate::rfc3339;
use crate::role::Role;
use crate::routes::cluster::Mesh;
use crate::routes::convergence;
use crate::routes::health::ReadinessJson;
use crate::routes::node::{self, ActorRow, Person};
use crate::routes::operations::Operation;
use crate::routes::{Endpoint, Verb};
use crate::site::Site;
use crate::store_view::StoreView;
use crate::ticks::Turn;
use crate::watchers::Seat;

/// Milliseconds after which a browser asks again when the stream breaks.
const RETRY_MS: u32 = 2_000;

/// Who reads, and may do what: the first event, `reader`.
#[derive(Serialize)]
struct Reader {
    /// What the reader's token allows; all, where there are no tokens.
    role: &'static str,
    /// Whether there are tokens.
    tokens: bool,
}

/// Everything, at one moment: the event `state`.
#[derive(Serialize)]
struct State<'a> {
    at: String,
    node: Person,
    readiness: ReadinessJson,
    cluster: Mesh,
    /// By store, writer and reader.
    spread: BTreeMap<String, BTreeMap<String, BTreeMap<String, ReachRow>>>,
    /// By store, but for the caches.
    convergence: BTreeMap<String, Vec<convergence::Peer<'a>>>,
    /// By store, but for the caches.
    purging: BTreeMap<String, PurgeRow>,
    stores: Vec<StoreView>,
    actors: Vec<ActorRow>,
    operations: Vec<Operation>,
    requests: RequestsView,
}

/// How far a member is on what another one wrote.
#[derive(Serialize)]
struct ReachRow {
    /// It has everything that is older than so much; null when it never said.
    at_most_seconds: Option<f64>,
    /// Whether it has everything of which this node has heard.
    has_all: bool,
}

impl ReachRow {
    fn of(reach: Reach, now: UnixMs) -> Self {
        let ago = |upto: UnixMs| Duration::from_millis(now.since(upto)).as_secs_f64();
        Self { at_most_seconds: reach.upto.map(ago), has_all: reach.has_all_known }
    }
}

/// How far a store may forget what is dead.
#[derive(Serialize)]
struct PurgeRow {
    /// Every member has all up to here for good; null before the first time since the node started.
    upto: Option<String>,
    /// The member for which the rest is kept.
    held_back_by: Option<String>,
}

impl From<StableView> for PurgeRow {
    fn from(StableView { upto, held_back_by, .. }: StableView) -> Self {
        Self { upto: (upto.0 > 0).then(|| rfc3339::format(upto)), held_back_by }
    }
}

impl<'a> State<'a> {
    fn of(site: &Site, mesh: &'a ClusterView) -> Self {
        let (now, stores) = (site.node.now(), site.node.stores());
        let mut spread = BTreeMap::new();
        for (store, all) in site.node.spread() {
            let rows: &mut BTreeMap<_, BTreeMap<_, _>> =
                spread.entry(store.to_string()).or_default();
            for Spread { writer, reader, reach } in all {
                rows.entry(writer).or_default().insert(reader, ReachRow::of(reach, now));
            }
        }
        let purging = stores.iter().map(StoreHandle::name);
        let purging = purging.filter_map(|name| Some((name, site.node.stable(name)?)));
        Self {
            at: rfc3339::format(now),
            node: Person::of(site),
            readiness: site.node.readiness().into(),
            cluster: mesh.clone().into(),
            spread,
            convergence: convergence::all(&stores, mesh),
            purging: purging.map(|(name, stable)| (name.to_string(), stable.into())).collect(),
            stores: stores.iter().map(StoreView::of).collect(),
            actors: node::actors(site),
            operations: site.node.operations().into_iter().map(Operation::from).collect(),
            requests: site.metrics.requests.view(),
        }
    }
}

/// `GET`, `HEAD`
pub(crate) fn stream(exchange: &Exchange) -> Result<HttpResponse, Problem> {
    exchange.query(Endpoint::Stream)?;
    let seat = exchange.site.watchers.sit(exchange.site.config.max_watchers)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/event-stream"));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if Verb::of(exchange.request.method()) == Verb::Head {
        return Ok(response.finish());
    }
    let course = Course {
        site: Arc::clone(&exchange.site),
        caller: exchange.caller,
        turn: exchange.site.ticks.join(),
        next: Next::Beginning,
        _held: (seat, Streaming::of(&exchange.request)),
    };
    Ok(response.force_close().streaming(course.into_body()))
}

/// A stream under way.
struct Course {
    site: Arc<Site>,
    caller: Caller,
    turn: Turn,
    next: Next,
    /// Its place among those who watch, and its connection, if that can be told.
    _held: (Seat, Option<Streaming>),
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Beginning,
    State,
    Nothing,
}

impl Course {
    fn into_body(self) -> impl Stream<Item = Result<Bytes, Error>> {
        unfold(self, |mut course| async move {
            let piece = course.piece().await?;
            Some((piece.map_err(Error::from), course))
        })
    }

    /// The next piece; `None` at the end.
    async fn piece(&mut self) -> Option<serde_json::Result<Bytes>> {
        match self.next {
            Next::Beginning => {
                self.next = Next::State;
                return Some(self.beginning());
            }
            Next::State => {}
            Next::Nothing => return None,
        }
        let wait = self.site.ticks.wait(&mut self.turn);
        let stops = timeout(wait, self.site.node.stopping()).await.is_ok();
        if !self.site.operating.access.still_knows(self.caller) {
            return None; // its token was taken away
        }
        if stops {
            self.next = Next::Nothing;
            return Some(event("bye", &serde_json::json!({"detail": "the node is stopping"})));
        }
        let site = &self.site;
        Some(site.ticks.tell(&mut self.turn, || state(site)).await)
    }

    /// Who reads, and the first state, at once.
    fn beginning(&self) -> serde_json::Result<Bytes> {
        let reader = Reader {
            role: match self.caller {
                Caller::Anyone => Role::Admin,
                Caller::Holder(token) => token.role,
                Caller::Stranger => Role::Metrics, // none is let in here
            }
            .as_str(),
            tokens: self.site.operating.access.asks(),
        };
        let reader = event("reader", &reader)?;
        let state = state(&self.site)?;
        Ok([format!("retry: {RETRY_MS}\n\n").as_bytes(), &reader, &state].concat().into())
    }
}

/// The state of the node, as it is now.
fn state(site: &Site) -> serde_json::Result<Bytes> {
    let mesh = site.node.cluster();
    event("state", &State::of(site, &mesh))
}

/// One event.
///
/// # Errors
/// When it has no JSON form, which is a mistake in this crate.
fn event(name: &str, data: &impl Serialize) -> serde_json::Result<Bytes> {
    let json = serde_json::to_string(data)?;
    Ok(format!("event: {name}\ndata: {json}\n\n").into())
}

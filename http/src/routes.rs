//! Everything that is served: one table of resources and their methods, and where each leads.
//!
//! The table feeds the recogniser, `Allow`, and the labels of the metrics, so none of them can name
//! what another does not know. Paths are recognised as they were sent: the framework's router would
//! match on a path that is decoded in part, where `%2F` and `/` are told apart but `%FF` and `%FE`
//! are not. So the framework is given one service, for all paths.
//!
//! A path that is not in the table is 404 `route_not_found`; there is no second form of any path.

pub(crate) mod admin;
pub(crate) mod batch;
pub(crate) mod changes;
pub(crate) mod cluster;

pub(crate) mod convergence;
pub(crate) mod health;
pub(crate) mod kv;
pub(crate) mod list;
pub(crate) mod node;
pub(crate) mod operations;
pub(crate) mod pages;
pub(crate) mod peers;
pub(crate) mod persist;
pub(crate) mod prefix;
pub(crate) mod receipts;
pub(crate) mod snapshot;
pub(crate) mod stores;
pub(crate) mod stream;
pub(crate) mod touch;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::fn_service;
use actix_web::http::{Method, header};
use actix_web::web::ServiceConfig;
use serde::Serialize;

use crate::edge;
use crate::exchange::Exchange;
use crate::incoming::Incoming;
use crate::key_path;
use crate::openapi;
use crate::problem::{Code, Problem};
use crate::site::Site;

/// A method as this room tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Patch,
    Options,
    Other,
}

impl Verb {
    /// Every one, in the order of [`Verb::index`].
    pub(crate) const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Put,
        Self::Post,
        Self::Delete,
        Self::Patch,
        Self::Options,
        Self::Other,
    ];

    /// The verb of a request.
    pub(crate) fn of(method: &Method) -> Self {
        let known = |verb: &Self| *verb != Self::Other && verb.as_str() == method.as_str();
        Self::ALL.into_iter().find(known).unwrap_or(Self::Other)
    }

    /// Its name; `other` for all that have no place in the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }

    /// Its place in [`Verb::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Whether a request with it changes nothing.
    pub(crate) fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

/// Where a method of a resource leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    GetKey,
    PutKey,
    DeleteKey,
    TouchKey,
    ListKeys,
    DeletePrefix,
    Batch,
    Stores,
    MakeStore,
    DropStore,
    StoreStats,
    Changes,
    Convergence,
    Differing,
    Receipts,
    Node,
    Cluster,
    AddPeer,
    ForgetPeer,
    FullSync,
    Operations,
    Operation,
    Persist,
    Compact,
    SaveSnapshot,
    LoadSnapshot,
    LogLevel,
    Drain,
    Live,
    Ready,
    Metrics,
    OpenApi,
    Root,
    Stream,
    Console,
    ConsoleDoor,
}

impl Endpoint {
    /// Whether it answers however much is in flight: an overloaded node is not a dead one.
    pub(crate) fn is_exempt(self) -> bool {
        matches!(self, Self::Live | Self::Ready | Self::Metrics)
    }
}

/// A path pattern and its methods. `{key}` and `{file}` are all the rest, any other word in braces is one segment.
#[derive(Debug)]
pub(crate) struct Resource {
    /// The pattern, which is also its label in the metrics.
    pub(crate) pattern: &'static str,
    /// The methods, in the order of `Allow`.
    pub(crate) methods: &'static [(Verb, Endpoint)],
}

/// A resource that is only read.
macro_rules! read_only {
    ($pattern:literal, $endpoint:ident) => {
        Resource {
            pattern: $pattern,
            methods: &[(Verb::Get, Endpoint::$endpoint), (Verb::Head, Endpoint::$endpoint)],
        }
    };
}

/// Every resource; the busiest first.
pub(crate) const RESOURCES: [Resource; 32] = [
    Resource {
        pattern: "/v1/kv/{store}/{key}",
        methods: &[
            (Verb::Get, Endpoint::GetKey),
            (Verb::Head, Endpoint::GetKey),
            (Verb::Put, Endpoint::PutKey),
            (Verb::Delete, Endpoint::DeleteKey),
            (Verb::Patch, Endpoint::TouchKey),
        ],
    },
    Resource { pattern: "/v1/stores/{store}/batch", methods: &[(Verb::Post, Endpoint::Batch)] },
    Resource {
        pattern: "/v1/kv/{store}",
        methods: &[
            (Verb::Get, Endpoint::ListKeys),
            (Verb::Head, Endpoint::ListKeys),
            (Verb::Delete, Endpoint::DeletePrefix),
        ],
    },
    read_only!("/v1/stores", Stores),
    read_only!("/v1/stats", Stores),
    Resource {
        pattern: "/v1/stores/{store}",
        methods: &[(Verb::Put, Endpoint::MakeStore), (Verb::Delete, Endpoint::DropStore)],
    },
    read_only!("/v1/stores/{store}/stats", StoreStats),
    read_only!("/v1/stores/{store}/changes", Changes),
    read_only!("/v1/stores/{store}/convergence", Convergence),
    read_only!("/v1/stores/{store}/convergence/{peer}", Differing),
    read_only!("/v1/stores/{store}/receipts/{version}", Receipts),
    Resource {
        pattern: "/v1/stores/{store}/snapshot",
        methods: &[
            (Verb::Get, Endpoint::SaveSnapshot),
            (Verb::Head, Endpoint::SaveSnapshot),
            (Verb::Put, Endpoint::LoadSnapshot),
        ],
    },
    Resource { pattern: "/v1/stores/{store}/persist", methods: &[(Verb::Post, Endpoint::Persist)] },
    Resource { pattern: "/v1/stores/{store}/compact", methods: &[(Verb::Post, Endpoint::Compact)] },
    read_only!("/v1/node", Node),
    read_only!("/v1/cluster", Cluster),
    Resource { pattern: "/v1/cluster/peers", methods: &[(Verb::Post, Endpoint::AddPeer)] },
    Resource {
        pattern: "/v1/cluster/peers/{name}",
        methods: &[(Verb::Delete, Endpoint::ForgetPeer)],
    },
    Resource {
        pattern: "/v1/cluster/peers/{name}/full-sync",
        methods: &[(Verb::Post, Endpoint::FullSync)],
    },
    read_only!("/v1/operations", Operations),
    read_only!("/v1/operations/{id}", Operation),
    Resource { pattern: "/v1/admin/log-level", methods: &[(Verb::Put, Endpoint::LogLevel)] },
    Resource { pattern: "/v1/admin/drain", methods: &[(Verb::Post, Endpoint::Drain)] },
    read_only!("/livez", Live),
    read_only!("/readyz", Ready),
    read_only!("/metrics", Metrics),
    read_only!("/v1/openapi.json", OpenApi),
    read_only!("/v1/stream", Stream),
    read_only!("/console/", Console),
    read_only!("/console/{file}", Console),
    read_only!("/console", ConsoleDoor),
    read_only!("/", Root),
];

impl Resource {
    /// Where `verb` leads.
    ///
    /// # Errors
    /// 405 with `Allow`.
    pub(crate) fn endpoint(&self, verb: Verb) -> Result<Endpoint, Problem> {
        let found = self.methods.iter().find(|(known, _)| *known == verb);
        found.map(|(_, endpoint)| *endpoint).ok_or_else(|| {
            let names: Vec<&str> = self.methods.iter().map(|(verb, _)| verb.as_str()).collect();
            let allow = names.join(", ");
            Problem::new(Code::MethodNotAllowed, format!("use one of {allow}"))
                .header(header::ALLOW, crate::headers::value(allow))
        })
    }

    fn matches(&self, path: &str) -> bool {
        // Bytes: characters would be looked for at several times the cost, on the road of every request.
        let mut segments = path.as_bytes().split(|byte| *byte == b'/');
        for expected in self.pattern.as_bytes().split(|byte| *byte == b'/') {
            let Some(segment) = segments.next() else { return false };
            match expected {
                b"{key}" | b"{file}" => return true,
                [b'{', ..] => {}
                literal if is(segment, literal) => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

fn is(segment: &[u8], literal: &[u8]) -> bool {
    let decoded = || key_path::decode(str::from_utf8(segment).ok()?);
    segment == literal
        || (segment.contains(&b'%') && decoded().is_some_and(|bytes| *bytes == *literal))
}

/// The place in [`RESOURCES`] of the resource at a raw path.
pub(crate) fn find(path: &str) -> Option<usize> {
    RESOURCES.iter().position(|resource| resource.matches(path))
}

/// Registers everything that is served: the only place where that is done.
pub fn routes(site: Arc<Site>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        config.default_service(fn_service(move |request| edge::serve(Arc::clone(&site), request)));
    }
}

/// Leads a request to its handler.
///
/// # Errors
/// What the handler refused.
pub(crate) async fn answer(
    endpoint: Endpoint,
    exchange: &Exchange,
    payload: &mut Incoming,
) -> Result<HttpResponse, Problem> {
    match endpoint {
        Endpoint::GetKey => kv::get(exchange).await,
        Endpoint::PutKey => kv::put(exchange, payload).await,
        Endpoint::DeleteKey => kv::delete(exchange).await,
        Endpoint::TouchKey => touch::touch(exchange, payload).await,
        // Large beside the others, and boxed: the future of every request is as large as the largest that is not.
        Endpoint::ListKeys => Box::pin(list::list(exchange)).await,
        Endpoint::DeletePrefix => Box::pin(prefix::delete(exchange)).await,
        Endpoint::Batch => Box::pin(batch::batch(exchange, payload)).await,
        Endpoint::Stores => stores::all(exchange),
        Endpoint::MakeStore => Box::pin(stores::make(exchange, payload)).await,
        Endpoint::DropStore => Box::pin(stores::remove(exchange)).await,
        Endpoint::StoreStats => stores::one(exchange),
        Endpoint::Changes => Box::pin(changes::changes(exchange)).await,
        Endpoint::Convergence => convergence::convergence(exchange),
        Endpoint::Differing => Box::pin(convergence::differing(exchange)).await,
        Endpoint::Receipts => receipts::receipts(exchange),
        Endpoint::Node => node::node(exchange),
        Endpoint::Cluster => cluster::cluster(exchange),
        Endpoint::AddPeer => Box::pin(peers::add(exchange, payload)).await,
        Endpoint::ForgetPeer => Box::pin(peers::forget(exchange)).await,
        Endpoint::FullSync => Box::pin(operations::full_sync(exchange)).await,
        Endpoint::Operations => operations::all(exchange),
        Endpoint::Operation => Box::pin(operations::one(exchange)).await,
        Endpoint::Persist => Box::pin(persist::persist(exchange)).await,
        Endpoint::Compact => operations::compact(exchange),
        Endpoint::SaveSnapshot => snapshot::save(exchange),
        Endpoint::LoadSnapshot => Box::pin(snapshot::load(exchange, payload)).await,
        Endpoint::LogLevel => Box::pin(admin::log_level(exchange, payload)).await,
        Endpoint::Drain => admin::drain(exchange),
        Endpoint::Live => health::live(exchange),
        Endpoint::Ready => health::ready(exchange),
        Endpoint::Metrics => health::metrics(exchange),
        Endpoint::OpenApi => openapi::openapi(exchange),
        Endpoint::Root => node::root(exchange),
        Endpoint::Stream => stream::stream(exchange),
        Endpoint::Console => pages::file(exchange),
        Endpoint::ConsoleDoor => pages::door(exchange),
    }
}

/// A JSON answer about the present moment: never to be kept by a cache.
///
/// # Errors
/// 500 when the view has no JSON form, which is a mistake in this crate.
pub(crate) fn json(view: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(view).map_err(|error| internal(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body))
}

/// A failure that is ours: logged here, and told to nobody else.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "a request could not be answered");
    Problem::new(Code::Internal, "try again; the request id finds the cause in the node's log")
}

#[cfg(test)]
#[path = "routes_test.rs"]
mod tests;

//! One request as its handler sees it, and the checks that every handler begins with.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use gridkv_actors::handle::StoreHandle;
use gridkv_protocol::Key;

use crate::access::Caller;
use crate::key_path;
use crate::metrics::StoreTimers;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Role;
use crate::routes::Endpoint;
use crate::site::Site;

/// A request on its way to an answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The node and the limits.
    pub(crate) site: Arc<Site>,
    /// Method, path and headers.
    pub(crate) request: HttpRequest,
    /// The id that the answer will carry.
    pub(crate) request_id: HeaderValue,
    /// Who sends it.
    pub(crate) caller: Caller,
}

/// A store and the measurements of what is done with it.
#[derive(Clone)]
pub(crate) struct StoreDoor {
    /// The store.
    pub(crate) handle: StoreHandle,
    /// How long its operations take.
    pub(crate) timers: Arc<StoreTimers>,
}

impl Exchange {
    /// The path as it was sent.
    pub(crate) fn path(&self) -> &str {
        self.request.path()
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// Goes on only if the sender may do what `role` may.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        if self.caller.has(role) { Ok(()) } else { Err(self.site.operating.access.forbidden(role)) }
    }

    /// The store in the path.
    ///
    /// # Errors
    /// 404 `store_not_found`.
    pub(crate) fn store(&self) -> Result<StoreDoor, Problem> {
        self.store_named(&self.store_name())
    }

    /// The name of the store in the path, which need not be that of one.
    pub(crate) fn store_name(&self) -> Cow<'_, str> {
        let segment = key_path::store_segment(self.path());
        if segment.contains('%') {
            let decoded = key_path::decode(segment).unwrap_or_default();
            Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
        } else {
            Cow::Borrowed(segment)
        }
    }

    /// A store by its name.
    ///
    /// # Errors
    /// 404 `store_not_found`.
    pub(crate) fn store_named(&self, name: &str) -> Result<StoreDoor, Problem> {
        let handle = self.site.node.store(name).ok_or_else(|| store_not_found(name))?;
        let timers = self.site.metrics.timers(handle.name());
        Ok(StoreDoor { handle, timers })
    }

    /// The key in the path.
    ///
    /// # Errors
    /// 400 `invalid_key`.
    pub(crate) fn key(&self) -> Result<Key, Problem> {
        key_path::key(self.path(), self.site.config.max_key_bytes)
    }

    /// The query, as the endpoint knows its parameters.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn query(&self, endpoint: Endpoint) -> Result<Query<'_>, Problem> {
        Query::parse(self.request.query_string(), endpoint.query())
    }
}

/// There is no store of this name.
pub(crate) fn store_not_found(name: &str) -> Problem {
    Problem::new(Code::StoreNotFound, "GET /v1/stores lists the stores of this node")
        .with("store", name)
}

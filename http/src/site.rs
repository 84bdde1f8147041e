//! What every request sees: the node, the limits, the metrics. One for all workers of a server.

use std::io;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use gridkv_actors::node::NodeHandle;

use crate::config::HttpConfig;
use crate::headers;
use crate::metrics::Metrics;
use crate::operating::Operating;
use crate::request_id::RequestIds;
use crate::ticks::Ticks;
use crate::watchers::Watchers;

/// A node as it is served over HTTP.
#[derive(Debug)]
pub struct Site {
    /// The node.
    pub(crate) node: NodeDoor,
    /// The limits.
    pub(crate) config: HttpConfig,
    /// What operators see and steer.
    pub(crate) operating: Operating,
    /// Open streams and long polls.
    pub(crate) watchers: Watchers,
    /// When those who follow the node are told of it.
    pub(crate) ticks: Ticks,
    /// What this room counts.
    pub(crate) metrics: Metrics,
    /// The maker of request ids.
    pub(crate) request_ids: RequestIds,
    /// The value of `GridKV-Node`.
    pub(crate) node_header: HeaderValue,
}

impl Site {
    /// Serves `node` within the limits of `config`, to those whom `operating` lets in.
    ///
    /// # Errors
    /// When the metrics can not be registered, which is a mistake in this crate.
    pub fn new(
        node: NodeHandle,
        config: HttpConfig,
        operating: Operating,
    ) -> io::Result<Arc<Self>> {
        let metrics = Metrics::new(&node, &operating).map_err(io::Error::other)?;
        let node_header = headers::value(node.name());
        let request_ids = RequestIds::new();
        Ok(Arc::new(Self {
            node: NodeDoor(node),
            config,
            operating,
            watchers: Watchers::default(),
            ticks: Ticks::new(),
            metrics,
            request_ids,
            node_header,
        }))
    }
}

/// The node's handle, which has nothing to show in a log.
#[derive(Clone)]
pub(crate) struct NodeDoor(NodeHandle);

impl std::ops::Deref for NodeDoor {
    type Target = NodeHandle;
    fn deref(&self) -> &NodeHandle {
        &self.0
    }
}

impl std::fmt::Debug for NodeDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeHandle")
    }
}

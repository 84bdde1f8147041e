//! The server on its socket: workers, connections, deadlines, and the way it stops.
//!
//! HTTP/1.1 without encryption; signals are the composing binary's, which ends the server by its
//! handle (a shutdown future would stop the whole actix system with it, and the stores' actors live
//! there). Nothing is compressed: a strong `ETag` names bytes.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use actix_web::dev::Server;
use actix_web::{App, HttpServer};
use gridkv_actors::node::NodeHandle;
use serde_json::Value as Json;

use crate::config::HttpConfig;
use crate::routes::routes;
use crate::site::Site;

/// How long a connection is read on after an answer that came before its request's body did, so that
/// the client sees the answer and no reset.
const LINGER: Duration = Duration::from_secs(5);

/// Serves `node` on `listener` until the server's handle stops it.
///
/// `effective_config` is shown at `/v1/node` as it is. The server runs when it is awaited.
///
/// # Errors
/// When the listener can not be used.
pub fn server(
    node: NodeHandle,
    config: HttpConfig,
    listener: TcpListener,
    effective_config: Json,
) -> io::Result<Server> {
    let workers = workers(&config);
    let (keep_alive, head_timeout) = (config.keep_alive, config.head_timeout);
    let shutdown_seconds = whole_seconds(config.shutdown_timeout);
    let connections_each = config.max_connections.div_ceil(workers).max(1);
    let site = Site::new(node, config, effective_config)?;
    let app = move || App::new().configure(routes(Arc::clone(&site)));
    let server = HttpServer::new(app)
        .workers(workers)
        .max_connections(connections_each)
        .keep_alive(keep_alive)
        .client_request_timeout(head_timeout)
        .client_disconnect_timeout(LINGER)
        .tcp_nodelay(true)
        .shutdown_timeout(shutdown_seconds)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

fn workers(config: &HttpConfig) -> usize {
    match config.workers {
        0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        some => some,
    }
}

/// Rounded up: a deadline is never shorter than what was asked for.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_secs(25)), 25);
        assert_eq!(whole_seconds(Duration::from_millis(25_001)), 26);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }

    #[test]
    fn no_number_of_workers_is_one_per_core() {
        assert!(workers(&HttpConfig::default()) >= 1);
        assert_eq!(workers(&HttpConfig { workers: 3, ..HttpConfig::default() }), 3);
    }
}

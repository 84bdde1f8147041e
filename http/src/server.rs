//! The server on its socket: workers, connections, deadlines, and the way it stops.
//!
//! HTTP/1.1, plain or inside TLS; signals are the composing binary's, which ends the server by its
//! handle (a shutdown future would stop the whole actix system with it, and the stores' actors live
//! there). Nothing is compressed: a strong `ETag` names bytes.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive};
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use gridkv_actors::node::NodeHandle;
use socket2::SockRef;

use crate::config::HttpConfig;
use crate::connection::{Connection, Patience};
use crate::operating::Operating;
use crate::progress::Closing;
use crate::routes::routes;
use crate::site::Site;
use crate::socket::Socket;
use crate::tls::HttpTls;

/// How long a connection is read on after an answer that came before its request's body did, so that
/// the client sees the answer and no reset.
const LINGER: Duration = Duration::from_secs(5);

/// How long a request still waits, for a peer or for news, whose client has said all that it will say: one
/// that only closed its side gets an answer that comes soon, and one that is gone does not keep its place.
const HALF_CLOSED: Duration = Duration::from_secs(1);

/// Bytes of an answer that the system takes ahead of what it can send. By itself it takes megabytes, for each client
/// that does not read.
const UNSENT_BYTES: u32 = 128 << 10;

/// Serves `node` on `listener` until the server's handle stops it, and lets requests in flight end.
///
/// Who may do what is as `operating` says at each moment. The server runs when it is awaited.
///
/// # Errors
/// When the listener can not be used.
pub fn server(
    node: NodeHandle,
    config: HttpConfig,
    listener: TcpListener,
    operating: Operating,
) -> io::Result<Server> {
    let workers = workers(&config);
    let connections_each = config.max_connections.div_ceil(workers).max(1);
    let shutdown_seconds = whole_seconds(config.shutdown_timeout);
    let patience = Patience {
        head: config.head_timeout,
        keep_alive: config.keep_alive,
        write: config.body_timeout,
        linger: LINGER,
        half_closed: HALF_CLOSED,
    };
    let tls = operating.tls.clone();
    let site = Site::new(node, config, operating)?;
    let server = Server::build();
    let end = server.graceful_shutdown_signal();

    let worker = move || {
        let (closing, end) = (Arc::new(Closing::default()), end.clone());
        let said = Arc::clone(&closing);
        spawn(async move {
            end.notified().await;
            said.say();
        });
        let app = App::new().configure(routes(Arc::clone(&site)));
        let http = HttpService::build()
            // The connection has its own deadlines, for every head and between requests.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.progress());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        let tls = tls.clone();
        fn_service(move |stream| accept(stream, tls.clone(), patience, Arc::clone(&closing)))
            .and_then(http)
    };
    let server = server
        .workers(workers)
        .max_concurrent_connections(connections_each)
        .shutdown_timeout(shutdown_seconds)
        .disable_signals()
        .listen("http", listener, worker)?;
    Ok(server.run())
}

/// A connection, after the handshake if there is to be one, and the address of its client, as the framework wants
/// them. Meanwhile it counts as open.
async fn accept(
    stream: TcpStream,
    tls: Option<HttpTls>,
    patience: Patience,
    closing: Arc<Closing>,
) -> Result<(Connection, Option<SocketAddr>), DispatchError> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    let peer = stream.peer_addr().ok();
    let socket = match tls {
        None => Socket::Plain(stream),
        Some(tls) => tls.accept(stream).await.inspect_err(|error| {
            tracing::debug!(?peer, %error, "a client did not come through the TLS handshake");
        })?,
    };
    Ok((Connection::new(socket, patience, closing), peer))
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

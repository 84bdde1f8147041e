//! The composition root: the boot story from top to bottom, then the end story in reverse.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gridkv_actors::Registry;
use gridkv_actors::gate::GateLimits;
use gridkv_actors::identity;
use gridkv_actors::node::NodeHandle;
use gridkv_actors::peer_security::PeerSecurity;
use gridkv_actors::runtime::{Failure, Node, NodeConfig, StartError, StoreSetup};
use gridkv_http::HostNames;
use gridkv_protocol::StoreName;
use gridkv_protocol::store_name::StoreNameError;
use tokio::net::TcpSocket;

use crate::config::{Config, ConfigError, Loaded};
use crate::made_stores::{MadeStores, MadeStoresError};
use crate::operating::{NotShown, Operated};
use crate::service_manager::ServiceManager;
use crate::signals::{self, Signals};
use crate::store_setup::setup;
use crate::telemetry::Switch;
use crate::tls::Tls;
use crate::{banner, data_dir, exposure, tls};

/// How long a stopping node waits for its peers to take what it wrote.
const GRACE: Duration = Duration::from_secs(3);
/// How long a node whose actor died tries to save what the others hold.
const LAST_BREATH: Duration = Duration::from_millis(500);
/// Bytes in flight to one store, for each write that may be.
const BYTES_PER_WRITE: u64 = 64 * 1_024;

/// Why a node did not run to an orderly end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A port can not be had.
    #[error("can not listen on {addr} ({key}); another process may have the port")]
    Listen {
        /// Which address.
        addr: SocketAddr,
        /// Which setting.
        key: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A store has a name that can not be one.
    #[error(transparent)]
    StoreName(#[from] StoreNameError),
    /// The stores that were made over HTTP can not be had.
    #[error(transparent)]
    MadeStores(#[from] MadeStoresError),
    /// The node can not start.
    #[error("can not start")]
    Start(#[from] StartError),
    /// Signals or the HTTP server can not be set up.
    #[error("can not start to serve")]
    Serve(#[source] io::Error),
    /// The effective configuration can not be shown.
    #[error(transparent)]
    Shown(#[from] NotShown),
    /// Something that the node can not do without failed.
    #[error("the node can not go on: {0}")]
    Failed(String),
    /// A store could not be brought to the disk at the end.
    #[error("not everything could be saved: {0}")]
    Unsaved(String),
}

/// Runs a node until a signal ends it. `read` gives the configuration as it is at that moment.
///
/// # Errors
/// [`RunError`] when it does not start, fails while it runs, or can not save everything at its end.
pub(crate) async fn run<R>(
    loaded: &Loaded,
    registry: &Registry,
    (log, tls): (Switch, Tls),
    read: R,
) -> Result<(), RunError>
where
    R: Fn() -> Result<Loaded, ConfigError> + Send + 'static,
{
    let config = &loaded.config;
    identity::look(config.node.data_dir.as_deref()).map_err(StartError::from)?;
    data_dir::warn_of_another(loaded, Path::new("."));
    let mut signals = Signals::catch().map_err(RunError::Serve)?;
    let hangups = Signals::hangups().map_err(RunError::Serve)?;
    let http = listen(config.http.listen, "http.listen")?;
    let peers = listen(config.peers.listen, "peers.listen")?;
    let advertise = advertised(config, &peers)?;
    let made = MadeStores::read(loaded, registry)?;
    let node = Node::start(
        node_config(config, advertise.clone(), made, tls.peers.clone())?,
        registry,
        peers,
    )?;
    for warning in node.warnings() {
        tracing::warn!("{warning}");
    }
    let addr = http.local_addr().map_err(RunError::Serve)?;
    banner::show(config, node.handle(), addr, &advertise);

    let Operated { operating, reloader, exposed } =
        Operated::new(loaded, log, (&tls, node.handle()), read)?;
    let server = gridkv_http::server(node.handle().clone(), http_config(config), http, operating)
        .map_err(RunError::Serve)?;
    actix_rt::spawn(signals::reload_when_told(hangups, reloader));
    actix_rt::spawn(exposure::remind(exposed));
    actix_rt::spawn(tls::watch(tls, node.handle().clone()));
    let http = server.handle();
    let mut server = actix_rt::spawn(server);
    let manager = service_manager(node.handle());

    let failure = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping");
            None
        }
        reason = node.failed() => Some(reason),
        ended = &mut server => Some(Failure {
            reason: match ended {
                Ok(Err(error)) => format!("the HTTP server failed: {error}"),
                Ok(Ok(())) | Err(_) => "the HTTP server ended".into(),
            },
            hands_over: false,
        }),
    };
    if let Some(Failure { reason, hands_over }) = failure {
        let grace = if hands_over { GRACE } else { Duration::ZERO };
        let saved = tokio::time::timeout(LAST_BREATH + grace, node.stop(grace)).await;
        tracing::error!(%reason, saved = saved.is_ok(), "the node can not go on");
        return Err(RunError::Failed(reason));
    }
    signals.end_at_the_next();
    if let Some(manager) = manager {
        manager.stopping();
    }
    // Not ready first; then requests in flight end; then peers get what is left; then the disk.
    node.drain();
    http.stop(true).await;
    tracing::info!("HTTP has stopped");
    let unsaved = node.stop(GRACE).await;
    if unsaved.is_empty() {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(RunError::Unsaved(unsaved.join("; ")))
    }
}

/// Who started the node, told of it from now on, if anybody wants to be.
fn service_manager(node: &NodeHandle) -> Option<Rc<ServiceManager>> {
    let found = ServiceManager::of(|name| std::env::var_os(name)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the service manager of NOTIFY_SOCKET can not be told of this node");
        None
    });
    let manager = Rc::new(found?);
    manager.follow(node.clone());
    Some(manager)
}

/// Connections that the system makes ahead of this process: clients that all come back at once.
const BACKLOG: u32 = 1_024;

/// Listens, on the actix system that runs. The standard library would leave room for 128.
fn listen(addr: SocketAddr, key: &'static str) -> Result<TcpListener, RunError> {
    let listen = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?; // a node that is started again need not wait for its old connections
        socket.bind(addr)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listen().map_err(|source| RunError::Listen { addr, key, source })
}

/// The address that peers dial: as configured, else what the listener really got.
fn advertised(config: &Config, peers: &TcpListener) -> Result<String, RunError> {
    match &config.peers.advertise {
        Some(addr) => Ok(addr.to_string()),
        None => Ok(peers.local_addr().map_err(RunError::Serve)?.to_string()),
    }
}

fn node_config(
    config: &Config,
    advertise: String,
    made: MadeStores,
    security: PeerSecurity,
) -> Result<NodeConfig, RunError> {
    let (setups, configured) = made.setups()?;
    for store in configured {
        tracing::warn!(%store, "it was made over HTTP, and the configuration names it now: that holds");
    }
    let writes = u64::try_from(config.http.max_in_flight).unwrap_or(u64::MAX);
    let peers = &config.peers;
    Ok(NodeConfig {
        name: config.node.name.clone(),
        cluster: config.node.cluster.clone(),
        data_dir: config.node.data_dir.clone(),
        spool_dir: spool_dir(config),
        advertise,
        seeds: peers.seeds.iter().map(ToString::to_string).collect(),
        bootstrap: peers.bootstrap,
        heartbeat: peers.heartbeat_interval,
        suspect_after: peers.suspect_after,
        down_after: peers.down_after,
        max_clock_skew: peers.max_clock_skew,
        max_frame_bytes: peers.max_frame_bytes,
        max_queue_bytes: peers.max_queue_bytes,
        security,
        gate: GateLimits {
            ops: writes
                .saturating_mul(u64::try_from(config.http.max_batch_ops).unwrap_or(1))
                .min(MAX_OPS_IN_FLIGHT)
                .max(writes),
            bytes: writes.saturating_mul(BYTES_PER_WRITE),
        },
        stores: stores(config)?.into_iter().chain(setups).collect(),
        ledger: Some(Arc::new(made)),
    })
}

/// Where uploads wait: beside the stores, or where the system keeps what is temporary.
fn spool_dir(config: &Config) -> PathBuf {
    config.node.data_dir.as_ref().map_or_else(std::env::temp_dir, |dir| dir.join("spool"))
}

/// Ops in flight to one store, at most, when they come in batches.
const MAX_OPS_IN_FLIGHT: u64 = 65_536;

fn stores(config: &Config) -> Result<Vec<StoreSetup>, StoreNameError> {
    let stores = config.stores.iter();
    stores.map(|(name, store)| Ok(setup(StoreName::new(name)?, store, false))).collect()
}

fn http_config(config: &Config) -> gridkv_http::HttpConfig {
    let http = &config.http;
    gridkv_http::HttpConfig {
        host_names: config.own_names().map_or(HostNames::Any, HostNames::Own),
        workers: http.workers.map_or(0, std::num::NonZero::get),
        max_value_bytes: http.max_value_bytes,
        max_key_bytes: http.max_key_bytes,
        max_batch_ops: http.max_batch_ops,
        max_body_bytes: http.max_body_bytes,
        max_connections: http.max_connections,
        max_in_flight: http.max_in_flight,
        max_watchers: http.max_watchers,
        head_timeout: http.head_timeout,
        body_timeout: http.body_timeout,
        keep_alive: http.keep_alive,
        shutdown_timeout: http.shutdown_timeout,
    }
}

//! A real node of one, with stores on memory and on files, on ports that the system chose.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::rt::{System, spawn};
use gridkv_actors::gate::GateLimits;
use gridkv_actors::peer_security::PeerSecurity;
use gridkv_actors::runtime::{Node, NodeConfig, StoreSetup};
use gridkv_actors::settings::Settings;
use gridkv_actors::{Registry, StoreConfig};
use gridkv_http::access::Exposed;
use gridkv_http::certificates::Certificates;
use gridkv_http::log_control::{LogError, LogLevel};
use gridkv_http::tls::HttpTls;
use gridkv_http::{Access, Build, HttpConfig, LogControl, Operating, ShownConfig};
use gridkv_protocol::StoreName;
use tokio::sync::oneshot;

use crate::client::{Answer, Client};
use crate::ledger;

/// A node that is served until this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// Tells it to stop, and whether to let go first of who waits for others.
    stop: Option<oneshot::Sender<bool>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves a node that is ready.
pub(crate) fn serve(config: HttpConfig) -> Served {
    serve_to(config, everyone())
}

/// Serves a node that is ready to those who are let in.
pub(crate) fn serve_to(config: HttpConfig, access: Access) -> Served {
    ready(serve_as_it_is(config, vec![], None, operating(access)))
}

/// Serves a node that is ready, whose uploads wait in this directory.
pub(crate) fn serve_spooling(spool: &Path) -> Served {
    let spool = Some(spool.to_owned());
    ready(serve_as_it_is(HttpConfig::default(), vec![], spool, operating(everyone())))
}

fn everyone() -> Access {
    Access::new(vec![], Exposed::default())
}

fn ready(served: Served) -> Served {
    for _ in 0..1_000 {
        if served.get("/readyz").status == 200 {
            return served;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not ready: {:?}", served.get("/readyz"));
}

/// Serves a node that waits for a seed that is not there: it never is ready.
pub(crate) fn serve_unready() -> Served {
    serve_unready_to(everyone())
}

/// The same, to those who are let in.
pub(crate) fn serve_unready_to(access: Access) -> Served {
    serve_as_it_is(HttpConfig::default(), vec!["127.0.0.1:1".to_owned()], None, operating(access))
}

/// Serves a node inside TLS. It may not be ready yet.
pub(crate) fn serve_in_tls(config: HttpConfig, tls: HttpTls, certificates: Certificates) -> Served {
    let operating = Operating { tls: Some(tls), certificates, ..operating(everyone()) };
    serve_as_it_is(config, vec![], None, operating)
}

/// What a node is served with to those who are let in.
fn operating(access: Access) -> Operating {
    Operating {
        shown: ShownConfig::new(serde_json::json!({"node": {"name": "n1"}})),
        log: log(),
        access,
        tls: None,
        certificates: Certificates::default(),
        build: Build { version: "0.0.1", revision: "abc", rustc: "1.0" },
    }
}

fn serve_as_it_is(
    config: HttpConfig,
    seeds: Vec<String>,
    spool: Option<PathBuf>,
    operating: Operating,
) -> Served {
    let (stop, stopped) = oneshot::channel::<bool>();
    let (report, address) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        System::new().block_on(async move {
            let directory = tempfile::tempdir().unwrap();
            let peers = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut config_of_node = node_config(directory.path(), &peers, seeds);
            config_of_node.spool_dir = spool.unwrap_or(config_of_node.spool_dir);
            let node = Node::start(config_of_node, &Registry::with_built_in(), peers).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            report.send(listener.local_addr().unwrap()).unwrap();
            let server =
                gridkv_http::server(node.handle().clone(), config, listener, operating).unwrap();
            let handle = server.handle();
            let running = spawn(server);
            if stopped.await.unwrap_or_default() {
                node.drain();
            }
            handle.stop(true).await;
            running.await.unwrap().unwrap();
            assert_eq!(node.stop(Duration::ZERO).await, Vec::<String>::new());
        });
    });
    let address = address.recv().unwrap();
    Served { address, stop: Some(stop), thread: Some(thread) }
}

/// A log that can not be silenced.
fn log() -> LogControl {
    LogControl::new(|level| match level {
        LogLevel::Error => Err(LogError("a secret".into())),
        LogLevel::Warn | LogLevel::Info | LogLevel::Debug | LogLevel::Trace => Ok(()),
    })
}

fn node_config(directory: &Path, peers: &TcpListener, seeds: Vec<String>) -> NodeConfig {
    NodeConfig {
        name: "n1".to_owned(),
        cluster: "test".to_owned(),
        data_dir: Some(directory.to_owned()),
        spool_dir: directory.join("spool"),
        advertise: peers.local_addr().unwrap().to_string(),
        seeds,
        bootstrap: false,
        heartbeat: Duration::from_millis(50),
        suspect_after: Duration::from_secs(2),
        down_after: Duration::from_secs(10),
        max_clock_skew: Duration::from_millis(500),
        max_frame_bytes: 4_194_304,
        max_queue_bytes: 16_777_216,
        security: PeerSecurity::Plain,
        gate: GateLimits { ops: 10_000, bytes: 64 << 20 },
        stores: vec![
            store("disk", "file", None, u64::MAX),
            store("main", "memory", None, u64::MAX),
            store("tiny", "memory", Some(60_000), 4_096),
        ],
        ledger: Some(Arc::new(ledger::InMemory::default())),
    }
}

pub(crate) fn store(
    name: &str,
    backend: &str,
    default_ttl_ms: Option<u64>,
    limit: u64,
) -> StoreSetup {
    StoreSetup {
        config: StoreConfig {
            name: StoreName::new(name).unwrap(),
            backend: backend.to_owned(),
            default_ttl_ms,
            memory_limit_bytes: Some(limit),
            refuse_over_limit: limit < u64::MAX,
            ring_slots: 1_024,
        },
        made: false,
        settings: Settings::default(),
        persist_interval: Some(Duration::from_secs(5)),
        log_bytes: 1 << 20,
        batch_max_ops: 512,
        batch_max_bytes: 1 << 20,
        flush_interval: Duration::from_millis(10),
    }
}

impl Served {
    /// A connection of its own.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.client().send(method, target, headers, body)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    pub(crate) fn put(&self, target: &str, body: &[u8]) -> Answer {
        self.send("PUT", target, &[], body)
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], b"")
    }

    /// Tells the server to stop.
    pub(crate) fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(false).unwrap_or_default();
        }
    }

    /// Tells the node to take no more writes, and the server to stop.
    pub(crate) fn tell_to_drain(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(true).unwrap_or_default();
        }
    }

    /// Waits until it has.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tell_to_stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

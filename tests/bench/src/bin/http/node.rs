//! A real node in this process: alone, ready, with one `memory` store.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use gridkv_actors::gate::GateLimits;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::runtime::{Node, NodeConfig, StoreSetup};
use gridkv_actors::settings::Settings;
use gridkv_actors::{Registry, StoreConfig};
use gridkv_http::HttpConfig;
use gridkv_protocol::StoreName;

/// Between two looks whether the node is ready.
const LOOK: Duration = Duration::from_millis(10);
/// Looks before it is given up.
const LOOKS: usize = 1_000;
/// Bytes that the store may hold.
const MEMORY_LIMIT_BYTES: u64 = 1 << 30;

/// A node and where it serves.
pub(crate) struct Served {
    /// Keeps it running.
    node: Node,
    /// Its HTTP address.
    pub(crate) addr: SocketAddr,
}

impl Served {
    /// Starts a node with the settings that `gridkv` has by default, and waits until it is ready.
    pub(crate) async fn start(workers: usize) -> Result<Self, Box<dyn Error>> {
        let peers = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let config = node_config(peers.local_addr()?.to_string())?;
        let node = Node::start(config, &Registry::with_built_in(), peers)?;
        let mut looks = 0;
        while !node.handle().readiness().ready {
            looks += 1;
            if looks == LOOKS {
                return Err(format!("not ready: {:?}", node.handle().readiness()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let http = HttpConfig { workers, ..HttpConfig::default() };
        let server =
            gridkv_http::server(node.handle().clone(), http, listener, serde_json::Value::Null)?;
        drop(actix_rt::spawn(server));
        Ok(Self { node, addr })
    }

    /// The door to its store.
    pub(crate) fn store(&self) -> Result<StoreHandle, Box<dyn Error>> {
        Ok(self.node.handle().store("main").cloned().ok_or("the node has no store")?)
    }
}

fn node_config(advertise: String) -> Result<NodeConfig, Box<dyn Error>> {
    let store = StoreSetup {
        config: StoreConfig {
            name: StoreName::new("main")?,
            backend: "memory".to_owned(),
            default_ttl_ms: None,
            memory_limit_bytes: Some(MEMORY_LIMIT_BYTES),
            refuse_over_limit: false,
            ring_slots: 8_192,
        },
        settings: Settings::default(),
        persist_interval: None,
        log_bytes: 64 << 20,
        batch_max_ops: 512,
        batch_max_bytes: 1 << 20,
        flush_interval: Duration::from_millis(10),
    };
    Ok(NodeConfig {
        name: "bench".to_owned(),
        cluster: "bench".to_owned(),
        data_dir: None,
        advertise,
        seeds: Vec::new(),
        bootstrap: true,
        heartbeat: Duration::from_millis(200),
        suspect_after: Duration::from_secs(2),
        down_after: Duration::from_secs(10),
        max_clock_skew: Duration::from_millis(500),
        max_frame_bytes: 4 << 20,
        max_queue_bytes: 16 << 20,
        gate: GateLimits { ops: 65_536, bytes: 64 << 20 },
        stores: vec![store],
    })
}

//! A real node in this process: alone, ready, with one store.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use gridkv_actors::gate::GateLimits;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::peer_security::PeerSecurity;
use gridkv_actors::runtime::{Node, NodeConfig, StoreSetup};
use gridkv_actors::settings::Settings;
use gridkv_actors::{Registry, StoreConfig};

/// Between two looks whether the node is ready.
const LOOK: Duration = Duration::from_millis(10);
/// Looks before it is given up.
const LOOKS: usize = 1_000;

/// Starts a node with the settings that `gridkv` has by default, and waits until it is ready. Needs an
/// actix system that runs.
///
/// # Errors
/// When it can not start, or does not get ready.
pub async fn start(
    store: StoreConfig,
    registry: &Registry,
    data_dir: Option<PathBuf>,
) -> Result<Node, Box<dyn Error>> {
    let peers = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let config = node_config(store, peers.local_addr()?.to_string(), data_dir);
    let node = Node::start(config, registry, peers)?;
    let mut looks = 0;
    while !node.handle().readiness().ready {
        looks += 1;
        if looks == LOOKS {
            return Err(format!("not ready: {:?}", node.handle().readiness()).into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(node)
}

/// The door to a node's store `main`.
///
/// # Errors
/// When it has none.
pub fn store(node: &Node) -> Result<StoreHandle, Box<dyn Error>> {
    Ok(node.handle().store("main").ok_or("the node has no store")?)
}

fn node_config(store: StoreConfig, advertise: String, data_dir: Option<PathBuf>) -> NodeConfig {
    let persist_interval = data_dir.as_ref().map(|_| Duration::from_secs(5));
    let store = StoreSetup {
        config: store,
        made: false,
        settings: Settings::default(),
        persist_interval,
        log_bytes: 64 << 20,
        batch_max_ops: 512,
        batch_max_bytes: 1 << 20,
        flush_interval: Duration::from_millis(10),
    };
    NodeConfig {
        name: "bench".to_owned(),
        cluster: "bench".to_owned(),
        data_dir,
        spool_dir: std::env::temp_dir(),
        advertise,
        seeds: Vec::new(),
        bootstrap: true,
        heartbeat: Duration::from_millis(200),
        suspect_after: Duration::from_secs(2),
        down_after: Duration::from_secs(10),
        max_clock_skew: Duration::from_millis(500),
        max_frame_bytes: 4 << 20,
        max_queue_bytes: 16 << 20,
        security: PeerSecurity::Plain,
        gate: GateLimits { ops: 65_536, bytes: 64 << 20 },
        stores: vec![store],
        ledger: None,
    }
}

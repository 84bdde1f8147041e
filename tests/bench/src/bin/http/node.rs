//! A real node in this process, served over HTTP: alone, ready, with one `memory` store.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use gridkv_actors::Registry;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::runtime::Node;
use gridkv_bench::engine::Engine;
use gridkv_bench::node;
use gridkv_http::access::Exposed;
use gridkv_http::certificates::Certificates;
use gridkv_http::{Access, Build, HttpConfig, LogControl, Operating, ShownConfig};

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
        let config = Engine::Memory.config()?;
        let node = node::start(config, &Registry::with_built_in(), None).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let http = HttpConfig { workers, ..HttpConfig::default() };
        let server = gridkv_http::server(
            node.handle().clone(),
            http,
            listener,
            Operating {
                shown: ShownConfig::new(serde_json::Value::Null),
                log: LogControl::fixed(),
                access: Access::new(Vec::new(), Exposed::default()),
                tls: None,
                certificates: Certificates::default(),
                build: Build { version: "", revision: "", rustc: "" },
            },
        )?;
        drop(actix_rt::spawn(server));
        Ok(Self { node, addr })
    }

    /// The door to its store.
    pub(crate) fn store(&self) -> Result<StoreHandle, Box<dyn Error>> {
        node::store(&self.node)
    }
}

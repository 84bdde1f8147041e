//! Nodes with many stores.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::connection::Connection;
use gridkv_bench::process::Process;
use gridkv_cluster::{Cluster, Deadline, wait_for};
use tempfile::TempDir;

/// The stores of each node, on every backend.
pub(crate) const STORES: [&str; 7] = [
    "main=memory",
    "more=memory",
    "disk=file",
    "log=file",
    "hot=moka",
    "big=fjall",
    "scratch=fjall-memory",
];

/// How long nodes may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// Nodes that know each other, in a directory that goes with them.
pub(crate) struct Nodes {
    cluster: Cluster,
    _directory: TempDir,
}

impl Nodes {
    /// Starts them, and waits until they see each other.
    pub(crate) fn start(gridkv: &Path, nodes: u16) -> Result<Self, Box<dyn Error>> {
        let directory = TempDir::new()?;
        let cluster = Cluster::builder(gridkv, directory.path())
            .nodes(nodes)
            .stores(STORES)
            .env("GRIDKV_LOG__LEVEL", "warn")
            .start()?;
        let deadline = Deadline::after(PATIENCE);
        cluster.wait_ready(deadline)?;
        for node in cluster.nodes() {
            let client = node.client();
            wait_for(deadline, format!("{} to see its peers", node.name()), || {
                let states = client.peer_states().ok()?;
                let up = states.iter().filter(|(_, state)| state == "up").count();
                (up + 1 == usize::from(nodes)).then_some(())
            })?;
        }
        Ok(Self { cluster, _directory: directory })
    }

    /// Where a node serves, counted from 1.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.cluster.node(number).address().http).into()
    }

    /// The process of a node, counted from 1.
    pub(crate) fn process(&self, number: usize) -> Result<Process, Box<dyn Error>> {
        let pid = self.cluster.node(number).pid().ok_or("the node has ended")?;
        Ok(Process::new(pid))
    }

    /// Puts so many keys into every store.
    pub(crate) async fn fill(&self, keys: usize) -> Result<(), Box<dyn Error>> {
        let mut connection = Connection::open(self.address(1)).await?;
        for store in STORES.iter().filter_map(|store| store.split('=').next()) {
            for body in bulk::bodies(0..keys)? {
                let path = format!("/v1/stores/{store}/batch");
                let answer = connection.post(&path, &body, "application/json").await?;
                if answer.status != 200 {
                    return Err(format!("a batch was answered {}", answer.status).into());
                }
            }
        }
        Ok(())
    }

    /// Stops all in order.
    pub(crate) fn stop(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.cluster.stop(PATIENCE)?)
    }
}

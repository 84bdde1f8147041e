//! Three nodes as processes, in a directory that goes with them.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use gridkv_cluster::{Client, Cluster, Deadline, wait_for};
use tempfile::TempDir;

/// How long nodes may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three nodes that see each other.
pub(crate) struct Nodes {
    cluster: Cluster,
    /// Removed when the nodes are gone.
    _directory: TempDir,
}

impl Nodes {
    /// Starts them and waits until all are ready and see each other.
    pub(crate) fn start(binary: &Path) -> Result<Self, Box<dyn Error>> {
        let directory = TempDir::new()?;
        let cluster = Cluster::builder(binary, directory.path())
            .nodes(3)
            .stores(["main=memory"])
            .env("GRIDKV_LOG__LEVEL", "warn")
            .start()?;
        let deadline = Deadline::after(PATIENCE);
        cluster.wait_ready(deadline)?;
        for node in cluster.nodes() {
            let client = node.client();
            wait_for(deadline, format!("{} to see its peers", node.name()), || {
                let states = client.peer_states().ok()?;
                (states.iter().filter(|(_, state)| state == "up").count() == 2).then_some(())
            })?;
        }
        Ok(Self { cluster, _directory: directory })
    }

    /// Where they serve HTTP.
    pub(crate) fn addresses(&self) -> [SocketAddr; 3] {
        [1, 2, 3].map(|number| {
            let port = self.cluster.node(number).address().http;
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        })
    }

    /// Clients of them, for what is not measured.
    pub(crate) fn clients(&self) -> impl Iterator<Item = Client> {
        self.cluster.nodes().iter().map(gridkv_cluster::Node::client)
    }

    /// Stops them in order.
    pub(crate) fn stop(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.cluster.stop(PATIENCE)?)
    }
}

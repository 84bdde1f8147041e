//! Nodes as processes that know each other, in a directory that goes with them; behind proxies when their links are
//! to be bad.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use gridkv_chaos::{Fault, Gates, Link, Proxy, Weather};
use gridkv_cluster::{Client, Cluster, Deadline, Node, wait_for};
use tempfile::TempDir;

use crate::connection::Connection;
use crate::papers::{Inside, Papers};
use crate::process::Process;
use crate::workload;

/// How long nodes may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What nodes are to be started.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The node program.
    pub gridkv: &'a Path,
    /// How many.
    pub nodes: u16,
    /// The backend of their store `main`.
    pub backend: &'a str,
    /// Whether each is behind a proxy.
    pub proxies: bool,
    /// Settings of all of them, as variables of their environment.
    pub settings: &'a [(&'a str, &'a str)],
}

/// Nodes. Fields are dropped in this order: what leads to them last.
#[derive(Debug)]
pub struct Mesh {
    cluster: Arc<Cluster>,
    weather: Arc<Weather>,
    proxies: Vec<Proxy>,
    /// Removed when the nodes are gone.
    _directory: TempDir,
}

impl Plan<'_> {
    /// Starts all nodes, and waits until they are ready and see each other.
    ///
    /// # Errors
    /// When they do not get there.
    pub fn start(self) -> Result<Mesh, Box<dyn Error>> {
        self.start_with(None)
    }

    /// The same of nodes that have these papers, for what is to be inside TLS.
    ///
    /// # Errors
    /// As for [`Plan::start`].
    pub fn start_with(self, papers: Option<(&Papers, Inside)>) -> Result<Mesh, Box<dyn Error>> {
        let mesh = self.build_with(papers)?;
        mesh.cluster.nodes().iter().try_for_each(Node::start)?;
        let deadline = Deadline::after(PATIENCE);
        mesh.cluster.wait_ready(deadline)?;
        let others = usize::from(self.nodes) - 1;
        for node in mesh.cluster.nodes() {
            let client = node.client();
            wait_for(deadline, format!("{} to see its peers", node.name()), || {
                let states = client.peer_states().ok()?;
                (states.iter().filter(|(_, state)| state == "up").count() == others).then_some(())
            })?;
        }
        Ok(mesh)
    }

    /// Makes the nodes, and starts none. The first one forms the cluster, whether the others are there or not.
    ///
    /// # Errors
    /// When there are no ports for them.
    pub fn build(self) -> Result<Mesh, Box<dyn Error>> {
        self.build_with(None)
    }

    fn build_with(self, papers: Option<(&Papers, Inside)>) -> Result<Mesh, Box<dyn Error>> {
        let directory = TempDir::new()?;
        let gates = Gates::open(if self.proxies { self.nodes } else { 0 })?;
        let builder = Cluster::builder(self.gridkv, directory.path())
            .nodes(self.nodes)
            .stores([format!("main={}", self.backend)])
            .dialled_at(gates.ports())
            .node_args(1, ["--bootstrap"])
            .env("GRIDKV_LOG__LEVEL", "warn");
        let settings = self.settings.iter();
        let builder = settings.fold(builder, |builder, (name, value)| builder.env(name, value));
        let builder = match papers {
            Some((papers, inside)) => papers.give(builder, inside)?,
            None => builder,
        };
        let cluster = Arc::new(builder.build()?);
        let weather = Arc::new(Weather::default());
        let proxies = gates.lead_to(&cluster, &weather, 0)?;
        Ok(Mesh { cluster, weather, proxies, _directory: directory })
    }
}

impl Mesh {
    /// Node `number`, counted from 1.
    #[must_use]
    pub fn node(&self, number: usize) -> &Node {
        self.cluster.node(number)
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        self.cluster.nodes()
    }

    /// Where a node serves HTTP.
    #[must_use]
    pub fn address(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.node(number).address().http).into()
    }

    /// Where all do.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        (1..=self.nodes().len()).map(|number| self.address(number)).collect()
    }

    /// Clients of all, for what is not measured.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        self.nodes().iter().map(Node::client).collect()
    }

    /// The process of a node.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&self, number: usize) -> Result<Process, Box<dyn Error>> {
        let pid = self.node(number).pid().ok_or("a node does not run")?;
        Ok(Process::new(pid))
    }

    /// Processor time of all nodes.
    ///
    /// # Errors
    /// When one does not run.
    pub fn cpu(&self) -> Result<Duration, Box<dyn Error>> {
        (1..=self.nodes().len()).map(|number| Ok(self.process(number)?.cpu()?)).sum()
    }

    /// From now on the links that lead to or from these nodes have a fault; all others are clear. Nodes that are
    /// named together are cut off together: links between them are clear too.
    pub fn afflict(&self, nodes: &[u16], fault: Fault) {
        let count = u16::try_from(self.nodes().len()).unwrap_or(u16::MAX);
        let crosses = |link: &Link| nodes.contains(&link.from) != nodes.contains(&link.to);
        let links = Link::all(count).into_iter().filter(crosses);
        self.weather.set(links.map(|link| (link, fault)));
    }

    /// All links are clear.
    pub fn clear(&self) {
        self.weather.clear();
    }

    /// Stops all in order.
    ///
    /// # Errors
    /// When one does not end.
    pub fn stop(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.cluster.stop(PATIENCE)?)
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        // What is stalled has to notice that all is over.
        self.weather.clear();
        self.proxies.clear();
    }
}

/// Waits until all these nodes have everything that the writer of each version wrote up to it.
///
/// # Errors
/// When one does not within `patience`.
pub async fn arrival(
    nodes: &[SocketAddr],
    versions: &[&str],
    patience: Duration,
) -> io::Result<()> {
    let waits = nodes.iter().map(async |node| {
        let mut connection = Connection::open(*node).await?;
        for version in versions {
            let key = workload::key(0);
            let patience = patience.as_secs();
            let path = format!("/v1/kv/main/{key}?min_version={version}&timeout={patience}s");
            let answer = connection.get(&path).await?;
            if !answer.is_success() && answer.status != 404 {
                let refusal = format!("a read that waits was answered {}", answer.status);
                return Err(io::Error::other(refusal));
            }
        }
        Ok(())
    });
    try_join_all(waits).await.map(drop)
}

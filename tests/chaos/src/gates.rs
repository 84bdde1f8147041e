//! One proxy before every node of a cluster, which tells diallers apart by the process that holds a connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gridkv_cluster::{Cluster, Node, holds_connection};

use crate::proxy::{Gate, Proxy, WhoDials};
use crate::weather::Weather;

/// Proxies to be, the first node's first. Their ports go to [`gridkv_cluster::Builder::dialled_at`].
#[derive(Debug)]
pub struct Gates(Vec<Gate>);

impl Gates {
    /// Listens on so many free ports of 127.0.0.1.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn open(count: u16) -> io::Result<Self> {
        (0..count).map(|_| Gate::anywhere()).collect::<Result<_, _>>().map(Self)
    }

    /// What the nodes dial.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|gate| gate.address().port())
    }

    /// Begins to carry connections to the nodes, which need not run yet. The proxies keep none of them alive.
    ///
    /// # Errors
    /// When there is no thread for a proxy.
    pub fn lead_to(
        self,
        cluster: &Arc<Cluster>,
        weather: &Arc<Weather>,
        seed: u64,
    ) -> io::Result<Vec<Proxy>> {
        let nodes = (1..).zip(self.0).zip(cluster.nodes());
        let proxies = nodes.map(|((number, gate), node)| {
            let target = (Ipv4Addr::LOCALHOST, node.address().peers).into();
            let who = who_dials(cluster, gate.address());
            gate.lead_to((number, target), weather, seed, who)
        });
        proxies.collect()
    }
}

/// By the process that holds the connection. It may have ended meanwhile; then nobody dials.
fn who_dials(cluster: &Arc<Cluster>, proxy: SocketAddr) -> WhoDials {
    // Weak: proxies must not keep nodes alive.
    let cluster = Arc::downgrade(cluster);
    Box::new(move |from| {
        let cluster = cluster.upgrade()?;
        let holds = |node: &Node| {
            node.pid().is_some_and(|pid| holds_connection(pid, from.port(), proxy.port()))
        };
        (1..).zip(cluster.nodes()).find(|(_, node)| holds(node)).map(|(number, _)| number)
    })
}

//! The start banner: what runs where, as log lines that people and machines can read.

use std::net::SocketAddr;

use gridkv_actors::node::NodeHandle;

use crate::config::Config;

/// Logs what a node that just started is made of.
pub(crate) fn show(config: &Config, node: &NodeHandle, http: SocketAddr, peers: &str) {
    let origin = node.origin();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        name = node.name(),
        cluster = %config.node.cluster,
        identity = %origin.node(),
        epoch = origin.epoch().0,
        "gridkv"
    );
    if let Some(dir) = &config.node.data_dir {
        tracing::info!(dir = %dir.display(), "data directory");
    } else {
        tracing::info!("no data directory: nothing outlives this process");
    }
    for store in node.stores() {
        let stats = store.stats();
        tracing::info!(
            store = %store.name(),
            backend = store.backend(),
            keys = stats.key_count,
            persistent = stats.persistent,
            durability = %stats.durability,
            "store open"
        );
    }
    let seeds: Vec<String> = config.peers.seeds.iter().map(ToString::to_string).collect();
    tracing::info!(listen = peers, seeds = seeds.join(","), "peers");
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{http}");
    tracing::info!(url, console = %format_args!("{url}/console/"), "serving HTTP");
}

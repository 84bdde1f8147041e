//! Where each node listens, and the configuration that says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::{Host, InitError, NodePlan};

/// The ports of the first node on each host; those after it have the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// For clients.
    pub(crate) http: u16,
    /// For peers.
    pub(crate) peers: u16,
}

/// Where a node listens and is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    http: SocketAddr,
    peers: SocketAddr,
    /// The name by which others reach it, where that is not the address that it listens on.
    host: Option<String>,
}

impl Place {
    /// Where peers dial it.
    fn dialled(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}:{}", self.peers.port()),
            None => self.peers.to_string(),
        }
    }

    /// Where clients find it.
    pub(super) fn url(&self) -> String {
        match &self.host {
            Some(host) => format!("https://{host}:{}", self.http.port()),
            None => format!("https://{}", self.http),
        }
    }
}

/// A place for each node.
pub(super) fn places(nodes: &[NodePlan], ports: Ports) -> Result<Vec<Place>, InitError> {
    let mut on_host: BTreeMap<String, u16> = BTreeMap::new();
    let mut place = |node: &NodePlan| {
        let (ip, host) = match &node.host {
            None => (IpAddr::from(Ipv4Addr::LOCALHOST), None),
            Some(Host::Ip(ip)) => (*ip, None),
            Some(Host::Name(name)) => (IpAddr::from(Ipv4Addr::UNSPECIFIED), Some(name.clone())),
        };
        let before = on_host.entry(host.clone().unwrap_or_else(|| ip.to_string())).or_default();
        let port = |first: u16| first.checked_add(*before).ok_or(InitError::Ports(first));
        let (http, peers) = (port(ports.http)?, port(ports.peers)?);
        *before = before.saturating_add(1);
        let (http, peers) = (SocketAddr::new(ip, http), SocketAddr::new(ip, peers));
        Ok(Place { name: node.name.clone(), http, peers, host })
    };
    nodes.iter().map(&mut place).collect()
}

/// The configuration of the node at `place`.
pub(super) fn configuration<'a>(
    cluster: &str,
    place: &Place,
    others: impl Iterator<Item = &'a Place>,
    data: &Path,
) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let seeds: Vec<String> = others.map(|other| quoted(&other.dialled())).collect();
    let mut text = format!(
        "# Made by `gridkv init`. What is not here has its default: see `gridkv serve --help`.\n\
         # Files without a directory are taken from the directory of this file.\n\n\
         [node]\n\
         name = {}\n\
         cluster = {}\n\
         data_dir = {}\n\n\
         [http]\n\
         listen = \"{}\"\n\n\
         [http.tls]\n\
         cert = \"node.pem\"\n\
         key = \"node.key\"\n\n\
         [peers]\n\
         listen = \"{}\"\n",
        quoted(&place.name),
        quoted(cluster),
        quoted(&data.to_string_lossy()),
        place.http,
        place.peers
    );
    if place.host.is_some() {
        writeln!(text, "advertise = {}", quoted(&place.dialled())).unwrap_or_default();
    }
    write!(
        text,
        "seeds = [{}]\n\n\
         [peers.tls]\n\
         ca = \"ca.pem\"\n\
         cert = \"node.pem\"\n\
         key = \"node.key\"\n\
         allow = []                      # Names of nodes that may connect; [] = all that this authority knows.\n\n\
         [auth]\n\
         tokens_file = \"tokens.toml\"\n",
        seeds.join(", ")
    )
    .unwrap_or_default(); // a String takes all
    text
}

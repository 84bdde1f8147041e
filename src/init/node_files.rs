//! Where each node listens, and the configuration that says so.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Host, InitError, NodePlan};

/// The ports of the first node on each host, unless others are asked for.
const DEFAULT_PORTS: Ports = Ports { http: 7_400, peers: 7_500 };

/// The ports that are asked for, of the first node on each host; those after it have the next free ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// For clients.
    pub(crate) http: Option<u16>,
    /// For peers.
    pub(crate) peers: Option<u16>,
}

/// A node's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ports {
    /// For clients.
    http: u16,
    /// For peers.
    peers: u16,
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
    /// That of a node with these ports.
    pub(super) fn new(name: &str, host: Option<&Host>, ports: Ports) -> Self {
        let (ip, host) = match host {
            None => (IpAddr::from(Ipv4Addr::LOCALHOST), None),
            Some(Host::Ip(ip)) => (*ip, None),
            Some(Host::Name(name)) => (IpAddr::from(Ipv4Addr::UNSPECIFIED), Some(name.clone())),
        };
        let socket = |port| SocketAddr::new(ip, port);
        Self { name: name.to_owned(), http: socket(ports.http), peers: socket(ports.peers), host }
    }

    /// Its ports.
    pub(super) fn ports(&self) -> Ports {
        Ports { http: self.http.port(), peers: self.peers.port() }
    }

    /// Whether both can not be at once.
    fn collides(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.ports(), other.ports());
        let shared =
            [theirs.http, theirs.peers].iter().any(|p| [ours.http, ours.peers].contains(p));
        shared && (self.is_beside(other) || other.is_beside(self))
    }

    /// Whether it listens where the other one does, as far as that can be known.
    fn is_beside(&self, other: &Self) -> bool {
        match &self.host {
            Some(host) => other.host.as_ref().map_or_else(
                // A name of this machine listens at all of its addresses.
                || is_this_machine(host) && other.http.ip().is_loopback(),
                |theirs| host.eq_ignore_ascii_case(theirs),
            ),
            None => other.host.is_none() && self.http.ip() == other.http.ip(),
        }
    }

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

/// Whether a name means the machine that looks it up.
fn is_this_machine(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

impl Wanted {
    /// The ports of the first node on each host: those that are wanted, then those of the cluster's lowest, then ours.
    fn first(self, known: &[Place]) -> Result<Ports, InitError> {
        let theirs = known.iter().map(Place::ports).min_by_key(|ports| ports.http);
        let theirs = theirs.unwrap_or(DEFAULT_PORTS);
        let http = self.http.unwrap_or(theirs.http);
        let peers = self.peers.unwrap_or(theirs.peers);
        if http == peers { Err(InitError::SamePort(http)) } else { Ok(Ports { http, peers }) }
    }
}

/// A place for each of these nodes, beside those that are known.
pub(super) fn places(
    known: &[Place],
    nodes: &[NodePlan],
    wanted: Wanted,
) -> Result<Vec<Place>, InitError> {
    let ports = wanted.first(known)?;
    let mut all = known.to_vec();
    for node in nodes {
        let mut place = Place::new(&node.name, node.hosts.first(), ports);
        while all.iter().any(|other| place.collides(other)) {
            let next = |port: u16, first| port.checked_add(1).ok_or(InitError::Ports(first));
            let Ports { http, peers } = place.ports();
            let (http, peers) = (next(http, ports.http)?, next(peers, ports.peers)?);
            place = Place::new(&node.name, node.hosts.first(), Ports { http, peers });
        }
        all.push(place);
    }
    Ok(all.split_off(known.len()))
}

/// The configuration of the node at `place`.
pub(super) fn configuration<'a>(
    cluster: &str,
    place: &Place,
    others: impl Iterator<Item = &'a Place>,
) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let seeds: Vec<String> = others.map(|other| quoted(&other.dialled())).collect();
    let mut text = format!(
        "# Made by `gridkv init`. What is not here has its default: see `gridkv serve --help`.\n\
         # Paths are taken from the directory of this file, which may be moved: data_dir, too.\n\n\
         [node]\n\
         name = {}\n\
         cluster = {}\n\
         data_dir = \"data\"\n\n\
         [http]\n\
         listen = \"{}\"\n\n\
         [http.tls]\n\
         cert = \"node.pem\"\n\
         key = \"node.key\"\n\n\
         [peers]\n\
         listen = \"{}\"\n",
        quoted(&place.name),
        quoted(cluster),
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

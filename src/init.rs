//! `gridkv init`: an authority, certificates, tokens and a configuration for each node of a new cluster, so that
//! nobody has to know how certificates are made to have a cluster that is safe.
//!
//! It refuses to touch what is there: a directory is made whole or not at all, and only a certificate and its key
//! are ever replaced, by `--renew`, with new ones of the same authority. Every file is its owner's alone.
//!
//! CAVEATS: the authority's key lies unencrypted beside what it made; it belongs off the nodes. A renewed
//! certificate and its key are two renames: a node that starts between them refuses them, and starts the next time.

pub(crate) mod authority;
mod files;
mod node_files;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridkv_actors::peer_security::{Mutual, SecurityError};
use gridkv_http::rfc3339;
use gridkv_protocol::UnixMs;
use serde::{Deserialize, Serialize};

use authority::{Authority, AuthorityError};
pub(crate) use authority::{Days, Made, Names};
use files::Fresh;
pub(crate) use node_files::Ports;
use token::Token;

use crate::private_file::{self, PrivateFileError};

/// What there is for whom: a file of each of these roles.
const ROLES: [&str; 4] = ["admin", "write", "read", "metrics"];

/// Names that nodes can not have, because something else has them in the directory.
const TAKEN: [&str; 4] = ["ca.pem", "ca.key", "cluster.toml", "tokens"];

/// Characters of a node's or cluster's name, at most: a label of a certificate's name.
const MOST_NAME_LETTERS: usize = 63;

/// Why a cluster's files are not made, or a certificate is not renewed. Unless it says otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// A name that no node or cluster can have.
    #[error(
        "{0:?} is no name: use at most {MOST_NAME_LETTERS} letters, digits and dashes, beginning and ending with a letter or digit"
    )]
    Name(String),
    /// The name of a node that has another meaning in the directory.
    #[error("no node can be named {0:?}: that is something else in the directory")]
    Taken(String),
    /// Two nodes of one name.
    #[error("there are two nodes named {0:?}")]
    Twice(String),
    /// A host that is neither an address nor a name.
    #[error("{0:?} is no host: give an IP address or a host name, without a port")]
    Host(String),
    /// No port is left for a node.
    #[error("there are not enough ports above {0}")]
    Ports(u16),
    /// Something is there already.
    #[error("{} is there already, and nothing is overwritten; --renew makes new certificates in it", .0.display())]
    Exists(PathBuf),
    /// A file or directory can not be made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The authority's key can not be read, or is readable by others.
    #[error(transparent)]
    Private(#[from] PrivateFileError),
    /// The authority can not be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The file that says what the cluster is made of is damaged.
    #[error("{} is damaged: {why}", path.display())]
    Manifest {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The cluster was not made with such a node.
    #[error("the cluster has no node {name:?}; it has {known}")]
    Unknown {
        /// Who was asked for.
        name: String,
        /// Who there is.
        known: String,
    },
    /// A certificate that was made would not be taken.
    #[error("the certificate of {node:?} would not be taken: {source}")]
    Unfit {
        /// Whose.
        node: String,
        /// Why.
        #[source]
        source: SecurityError,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// A node to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePlan {
    /// Its name.
    pub(crate) name: String,
    /// Where others reach it; `None`: on this machine alone.
    pub(crate) host: Option<Host>,
}

/// Where a node is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// An address of its own.
    Ip(IpAddr),
    /// A name that others look up.
    Name(String),
}

/// A cluster to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The directory that is made.
    pub(crate) dir: PathBuf,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Its nodes.
    pub(crate) nodes: Vec<NodePlan>,
    /// How long their certificates are valid.
    pub(crate) days: Days,
    /// The ports of the first node on each host.
    pub(crate) ports: Ports,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Where, as an absolute path.
    pub(crate) dir: PathBuf,
    /// When the authority ends.
    pub(crate) authority_ends: UnixMs,
    /// When the nodes' certificates end.
    pub(crate) ends: UnixMs,
    /// The URL of each node, by name, in the order in which they were given.
    pub(crate) urls: Vec<(String, String)>,
}

/// What is remembered of a cluster, for those who renew a certificate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    cluster: String,
    nodes: BTreeMap<String, ManifestNode>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestNode {
    hosts: Vec<String>,
}

impl NodePlan {
    /// `NAME` or `NAME=HOST`.
    ///
    /// # Errors
    /// [`InitError`] for what is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, InitError> {
        let (name, host) = text.split_once('=').map_or((text, None), |(n, h)| (n, Some(h)));
        check_name(name)?;
        if TAKEN.contains(&name) {
            return Err(InitError::Taken(name.to_owned()));
        }
        let host = host.map(Host::parse).transpose()?;
        Ok(Self { name: name.to_owned(), host })
    }

    fn hosts(&self) -> Vec<String> {
        self.host.iter().map(ToString::to_string).collect()
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, InitError> {
        if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self::Ip(ip));
        }
        let labels = text.split('.').all(is_label);
        let is_name =
            labels && text.len() <= 253 && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if is_name {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(InitError::Host(text.to_owned()))
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn is_label(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    inner
        && text.len() <= MOST_NAME_LETTERS
        && edge(text.bytes().next())
        && edge(text.bytes().last())
}

fn check_name(name: &str) -> Result<(), InitError> {
    let fits = name.len() <= MOST_NAME_LETTERS && name.split('.').all(is_label);
    if fits { Ok(()) } else { Err(InitError::Name(name.to_owned())) }
}

/// Makes all files of a new cluster.
///
/// # Errors
/// [`InitError`]; there is nothing of it then.
pub(crate) fn make(plan: &Plan, now: UnixMs) -> Result<Cluster, InitError> {
    check_name(&plan.cluster)?;
    let mut names = BTreeSet::new();
    if let Some(twice) = plan.nodes.iter().find(|node| !names.insert(&node.name)) {
        return Err(InitError::Twice(twice.name.clone()));
    }
    let authority = Authority::make(&plan.cluster, now)?;
    let tokens = ROLES.map(Token::make);
    let tokens = tokens.into_iter().collect::<Result<Vec<_>, _>>()?;
    let places = node_files::places(&plan.nodes, plan.ports)?;
    let fresh = Fresh::begin(&plan.dir)?;
    fresh.write("ca.pem", &authority.certificate())?;
    fresh.write("ca.key", &authority.key())?;
    fresh.write("cluster.toml", &manifest(plan)?)?;
    fresh.directory("tokens")?;
    for token in &tokens {
        fresh.write(&format!("tokens/{}.token", token.role), &token.text)?;
    }
    let mut ends = UnixMs(u64::MAX);
    for (node, place) in plan.nodes.iter().zip(&places) {
        let name = &node.name;
        let made = certify(&authority, (&plan.cluster, name), &node.hosts(), plan.days, now)?;
        ends = ends.min(made.ends);
        fresh.directory(name)?;
        fresh.write(&format!("{name}/ca.pem"), &authority.certificate())?;
        fresh.write(&format!("{name}/node.pem"), &made.certificate)?;
        fresh.write(&format!("{name}/node.key"), &made.key)?;
        fresh.write(&format!("{name}/tokens.toml"), &token::file(&tokens))?;
        let seeds = places.iter().filter(|other| *other != place);
        let data = fresh.goal().join(name).join("data");
        let text = node_files::configuration(&plan.cluster, place, seeds, &data);
        fresh.write(&format!("{name}/gridkv.toml"), &text)?;
    }
    let urls = places.iter().map(|place| (place.name.clone(), place.url())).collect();
    let dir = fresh.finish()?;
    Ok(Cluster { dir, authority_ends: authority.ends(), ends, urls })
}

/// Makes a new certificate and key for a node of a cluster that [`make`] made, in the place of the old ones. Says
/// until when it is valid.
///
/// # Errors
/// [`InitError`]; the old ones stay, unless only the second of two files could not be put in place.
pub(crate) fn renew(dir: &Path, name: &str, days: Days, now: UnixMs) -> Result<UnixMs, InitError> {
    let path = dir.join("cluster.toml");
    let damaged = |why: String| InitError::Manifest { path: path.clone(), why };
    let manifest: Manifest =
        toml::from_str(&read(&path)?).map_err(|error| damaged(error.to_string()))?;
    check_name(&manifest.cluster)?;
    let Some(node) = manifest.nodes.get(name) else {
        let known = manifest.nodes.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(InitError::Unknown { name: name.to_owned(), known });
    };
    let key = private_file::read(&dir.join("ca.key"))?;
    let authority = Authority::load(&manifest.cluster, &read(&dir.join("ca.pem"))?, &key)?;
    let made = certify(&authority, (&manifest.cluster, name), &node.hosts, days, now)?;
    let of_node = dir.join(name);
    files::replace(&of_node.join("node.key"), &made.key)?;
    files::replace(&of_node.join("node.pem"), &made.certificate)?;
    Ok(made.ends)
}

/// A certificate that its node and its peers take: that is tried before anybody gets it.
fn certify(
    authority: &Authority,
    (cluster, node): (&str, &str),
    hosts: &[String],
    days: Days,
    now: UnixMs,
) -> Result<Made, InitError> {
    let made = authority.certify(&Names { cluster, node, hosts }, days, now)?;
    let papers = authority.papers(&made)?;
    let taken = Mutual::new((cluster, node), papers, [], now).map(Arc::new);
    taken.map_err(|source| InitError::Unfit { node: node.to_owned(), source })?;
    Ok(made)
}

fn manifest(plan: &Plan) -> Result<String, InitError> {
    let node = |node: &NodePlan| (node.name.clone(), ManifestNode { hosts: node.hosts() });
    let nodes = plan.nodes.iter().map(node).collect();
    let text = toml::to_string(&Manifest { cluster: plan.cluster.clone(), nodes });
    let text = text.map_err(|error| InitError::Manifest {
        path: plan.dir.join("cluster.toml"),
        why: error.to_string(),
    })?;
    Ok(format!("# What this cluster was made of; `gridkv init --renew` reads it.\n{text}"))
}

fn read(path: &Path) -> Result<String, InitError> {
    std::fs::read_to_string(path).map_err(|source| InitError::Io { path: path.to_owned(), source })
}

/// A moment as a day, for people.
pub(crate) fn day(moment: UnixMs) -> String {
    rfc3339::format(moment).get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "init/init_test.rs"]
mod tests;

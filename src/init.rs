//! `gridkv init`: an authority, certificates, tokens and a configuration for each node of a new cluster, so that
//! nobody has to know how certificates are made to have a cluster that is safe.
//!
//! It refuses to touch what is there: a directory is made whole or not at all, and only a certificate and its key
//! are ever replaced, by `--renew`, with new ones of the same authority, and `cluster.toml`, by `--add`, with one that
//! has more nodes. Every file is its owner's alone.
//!
//! CAVEATS: the authority's key lies unencrypted beside what it made; it belongs off the nodes. A renewed
//! certificate and its key are two renames: a node that starts between them refuses them, and starts the next time.

pub(crate) mod authority;
mod files;
mod growth;
mod init_error;
mod manifest;
mod node_files;
mod token;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridkv_actors::peer_security::Mutual;
use gridkv_http::{Role, rfc3339};
use gridkv_protocol::UnixMs;

use authority::Authority;
pub(crate) use authority::{Days, Made, Names};
use files::Fresh;
pub(crate) use growth::{Grown, Growth, add};
pub(crate) use init_error::InitError;
use init_error::MOST_NAME_LETTERS;
use manifest::{Manifest, ManifestNode};
use node_files::Place;
pub(crate) use node_files::Wanted;
pub(crate) use token::Token;

use crate::private_file;

/// Names that nodes can not have, because something else has them in the directory.
const TAKEN: [&str; 4] = ["ca.pem", "ca.key", "cluster.toml", "tokens"];

/// A node to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePlan {
    /// Its name.
    pub(crate) name: String,
    /// Where others reach it, and then what else its certificate names; none: on this machine alone.
    pub(crate) hosts: Vec<Host>,
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
    /// The ports that are asked for.
    pub(crate) ports: Wanted,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Its name.
    pub(crate) name: String,
    /// Where, as an absolute path.
    pub(crate) dir: PathBuf,
    /// When the authority ends.
    pub(crate) authority_ends: UnixMs,
    /// When the nodes' certificates end.
    pub(crate) ends: UnixMs,
    /// The URL of each node, by name, in the order in which they were given.
    pub(crate) urls: Vec<(String, String)>,
}

impl NodePlan {
    /// `NAME`, or `NAME=HOST,HOST...`.
    ///
    /// # Errors
    /// [`InitError`] for what is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, InitError> {
        let (name, hosts) = text.split_once('=').map_or((text, None), |(n, h)| (n, Some(h)));
        check_name(name)?;
        if TAKEN.contains(&name) {
            return Err(InitError::Taken(name.to_owned()));
        }
        let hosts = hosts.into_iter().flat_map(|hosts| hosts.split(','));
        let hosts = hosts.map(Host::parse).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), hosts })
    }

    /// What its certificate names.
    fn certified(&self) -> Vec<String> {
        self.hosts.iter().map(ToString::to_string).collect()
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, InitError> {
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            let ip = ip.to_canonical();
            let is_all = ip.is_unspecified() || ip == IpAddr::from(Ipv4Addr::BROADCAST);
            return if is_all || ip.is_multicast() {
                Err(InitError::Nowhere(text.to_owned()))
            } else {
                Ok(Self::Ip(ip))
            };
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

fn check_twice(nodes: &[NodePlan]) -> Result<(), InitError> {
    let mut names = BTreeSet::new();
    let twice = nodes.iter().find(|node| !names.insert(&node.name));
    twice.map_or(Ok(()), |twice| Err(InitError::Twice(twice.name.clone())))
}

/// The files of a node, by name.
type Files = [(&'static str, String); 5];

/// What all nodes that are made at once share.
struct Work<'a> {
    cluster: &'a str,
    authority: &'a Authority,
    tokens: &'a str,
    days: Days,
    now: UnixMs,
}

impl Work<'_> {
    /// The files of a node, by name, and when its certificate ends.
    fn node<'a>(
        &self,
        (node, place): (&NodePlan, &Place),
        seeds: impl Iterator<Item = &'a Place>,
    ) -> Result<(Files, UnixMs), InitError> {
        let Self { authority, cluster, .. } = *self;
        let names = (cluster, node.name.as_str());
        let made = certify(authority, names, &node.certified(), self.days, self.now)?;
        let files = [
            ("ca.pem", authority.certificate()),
            ("node.pem", made.certificate),
            ("node.key", made.key),
            ("tokens.toml", self.tokens.to_owned()),
            ("gridkv.toml", node_files::configuration(cluster, place, seeds)),
        ];
        Ok((files, made.ends))
    }
}

/// Makes all files of a new cluster.
///
/// # Errors
/// [`InitError`]; there is nothing of it then.
pub(crate) fn make(plan: &Plan, now: UnixMs) -> Result<Cluster, InitError> {
    check_name(&plan.cluster)?;
    check_twice(&plan.nodes)?;
    let authority = Authority::make(&plan.cluster, now)?;
    let tokens = Role::ALL.into_iter().rev().map(Token::make);
    let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
    let places = node_files::places(&[], &plan.nodes, plan.ports)?;
    let mut manifest = Manifest::new(&plan.cluster);
    let fresh = Fresh::begin(&plan.dir)?;
    fresh.write("ca.pem", &authority.certificate())?;
    fresh.write("ca.key", &authority.key())?;
    fresh.directory("tokens")?;
    for token in &tokens {
        fresh.write(&format!("tokens/{}.token", token.role.as_str()), &token.text)?;
    }
    let work = Work {
        cluster: &plan.cluster,
        authority: &authority,
        tokens: &token::file(&tokens),
        days: plan.days,
        now,
    };
    let mut ends = UnixMs(u64::MAX);
    for (node, place) in plan.nodes.iter().zip(&places) {
        manifest.insert(node, place);
        let seeds = places.iter().filter(|other| *other != place);
        let (files, end) = work.node((node, place), seeds)?;
        ends = ends.min(end);
        fresh.directory(&node.name)?;
        for (file, text) in files {
            fresh.write(&format!("{}/{file}", node.name), &text)?;
        }
    }
    fresh.write("cluster.toml", &manifest.text(&plan.dir)?)?;
    let urls = places.iter().map(|place| (place.name.clone(), place.url())).collect();
    let (name, dir) = (plan.cluster.clone(), fresh.finish()?);
    Ok(Cluster { name, dir, authority_ends: authority.ends(), ends, urls })
}

/// Says whether the cluster in `dir` has all of these nodes.
///
/// # Errors
/// [`InitError`] for the first that it has not.
pub(crate) fn check_known(dir: &Path, names: &[String]) -> Result<(), InitError> {
    let manifest = Manifest::read(dir)?;
    names.iter().try_for_each(|name| known(&manifest, name).map(|_| ()))
}

fn known<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a ManifestNode, InitError> {
    manifest.node(name).ok_or_else(|| {
        let known = manifest.names().collect::<Vec<_>>().join(", ");
        InitError::Unknown { name: name.to_owned(), known }
    })
}

/// Makes a new certificate and key for a node of a cluster that [`make`] made, in the place of the old ones. Says
/// until when it is valid.
///
/// # Errors
/// [`InitError`]; the old ones stay, unless only the second of two files could not be put in place.
pub(crate) fn renew(dir: &Path, name: &str, days: Days, now: UnixMs) -> Result<UnixMs, InitError> {
    let manifest = Manifest::read(dir)?;
    let node = known(&manifest, name)?;
    let authority = load_authority(dir, &manifest.cluster)?;
    let made = certify(&authority, (&manifest.cluster, name), &node.hosts, days, now)?;
    let of_node = dir.join(name);
    files::replace(&of_node.join("node.key"), &made.key)?;
    files::replace(&of_node.join("node.pem"), &made.certificate)?;
    Ok(made.ends)
}

fn load_authority(dir: &Path, cluster: &str) -> Result<Authority, InitError> {
    let key = private_file::read(&dir.join("ca.key"))?;
    Ok(Authority::load(cluster, &read(&dir.join("ca.pem"))?, &key)?)
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

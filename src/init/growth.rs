//! More nodes for a cluster that was made before: their directories, and nothing of the others is touched.

use std::path::{Path, PathBuf};

use gridkv_protocol::UnixMs;

use super::files::{self, Fresh};
use super::manifest::{self, Manifest};
use super::node_files::{self, Wanted};
use super::{Cluster, Days, InitError, NodePlan, Work, check_twice, load_authority, read};

/// Nodes to be of a cluster that is.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    /// The directory of the cluster.
    pub(crate) dir: PathBuf,
    /// Its new nodes.
    pub(crate) nodes: Vec<NodePlan>,
    /// How long their certificates are valid.
    pub(crate) days: Days,
    /// The ports that are asked for; where none are, those of the cluster's first node.
    pub(crate) ports: Wanted,
}

/// What was added, and to what.
#[derive(Debug)]
pub(crate) struct Grown {
    /// The new nodes only.
    pub(crate) cluster: Cluster,
    /// Nodes that take connections of those only whom their files name, and so not of all new ones.
    pub(crate) choosy: Vec<String>,
}

/// Makes what new nodes need. Their seeds are the nodes that were there before: those are found by all.
///
/// # Errors
/// [`InitError`]; there is nothing of the new nodes then.
pub(crate) fn add(growth: &Growth, now: UnixMs) -> Result<Grown, InitError> {
    let Growth { dir, nodes, .. } = growth;
    let mut manifest = Manifest::read(dir)?;
    check_twice(nodes)?;
    if let Some(node) = nodes.iter().find(|node| manifest.node(&node.name).is_some()) {
        return Err(InitError::Known(node.name.clone()));
    }
    let known = manifest.places(dir)?;
    let choosy = choosy(dir, &manifest, nodes);
    let places = node_files::places(&known, nodes, growth.ports)?;
    let tokens = tokens(dir, &manifest)?;
    let authority = load_authority(dir, &manifest.cluster)?;
    let goal =
        std::path::absolute(dir).map_err(|source| InitError::Io { path: dir.clone(), source })?;
    let work = Work {
        cluster: &manifest.cluster,
        authority: &authority,
        tokens: &tokens,
        days: growth.days,
        now,
    };
    let mut ends = UnixMs(u64::MAX);
    let mut made = Vec::new();
    for (node, place) in nodes.iter().zip(&places) {
        let fresh = Fresh::begin(&goal.join(&node.name)).map_err(|error| {
            let InitError::Exists(path) = error else { return error };
            InitError::Stray(path)
        })?;
        let (files, end) = work.node((node, place), known.iter())?;
        for (file, text) in files {
            fresh.write(file, &text)?;
        }
        ends = ends.min(end);
        made.push(fresh);
    }
    for (node, place) in nodes.iter().zip(&places) {
        manifest.insert(node, place);
    }
    let text = manifest.text(dir)?;
    made.iter_mut().try_for_each(Fresh::place)?;
    files::replace(&manifest::path(dir), &text)?;
    made.into_iter().for_each(Fresh::keep);
    let urls = places.iter().map(|place| (place.name.clone(), place.url())).collect();
    let cluster =
        Cluster { name: manifest.cluster, dir: goal, authority_ends: authority.ends(), ends, urls };
    Ok(Grown { cluster, choosy })
}

/// What the nodes know of the tokens. All must know the same: who takes a token away must not meet it again.
fn tokens(dir: &Path, manifest: &Manifest) -> Result<String, InitError> {
    let mut first: Option<(PathBuf, String)> = None;
    for name in manifest.names() {
        let path = dir.join(name).join("tokens.toml");
        let text = match read(&path) {
            // It was moved to where the node runs.
            Err(InitError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                continue;
            }
            other => other?,
        };
        match &first {
            Some((first, known)) if *known != text => {
                return Err(InitError::Tokens { first: first.clone(), second: path });
            }
            Some(_) => {}
            None => first = Some((path, text)),
        }
    }
    first.map(|(_, text)| text).ok_or_else(|| InitError::NoTokens(dir.to_owned()))
}

/// Nodes whose configuration lists who may come, without all of the new ones. What can not be read tells nothing.
fn choosy(dir: &Path, manifest: &Manifest, nodes: &[NodePlan]) -> Vec<String> {
    let refuses = |name: &&str| {
        let file = read(&dir.join(name).join("gridkv.toml")).ok();
        let table: Option<toml::Table> = file.and_then(|text| text.parse().ok());
        let peers = table.as_ref().and_then(|table| table.get("peers"));
        let allow = peers.and_then(|peers| peers.get("tls")?.get("allow")?.as_array());
        let named = |list: &[toml::Value], node: &NodePlan| {
            list.iter().any(|name| name.as_str() == Some(&node.name))
        };
        allow.is_some_and(|list| !list.is_empty() && nodes.iter().any(|node| !named(list, node)))
    };
    manifest.names().filter(refuses).map(str::to_owned).collect()
}

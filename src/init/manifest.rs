//! `cluster.toml`: what a cluster was made of, for those who renew a certificate or add a node.
//!
//! CAVEATS: it knows of no node that was made elsewhere, and two that add nodes at the same moment may lose the other's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::node_files::{Place, Ports};
use super::{Host, InitError, NodePlan, check_name, read};

/// What is remembered of a cluster.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) cluster: String,
    nodes: BTreeMap<String, ManifestNode>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestNode {
    /// Where it is reached; what follows is in its certificate only. None: on this machine alone.
    pub(super) hosts: Vec<String>,
    /// Its own ports. Not there in what was made before nodes could be added.
    ports: Option<Ports>,
}

/// Where the file is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("cluster.toml")
}

impl Manifest {
    /// One that has no nodes yet.
    pub(super) fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), nodes: BTreeMap::new() }
    }

    /// That of a cluster that was made before.
    pub(super) fn read(dir: &Path) -> Result<Self, InitError> {
        let path = path(dir);
        let manifest: Self = toml::from_str(&read(&path)?)
            .map_err(|error| InitError::Manifest { path, why: error.to_string() })?;
        check_name(&manifest.cluster)?;
        manifest.nodes.keys().try_for_each(|name| check_name(name))?;
        Ok(manifest)
    }

    /// The names of its nodes.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    pub(super) fn node(&self, name: &str) -> Option<&ManifestNode> {
        self.nodes.get(name)
    }

    /// Remembers a node and where it is.
    pub(super) fn insert(&mut self, node: &NodePlan, place: &Place) {
        let hosts = node.certified();
        self.nodes.insert(node.name.clone(), ManifestNode { hosts, ports: Some(place.ports()) });
    }

    /// Where its nodes are.
    pub(super) fn places(&self, dir: &Path) -> Result<Vec<Place>, InitError> {
        let place = |(name, node): (&String, &ManifestNode)| {
            let ports = node
                .ports
                .ok_or_else(|| InitError::NoPorts { path: path(dir), node: name.clone() })?;
            let host = node.hosts.first().map(|host| Host::parse(host)).transpose()?;
            Ok(Place::new(name, host.as_ref(), ports))
        };
        self.nodes.iter().map(place).collect()
    }

    /// The file's text.
    pub(super) fn text(&self, dir: &Path) -> Result<String, InitError> {
        let text = toml::to_string(self)
            .map_err(|error| InitError::Manifest { path: path(dir), why: error.to_string() })?;
        Ok(format!(
            "# What this cluster was made of; `gridkv init --renew` and `--add` read it.\n{text}"
        ))
    }
}

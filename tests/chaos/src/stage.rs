//! The cluster behind its proxies: every node is known to the others by the address of its proxy alone.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gridkv_cluster::{Cluster, Node};
use gridkv_soak::RunError;

use crate::gates::Gates;
use crate::proxy::Proxy;
use crate::setup::Setup;
use crate::weather::Weather;

/// What things are done to. Fields are dropped in this order: nodes first, then what led to them.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) cluster: Arc<Cluster>,
    proxies: Vec<Proxy>,
    pub(crate) weather: Arc<Weather>,
}

impl Stage {
    /// Starts proxies and nodes, the nodes with everything below `directory`.
    ///
    /// # Errors
    /// [`RunError`] when nodes refuse their configuration or can not be started.
    pub(crate) fn set(setup: &Setup, directory: &Path) -> Result<Self, RunError> {
        let gates = Gates::open(setup.nodes);
        let gates = gates.map_err(RunError::cannot("listen on 127.0.0.1"))?;
        let mut builder = Cluster::builder(&setup.gridkv, directory)
            .nodes(setup.nodes)
            .dialled_at(gates.ports())
            .env("GRIDKV_PEERS__BOOTSTRAP", "false");
        if let Some(config) = &setup.config {
            let config = std::path::absolute(config);
            let config = config.map_err(RunError::cannot("resolve the configuration"))?;
            check(setup, &config)?;
            builder = builder.args(["--config".into(), config.into_os_string()]);
        } else {
            let settings = Setup::SETTINGS.into_iter();
            builder = settings.fold(builder.stores(Setup::STORES), |builder, (name, value)| {
                builder.env(name, value)
            });
        }
        let cluster = Arc::new(builder.build()?);
        let weather = Arc::new(Weather::default());
        let proxies = gates.lead_to(&cluster, &weather, setup.seed);
        let proxies = proxies.map_err(RunError::cannot("start a proxy"))?;
        let stage = Self { cluster, proxies, weather };
        stage.cluster.nodes().iter().try_for_each(Node::start)?;
        Ok(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is stalled has to notice that all is over.
        self.weather.clear();
        self.proxies.clear();
        for node in self.cluster.nodes() {
            // One that does not run is as it should be.
            drop(node.kill());
        }
    }
}

/// Lets the program look at a configuration before any node is given it, so that its own words reach the reader.
fn check(setup: &Setup, config: &Path) -> Result<(), RunError> {
    let mut check = Command::new(&setup.gridkv);
    check.args(["serve", "--check", "--config"]).arg(config);
    // As for the nodes: settings of whoever calls must not leak into it.
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("GRIDKV_")) {
        check.env_remove(name);
    }
    let checked = check.output().map_err(RunError::io("run", &setup.gridkv))?;
    if checked.status.success() {
        return Ok(());
    }
    Err(RunError::Configuration(String::from_utf8_lossy(&checked.stderr).into_owned()))
}

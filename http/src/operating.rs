//! What operators see and steer of a node, as the composing program hands it over: it keeps a clone of each, and
//! changes them while requests are served.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value as Json;

use crate::access::Access;
use crate::certificates::Certificates;
use crate::log_control::LogControl;
use crate::tls::HttpTls;

/// What a site shows and obeys beside its node and its limits.
#[derive(Clone, Debug)]
pub struct Operating {
    /// The configuration as `/v1/node` shows it.
    pub shown: ShownConfig,
    /// How much the node logs.
    pub log: LogControl,
    /// Who may do what.
    pub access: Access,
    /// What clients' connections are in; `None`: plain HTTP.
    pub tls: Option<HttpTls>,
    /// When the node's certificates end.
    pub certificates: Certificates,
    /// What program this is.
    pub build: Build,
}

/// What a program was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The revision of its source, or `unknown`.
    pub revision: &'static str,
    /// The compiler.
    pub rustc: &'static str,
}

/// The effective configuration as it is shown: secrets must be masked already. Clones are the same one.
#[derive(Clone)]
pub struct ShownConfig(Arc<ArcSwap<Json>>);

impl ShownConfig {
    /// Shows this.
    pub fn new(config: Json) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(config)))
    }

    /// Shows this from now on.
    pub fn set(&self, config: Json) {
        self.0.store(Arc::new(config));
    }

    /// What is shown now.
    pub(crate) fn get(&self) -> Arc<Json> {
        self.0.load_full()
    }
}

impl fmt::Debug for ShownConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownConfig")
    }
}

//! The configuration of a node: text in, types out, parsed once, before anything is opened.
//!
//! Why it exists: four places may set a key (the built-in defaults, a TOML file, `GRIDKV_*`
//! environment variables, flags; a later one wins), and the rooms must not care. [`load`] lays them
//! over each other, remembers where each value came from, and hands out one section per room.
//!
//! What it refuses: unknown keys and variables (naming the nearest known one), values of the wrong
//! type or out of their range, settings that contradict each other, a listener that strangers could reach
//! without being asked who they are, and secrets in files that others may read. All of it is reported together, and nothing is
//! started. It reads no clock, no environment and no host name of its own: those are arguments.

mod address;
mod auth;
mod changes;
mod definition;
pub(crate) mod duration;
mod effective;
mod environment;
mod fault;
mod file;
mod hex;
mod keys;
mod kind;
mod limits;
mod nearest;
mod overlay;
mod rules;
mod secret;
mod security;
mod security_keys;
mod security_rules;
mod store;
mod store_keys;
mod tokens;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::telemetry::{Directive, Format};
use overlay::{Origin, Overlay, Settings};

pub(crate) use address::HostPort;
pub(crate) use auth::{AuthConfig, TokenConfig};
pub(crate) use fault::ConfigError;
pub(crate) use overlay::Flag;
pub(crate) use secret::Secret;
pub(crate) use security::{PeerSecurity, PeerTls, TlsFiles};
pub(crate) use security_rules::Exposure;
pub(crate) use store::{CachePolicy, Compression, Durability, MemoryPolicy, StoreConfig};
pub(crate) use tokens::name_fault as token_name_fault;

/// Everything that may set a key, lowest first. All of it is handed in, so that tests need no
/// process-wide state.
pub(crate) struct Sources<'a, Vars> {
    /// The TOML file of `-c`; without it no file is read.
    pub(crate) file: Option<&'a Path>,
    /// The environment, as of `std::env::vars_os`; only names that start with `GRIDKV_` count.
    pub(crate) environment: Vars,
    /// What the command line sets, as of `cli::overlay`.
    pub(crate) flags: Vec<Flag>,
    /// The backends that this build can open, from the storage registry: each spelling, and the name
    /// that it stands for.
    pub(crate) backends: &'a [(&'a str, &'a str)],
    /// The machine's name: the node's name when `node.name` is empty.
    pub(crate) host_name: OsString,
    /// `--insecure-expose-without-auth`: listeners may leave the loopback interface.
    pub(crate) expose_without_auth: bool,
}

/// A configuration that passed every check, and where each of its values came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The typed configuration.
    pub(crate) config: Config,
    settings: Settings,
    /// `node.data_dir` as the file has it, where that is relative and holds.
    relative_data_dir: Option<PathBuf>,
}

impl Loaded {
    /// The effective configuration as TOML text, each value followed by the layer that set it
    /// (`# default`, `# file`, `# environment`, `# flag`). Secrets are masked; but for them, read back as a
    /// file it gives the same configuration.
    pub(crate) fn to_toml(&self) -> String {
        effective::render(&self.settings)
    }

    /// The effective configuration as JSON.
    ///
    /// # Errors
    ///
    /// When it has no such form.
    pub(crate) fn to_json(&self) -> Result<serde_json::Value, toml::de::Error> {
        toml::from_str(&self.to_toml())
    }

    /// What set the key at this dotted path: the file and its line, the variable, or the flag.
    pub(crate) fn origin_of(&self, path: &str) -> Option<String> {
        self.settings.get(path).map(|setting| setting.origin.to_string())
    }

    /// Where the data directory is, if a file says so relative to its own directory, and where it would be from the
    /// directory `here`.
    pub(crate) fn data_dir_from(&self, here: &Path) -> Option<(&Path, PathBuf)> {
        let from_here = here.join(self.relative_data_dir.as_ref()?);
        Some((self.config.node.data_dir.as_deref()?, from_here))
    }

    /// How one more store would be configured that is defined by these keys of its section, beside those
    /// that there are.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem found.
    pub(crate) fn one_more(
        &self,
        store: &str,
        definition: &toml::Table,
        backends: &[(&str, &str)],
    ) -> Result<StoreConfig, ConfigError> {
        let mut overlay = Overlay::over(self.settings.clone(), backends);
        definition::read(store, definition, &mut overlay);
        overlay.complete(OsStr::new(&self.config.node.name));
        let config = overlay.typed();
        if let Some(config) = &config {
            overlay.report(rules::check(config)); // who may reach the node was judged at its start
        }
        let (mut config, _) = overlay.finish(config)?;
        config.stores.remove(store).ok_or_else(|| ConfigError::new(Vec::new()))
    }
}

/// Lays the sources over each other, checks every value and every rule between values.
///
/// # Errors
///
/// [`ConfigError`] with every problem found, not only the first; nothing has been started.
pub(crate) fn load<Vars>(sources: Sources<'_, Vars>) -> Result<Loaded, ConfigError>
where
    Vars: IntoIterator<Item = (OsString, OsString)>,
{
    let mut overlay = Overlay::new(sources.backends);
    let relative_data_dir = sources.file.and_then(|path| file::read(path, &mut overlay));
    environment::read(sources.environment, &mut overlay);
    overlay.flags(sources.flags);
    overlay.complete(&sources.host_name);
    let mut config = overlay.typed();
    if let Some(config) = &mut config {
        if let Some(path) = &config.auth.tokens_file {
            let named = overlay.origin("auth.tokens_file");
            config.auth.tokens.extend(tokens::read(path, &named, &mut overlay));
        }
        let security = security_rules::check(config, &overlay, sources.expose_without_auth);
        overlay.report(security);
        overlay.report(rules::check(config));
    }
    let relative_data_dir = relative_data_dir
        .filter(|_| matches!(overlay.origin("node.data_dir"), Origin::File { .. }));
    let (config, settings) = overlay.finish(config)?;
    Ok(Loaded { config, settings, relative_data_dir })
}

/// The configuration of one node, a section for each room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Who this node is.
    pub(crate) node: NodeConfig,
    /// The HTTP listener and its limits.
    pub(crate) http: HttpConfig,
    /// The listener for peers, the links to them, and when they count as gone.
    pub(crate) peers: PeersConfig,
    /// Who may do what over HTTP.
    pub(crate) auth: AuthConfig,
    /// Replication of a store that has no section of its own, such as one made at run time.
    pub(crate) sync: SyncConfig,
    /// Logs on standard error.
    pub(crate) log: LogConfig,
    /// The stores by name, at least one; each with its own replication settings filled in.
    pub(crate) stores: BTreeMap<String, StoreConfig>,
}

impl Config {
    /// The listeners that other machines reach and that do not ask who they are, or let them say it in clear.
    pub(crate) fn exposures(&self) -> Vec<Exposure> {
        security_rules::exposures(self)
    }

    /// The only names by which a browser may call this node while nobody is asked who they are; `None`: any,
    /// because its certificate proves the name, or because it is meant to be reached by others.
    pub(crate) fn own_names(&self) -> Option<Vec<String>> {
        let is_local = !security_rules::is_reachable(self.http.listen) && self.http.tls.is_none();
        let names = self.http.host_names.iter().chain([&self.node.name]);
        is_local.then(|| names.cloned().collect())
    }
}

/// `[node]`: who this node is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeConfig {
    /// The name for people, never empty: the host name when none was given.
    pub(crate) name: String,
    /// The cluster's name; peers of another one are refused.
    pub(crate) cluster: String,
    /// Where identity and stores are kept; `None`: a fresh identity at each start, and volatile
    /// stores only.
    #[serde(deserialize_with = "non_empty_path")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `[http]`: the HTTP listener and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpConfig {
    /// Where clients connect; port 0 lets the system choose.
    pub(crate) listen: SocketAddr,
    /// Names by which clients may call it while nobody is asked who they are, beside those that need no list.
    pub(crate) host_names: Vec<String>,
    /// Worker threads; `None`: one per core.
    #[serde(deserialize_with = "non_zero")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Longest value, in bytes.
    pub(crate) max_value_bytes: usize,
    /// Longest key, in bytes.
    pub(crate) max_key_bytes: usize,
    /// Most operations in one batch.
    pub(crate) max_batch_ops: usize,
    /// Longest request body, in bytes; never less than `max_value_bytes`.
    pub(crate) max_body_bytes: usize,
    /// Most connections at once.
    pub(crate) max_connections: usize,
    /// Most requests at once.
    pub(crate) max_in_flight: usize,
    /// Most streams of changes and long polls at once.
    pub(crate) max_watchers: usize,
    /// Longest wait for a request's head.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) head_timeout: Duration,
    /// Longest wait for a request's whole body.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) body_timeout: Duration,
    /// Longest rest of a connection between two requests.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) keep_alive: Duration,
    /// Longest wait for requests in flight when the node stops.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) shutdown_timeout: Duration,
    /// Certificate and key; `None`: plain HTTP.
    #[serde(deserialize_with = "security::http_tls")]
    pub(crate) tls: Option<TlsFiles>,
}

/// `[peers]`: the listener for peers, the links to them, and when they count as gone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeersConfig {
    /// Where peers connect; port 0 lets the system choose.
    pub(crate) listen: SocketAddr,
    /// The address that peers dial; `None`: the address that `listen` got.
    #[serde(deserialize_with = "non_empty_address")]
    pub(crate) advertise: Option<HostPort>,
    /// Peers to ask first, in the order given.
    pub(crate) seeds: Vec<HostPort>,
    /// Form a new cluster although the seeds are silent.
    pub(crate) bootstrap: bool,
    /// Time between two heartbeats; less than `suspect_after`.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) heartbeat_interval: Duration,
    /// Silence after which a peer is suspect; at most `down_after`.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) suspect_after: Duration,
    /// Silence after which a peer is down.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) down_after: Duration,
    /// How far in the future an operation may be.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) max_clock_skew: Duration,
    /// Longest frame, in bytes; the longest key and value fit into one.
    pub(crate) max_frame_bytes: usize,
    /// Most bytes that wait for one peer; at least one frame.
    pub(crate) max_queue_bytes: usize,
    /// Certificates by which nodes know each other; never beside `secret`.
    #[serde(deserialize_with = "security::peer_tls")]
    pub(crate) tls: Option<PeerTls>,
    /// What all nodes know.
    #[serde(deserialize_with = "security::secret")]
    pub(crate) secret: Option<Secret>,
}

impl PeersConfig {
    /// How nodes know each other.
    pub(crate) fn security(&self) -> PeerSecurity<'_> {
        match (&self.tls, &self.secret) {
            (Some(tls), _) => PeerSecurity::Mutual(tls),
            (None, Some(secret)) => PeerSecurity::Secret(secret),
            (None, None) => PeerSecurity::Plain,
        }
    }
}

/// `[sync]` and `[stores.NAME.sync]`: how a store's operations reach the peers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncConfig {
    /// Slots of the op ring.
    pub(crate) buffer_size: usize,
    /// Bytes of published operations that are kept for peers that lag.
    pub(crate) log_bytes: usize,
    /// Most operations in one batch to a peer.
    pub(crate) batch_max_ops: usize,
    /// Most bytes in one batch to a peer; less than one frame.
    pub(crate) batch_max_bytes: usize,
    /// Longest wait of an operation for its batch to fill.
    #[serde(deserialize_with = "duration::deserialize")]
    pub(crate) flush_interval: Duration,
}

/// `[log]`: logs on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// What is logged.
    pub(crate) level: Directive,
    /// How it is written.
    pub(crate) format: Format,
}

fn non_empty_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

fn non_empty_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HostPort>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn non_zero<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroUsize>, D::Error> {
    usize::deserialize(from).map(NonZeroUsize::new)
}

#[cfg(test)]
#[path = "config/definition_test.rs"]
mod definition_test;
#[cfg(test)]
#[path = "config/error_test.rs"]
mod error_test;
#[cfg(test)]
#[path = "config/example_test.rs"]
mod example_test;
#[cfg(test)]
#[path = "config/precedence_test.rs"]
mod precedence_test;
#[cfg(test)]
#[path = "config/security_test.rs"]
mod security_test;
#[cfg(test)]
#[path = "config/trial_test.rs"]
pub(crate) mod trial_test;

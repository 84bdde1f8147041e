//! How a node is to run: what the program decided, in types.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gridkv_storage::settings::Settings;
use gridkv_storage::store::StoreConfig;

use crate::gate::GateLimits;
use crate::peer_security::PeerSecurity;
use crate::store_ledger::StoreLedger;

/// How a node is to run.
pub struct NodeConfig {
    /// Its name, for people.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Where it keeps its identity and its stores' files; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
    /// Where uploads wait until they are whole.
    pub spool_dir: PathBuf,
    /// Where peers dial it, `host:port`.
    pub advertise: String,
    /// Whom it dials, `host:port`.
    pub seeds: Vec<String>,
    /// Form a cluster although seeds are silent.
    pub bootstrap: bool,
    /// Between two reports to each peer.
    pub heartbeat: Duration,
    /// A peer not heard from for this long is suspect.
    pub suspect_after: Duration,
    /// A peer not heard from for this long is down, and its connections are closed.
    pub down_after: Duration,
    /// Ops from further in the future wait at their sender.
    pub max_clock_skew: Duration,
    /// Bytes of a frame's payload.
    pub max_frame_bytes: usize,
    /// Bytes on their way to one peer, and from it.
    pub max_queue_bytes: usize,
    /// What makes its connections to peers safe.
    pub security: PeerSecurity,
    /// What may be in flight to one store.
    pub gate: GateLimits,
    /// Its stores: those that are configured, and those that were made by earlier runs.
    pub stores: Vec<StoreSetup>,
    /// Who keeps which stores are made and dropped while it runs; `None`: none are.
    pub ledger: Option<Arc<dyn StoreLedger>>,
}

/// How one store is to run.
#[derive(Clone, Debug)]
pub struct StoreSetup {
    /// The store itself.
    pub config: StoreConfig,
    /// Whether it was made while a node ran, and is named by no configuration.
    pub made: bool,
    /// What is asked of its backend.
    pub settings: Settings,
    /// Between two moments at which a store that persists is brought to the disk; `None` on one that does
    /// not, or that leaves it to each write.
    pub persist_interval: Option<Duration>,
    /// Bytes of published ops kept for peers that lag.
    pub log_bytes: usize,
    /// Ops in a batch, at most.
    pub batch_max_ops: usize,
    /// Bytes in a batch, at most.
    pub batch_max_bytes: usize,
    /// The longest that an op waits for its batch to fill.
    pub flush_interval: Duration,
}

//! What a run is given.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A run to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program `gridkv`.
    pub gridkv: PathBuf,
    /// The nodes' configuration; `None`: the stores of [`Setup::STORES`], with logs so small that links which are bad for a
    /// second leave gaps.
    pub config: Option<PathBuf>,
    /// How many nodes.
    pub nodes: u16,
    /// How many clients.
    pub clients: u16,
    /// A client rests no longer between two requests.
    pub rest: Duration,
    /// How long things are done to the cluster.
    pub lasts: Duration,
    /// The nodes have recovered within this time after that.
    pub recovers_within: Duration,
    /// The seed of all choices.
    pub seed: u64,
    /// Where page, history and logs are put; `None`: nowhere.
    pub out: Option<PathBuf>,
    /// Set from outside: end as soon as possible.
    pub interrupted: Arc<AtomicBool>,
    /// Takes a line from time to time.
    pub progress: fn(&str),
}

impl Setup {
    /// The stores of a run without a configuration: what persists, what does not, and what may forget.
    pub const STORES: [&'static str; 4] = ["main=file", "big=fjall", "sessions=memory", "hot=moka"];

    /// Settings of a run without a configuration, as variables of the nodes.
    pub(crate) const SETTINGS: [(&'static str, &'static str); 7] = [
        ("GRIDKV_HTTP__WORKERS", "1"),
        // Small logs: what a link can not carry for a second is gone from them, and catch-up has to find it.
        ("GRIDKV_SYNC__BUFFER_SIZE", "64"),
        ("GRIDKV_SYNC__LOG_BYTES", "4096"),
        // A broken link is noticed within a step.
        ("GRIDKV_PEERS__SUSPECT_AFTER", "1s"),
        ("GRIDKV_PEERS__DOWN_AFTER", "3s"),
        // What happens at intervals happens often.
        ("GRIDKV_STORES__MAIN__PERSIST_INTERVAL", "200ms"),
        ("GRIDKV_STORES__BIG__PERSIST_INTERVAL", "200ms"),
    ];
}

//! The settings of this room, as types. Parsing, defaults and ranges are the composing binary's; a
//! text or a file is refused here by there being no place for it.

use std::time::Duration;

use crate::host_names::HostNames;

/// Limits and deadlines of the HTTP side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// By which names clients may call the node while nobody is asked who they are.
    pub host_names: HostNames,
    /// Threads that serve; 0 is one per CPU core.
    pub workers: usize,
    /// Bytes of a value, at most.
    pub max_value_bytes: usize,
    /// Bytes of a key, at most.
    pub max_key_bytes: usize,
    /// Operations in a batch, at most. Never more than [`MAX_BATCH_OPS_CEILING`].
    pub max_batch_ops: usize,
    /// Bytes of a request body that is not a value, at most: batches.
    pub max_body_bytes: usize,
    /// Open connections, at most, over all workers. More wait in the system's queue.
    pub max_connections: usize,
    /// Requests at once, at most, over all workers, long polls aside. More are refused with 503.
    pub max_in_flight: usize,
    /// Streams of changes and long polls at once, at most, over all workers and stores.
    pub max_watchers: usize,
    /// From the first byte of a request to the end of its head.
    pub head_timeout: Duration,
    /// From the end of a request's head to the end of its body; and how long a client may take nothing of an
    /// answer.
    pub body_timeout: Duration,
    /// How long a connection may stay idle between two requests.
    pub keep_alive: Duration,
    /// Patience with requests in flight when the server is told to stop.
    pub shutdown_timeout: Duration,
}

/// Operations that are decoded of one batch, whatever the configuration says: decoding allocates for
/// each, and a body of empty ones would otherwise grow a hundredfold in memory.
pub const MAX_BATCH_OPS_CEILING: usize = 16_384;

impl HttpConfig {
    /// Operations in a batch, at most.
    pub(crate) fn batch_ops(&self) -> usize {
        self.max_batch_ops.min(MAX_BATCH_OPS_CEILING)
    }
}

impl Default for HttpConfig {
    /// What `gridkv.example.toml` shows.
    fn default() -> Self {
        Self {
            host_names: HostNames::Own(Vec::new()),
            workers: 0,
            max_value_bytes: 1_048_576,
            max_key_bytes: 1_024,
            max_batch_ops: 1_000,
            max_body_bytes: 16_777_216,
            max_connections: 2_048,
            max_in_flight: 1_024,
            max_watchers: 1_024,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

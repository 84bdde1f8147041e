//! Starts real GridKV nodes as processes, and talks to them as any client would.
//!
//! Three users: the binary `cluster` (what `make run` and `make cluster` call), the process tests of the root package,
//! and whoever wants three nodes for an afternoon. Nothing here links against the node: a process that was built
//! separately, its ports, its files and its HTTP answers are all that is known, so that what these tests prove is what
//! a user gets. Blocking code only. No fixed sleeps: waiting is always for a condition, with a deadline and a name.
//!
//! ```no_run
//! use gridkv_cluster::{Cluster, Ports};
//! use std::time::Duration;
//!
//! let cluster = Cluster::builder("target/debug/gridkv", "/tmp/three")
//!     .nodes(3)
//!     .stores(["main=file", "sessions=memory"])
//!     .ports(Ports::Free)
//!     .start()?;
//! cluster.wait_ready(Duration::from_secs(10))?;
//! let reply = cluster.node(1).client().put("main", "greeting", b"hello")?;
//! assert_eq!(reply.status, 201);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod client;
mod cluster;
mod cluster_error;
mod dataset;
mod deadline;
mod debian;
mod launch;
mod log;
mod node;
mod port;
mod port_owner;
mod record;
mod reply;
mod request;

pub use client::{Client, ClientError};
pub use cluster::{Builder, Cluster, MAX_NODES};
pub use cluster_error::ClusterError;
pub use dataset::{Compared, Dataset, DatasetError, Loaded};
pub use deadline::{Deadline, POLL_INTERVAL, Stopwatch, WaitError, wait_for, wait_until};
pub use debian::{DebianError, DebianIndex};
pub use node::Node;
pub use port::{Address, PortError, Ports, free_port};
pub use port_owner::{PortOwner, holds_connection};
pub use record::Record;
pub use reply::{Reply, ReplyError, StoreStats};
pub use request::Request;

//! What carries messages: storage actors, publishers, appliers, peer links, and the node around them.
//!
//! This room translates, calls and performs. It refuses to decide about versions (that is the
//! protocol's and the store's) and knows nothing of HTTP. It is the only one that reads a clock.
//!
//! Reading order: [`runtime`] starts everything and says what runs where; [`handle`] is the door that
//! clients come through; `storage_actor` commits; `publisher_actor` sends; `peer_link` and
//! `peer_server` are the two ends of a connection, `peer_applier` what happens behind the second;
//! `cluster_actor` knows who belongs to the mesh.

pub mod acknowledging;
mod acks;
mod appliers;
mod by_store;
mod catch_up_actor;
mod catch_up_counters;
pub mod changes;
pub mod clock;
mod cluster_actor;
mod cluster_board;
mod cluster_messages;
mod convergence_actor;
pub mod credentials;
mod dialling;
pub mod error;
pub mod gate;
pub mod handle;
pub mod identity;
mod inspection;
mod intake;
mod leaving;
mod links;
mod mail;
pub mod mailbox;
pub mod member_change;
pub mod node;
pub mod node_config;
mod node_state;
mod nudge;
pub mod operations;
mod peer_applier;
mod peer_link;
pub mod peer_security;
mod peer_server;
mod peer_stream;
mod persist;
mod post;
mod publisher_actor;
pub mod restore;
mod restore_plan;
pub mod runtime;
pub mod snapshot;
pub mod socket;
mod spool;
pub mod spread;
mod stable_board;
mod storage_actor;
mod storage_messages;
mod store_ends;
pub mod store_ledger;
mod store_maker;
pub mod store_meters;
pub mod stores;
mod strangers;
pub mod tls_fault;
#[cfg(test)]
mod trial_authority;
mod trouble;
mod unanswered;
pub mod upkeep;
mod version_queue;
mod version_waits;
pub mod views;
mod watchdog;
mod watches;
mod wire;
mod wiring;

// What the HTTP layer and the program may see of the store below.
pub use crate::acks::AckCounts;
pub use gridkv_storage::backend::BackendError;
pub use gridkv_storage::backend::LsmShape;
pub use gridkv_storage::durability::Durability;
pub use gridkv_storage::files::replace as replace_file;
pub use gridkv_storage::histogram;
pub use gridkv_storage::list::{After, ListQuery, Listed, Listing};
pub use gridkv_storage::registry::Registry;
pub use gridkv_storage::settings;
pub use gridkv_storage::stats::{
    ApplyCounters, CacheCounts, OpKind, OperationCounters, StoreStats, Undone,
};
pub use gridkv_storage::store::StoreConfig;
pub use gridkv_storage::write;

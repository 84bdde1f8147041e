//! What carries messages.

pub mod error;
pub mod handle;
pub mod node;
pub mod views;

pub use gridkv_storage::durability::Durability;
pub use gridkv_storage::list::{ListQuery, Listing};
pub use gridkv_storage::stats::{ApplyCounters, OperationCounters, StoreStats};
pub use gridkv_storage::write;

//! What keeps records.

pub mod durability;
pub mod list;
pub mod stats;
pub mod write;

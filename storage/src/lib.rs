//! What keeps records: backends behind one narrow trait, and the one layer that all of them share.
//!
//! This room knows records, versions and files. It refuses everything that waits or talks: no async,
//! no actors, no HTTP, no peers, and no clock (time is an argument).
//!
//! Reading order: [`store`] opens one; [`writer`] is the funnel that every change passes; [`reader`]
//! is what everyone may hold; [`backend`] is the trait beneath, [`memory`](registry) and `file` the
//! keepers; [`ring`] is where committed ops leave for the publisher.

mod account;
pub mod backend;
pub mod change_log;
mod chunk;
pub mod conformance;
mod digest_keeper;
pub mod durability;
mod file;
pub mod files;
#[cfg(feature = "fjall")]
mod fjall;
pub mod flusher;
pub mod free_space;
pub mod histogram;
mod key_block;
pub mod key_order;
pub mod list;
mod loose_view;
pub mod map;
mod memory;
#[cfg(feature = "moka")]
mod moka;
mod owner;
mod packed;
mod pending;
mod proofs;
pub mod reader;
mod recovery;
pub mod registry;
pub mod ring;
mod schedule;
pub mod settings;
pub mod stats;
pub mod store;
mod store_lock;
mod survey;
mod tally;
mod watermark;
pub mod write;
pub mod writer;

#[cfg(test)]
mod convergence_test;
#[cfg(test)]
mod expiry_test;
#[cfg(test)]
mod merge_test;
#[cfg(test)]
mod mirror_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod restore_test;
#[cfg(test)]
mod test_backend;
#[cfg(test)]
mod test_store;

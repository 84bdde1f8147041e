//! What all `GridKV` nodes agree on: keys, clocks, versions, records and the law that merges them,
//! the frames on the wire, and the replication rules as state machines.
//!
//! This room refuses everything that would make it hard to test: it reads no clock, draws no random
//! number, opens no file or socket, starts no thread and awaits nothing. Time and identity are
//! arguments; what is to be done comes back as data.
//!
//! Reading order: [`hlc`] and [`origin`] make a [`version::Version`]; a [`record::Record`] carries
//! one and is merged by it; an [`op::Op`] is a record on the move; a [`frontier::Frontier`] says what
//! a node has of each origin. [`message`] and [`frame`] put them on the wire. [`publisher`],
//! [`applier`], [`catchup`], [`fence`], [`forgetting`], [`stability`], [`convergence`], [`repair`] and [`membership`]
//! are the machines: `step(now, event) -> effects`.

pub mod applier;
pub mod boot;
pub mod buffer;
mod capped;
pub mod catchup;
#[cfg(test)]
mod clocks_test;
pub mod codec;
pub mod contacts;
pub mod content_type;
pub mod convergence;
#[cfg(test)]
mod convergence_test;
pub mod differing;
pub mod digest;
pub mod fence;
#[cfg(test)]
mod fixture;
pub mod forgetting;
pub mod frame;
pub mod frontier;
pub mod hex;
pub mod hlc;
pub mod holdings;
pub mod key;
pub mod limits;
pub mod loose;
pub mod membership;
#[cfg(test)]
mod mesh_test;
pub mod message;
pub mod mutant;
pub mod op;
pub mod op_log;
pub mod origin;
pub mod page;
pub mod publisher;
#[cfg(test)]
mod random_test;
pub mod record;
pub mod refusals;
pub mod repair;
pub mod report;
pub mod skews;
pub mod snapshot;
pub mod stability;
pub mod store_name;
pub mod time;
pub mod value;
pub mod version;
pub mod wall;
pub mod welcome;

pub use buffer::Buffer;
pub use content_type::ContentType;
pub use frontier::Frontier;
pub use hlc::{Hlc, HlcClock};
pub use key::Key;
pub use op::{Op, OpBatch};
pub use origin::{Epoch, NodeId, Origin};
pub use record::{Admission, Live, Record, State};
pub use store_name::StoreName;
pub use time::UnixMs;
pub use value::Value;
pub use version::Version;

//! A seeded world of nodes: the real protocol machines and the real store, on simulated clocks, disks and
//! networks, with clients, faults, and oracles that look after every event.
//!
//! The same seed gives the same world, event for event. Nothing here knows how the protocol works: oracles
//! know what clients were told and what machines hold. Every rule of the protocol can be broken by a
//! switch ([`gridkv_protocol::mutant`]), and for each there is an oracle that notices ([`mutants`]).
//!
//! Reading order: [`scenario`] says what a seed draws; [`world`] is what happens; [`node`] is a process, the
//! same glue that the actors have; [`disk`], [`network`] and [`sim_clock`] are what it runs on; [`oracle`]
//! is what must hold.

pub mod dice;
pub mod disk;
pub mod history;
pub mod mutants;
pub mod network;
pub mod node;
pub mod oracle;
pub mod scenario;
pub mod seeds;
pub mod sim_clock;
pub mod table;
pub mod trace;
pub mod world;

//! What the benchmarks share: a clock, random numbers, a keep-alive HTTP client, and tables.
//!
//! Each benchmark is a program of its own under `src/bin`, says at its top what it measures, how to
//! read it and how to repeat it, and prints markdown. None of them is a test: on a busy machine only
//! ratios mean anything, and those are taken between rounds that lie beside each other.
//!
//! - `structures`: which map the `memory` backend stands on.
//! - `funnel`: what versions, the ring and the counts cost above that map.
//! - `http`: what a node costs above an HTTP handler that does nothing.
//! - `replication`: how soon a write is visible on the other nodes.

pub mod connection;
pub mod cpu;
pub mod distribution;
pub mod figure;
pub mod random;
pub mod screen;
pub mod stopwatch;
pub mod table;
pub mod workload;

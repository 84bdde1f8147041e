//! What the benchmarks share: a clock, random numbers, stores and bare libraries, a keep-alive HTTP
//! client, and tables.
//!
//! Each benchmark is a program of its own under `src/bin`, says at its top what it measures, how to
//! read it and how to repeat it, and prints markdown. None of them is a test: on a busy machine only
//! ratios mean anything, and those are taken between rounds that lie beside each other.
//!
//! - `structures`: which map the `memory` backend stands on.
//! - `backends`: each backend against its bare library, and what it takes (writes PERFORMANCE.md).
//!   `allocations` counts for it, and is a program of its own because counting costs time.
//! - `funnel`: what versions, the ring and the counts cost above that map.
//! - `http`: what a node costs above an HTTP handler that does nothing.
//! - `replication`: how soon a write is visible on the other nodes, and what that costs on the wire and in
//!   processor time.
//! - `healing`: how soon all nodes are equal after a partition with writes on both sides.
//! - `bootstrap`: what filling an empty node costs the one that it is filled from.
//! - `slow-peer`: what a peer that is slow, or stands still, costs the others.
//! - `snapshot`: how long a store takes to go out as a file and to come back, and what that costs its node.
//! - `watchers`: what a thousand who watch, and have nothing to hear, cost a writer.
//! - `tls`: what TLS and tokens cost clients, and TLS the links between nodes.
//! - `bad-clients`: what clients that are slow, stand still or do not listen cost a good one.

pub mod bare;
pub mod bulk;
pub mod clients;
pub mod connection;
pub mod contender;
pub mod cpu;
pub mod distribution;
pub mod driven;
pub mod engine;
pub mod equality;
pub mod figure;
pub mod load;
pub mod mesh;
pub mod node;
pub mod page;
pub mod papers;
pub mod process;
pub mod random;
pub mod report;
pub mod resident;
pub mod samples;
pub mod screen;
pub mod stopwatch;
pub mod subject;
pub mod table;
pub mod visibility;
pub mod workload;

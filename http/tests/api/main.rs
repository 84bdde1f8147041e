//! The HTTP side as a client meets it: a real node in this process, and bytes over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test that fails should say where, and measures how long it waited"
)]

mod access;
mod admin;
mod batches;
mod changes;
mod client;
mod console;
mod deadlines;
mod edge;
mod endings;
mod keys;
mod ledger;
mod lists;
mod metrics;
mod node;
mod openapi;
mod peers;
mod prefixes;
mod receipts;
mod snapshots;
mod stores;
mod tls;
mod upkeep;
mod views;
mod waiting;

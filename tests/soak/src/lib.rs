//! The long runs that prove what the persistent backends promise: real nodes are killed, their disks lose power, fill up
//! or are damaged, and what they serve afterwards is held against everything that they acknowledged.
//!
//! Nothing here links against the node: its program, its files and its HTTP answers are all that is known. A run that
//! fails names its seed; the same seed makes the same choices, though not the same moments. `make soak` runs all with
//! full counts, the test `soaking` of the root package a tenth of each. Start reading at `run.rs`, then `ledger.rs`.
//!
//! Two runs need a machine on which this process may mount file systems; elsewhere they say that they were skipped.

mod course;
mod crash;
mod damage;
mod dice;
mod durability;
mod finding;
mod flips;
mod full;
mod ledger;
mod load;
mod mesh;
mod mount;
mod power;
mod power_cut;
mod revival;
mod run;
mod run_error;
mod served;
mod setup;
mod subject;
mod summary;
mod tally;
mod target;
mod value;
mod workplace;
mod writer;

pub use dice::dice;
pub use durability::{Durability, DurabilityError};
pub use finding::{Finding, Kind};
pub use run::{Report, Run};
pub use run_error::RunError;
pub use setup::{Scale, Setup, promising};
pub use summary::Summary;
pub use tally::Tally;
pub use target::{TARGETS, Target};

//! Chaos on real processes: nodes behind proxies that fail, killed and stopped under load, and a judge that holds what
//! clients were told against what the nodes serve.
//!
//! For whoever wants to know what a cluster does on a bad day, also with a configuration of their own (`make chaos`,
//! `make prove CONFIG=...`). It knows the nodes' program, files and answers, and of the wire only where a frame ends. A
//! run names its seed; the same seed makes the same plan, though not the same moments. Start reading at `run.rs`; the
//! proxies (`proxy.rs`, `fault.rs`) and the judge (`judge.rs`) are of use by themselves.
//!
//! It refuses to call anything a fault of the nodes that they do not promise: see `judge.rs`.

mod answer;
mod caller;
mod connection;
mod deck;
mod fault;
mod finding;
mod gates;
mod history;
mod judge;
mod load;
mod nemesis;
mod page;
mod past;
mod pipe;
mod plan;
mod preload;
mod proof;
mod proxy;
mod recovery;
mod request;
mod run;
mod setup;
mod stage;
mod stamp;
mod units;
mod weather;

pub use fault::Fault;
pub use finding::{Finding, PROPERTIES, Property, Verdict};
pub use gates::Gates;
pub use history::History;
pub use judge::judge;
pub use page::Page;
pub use plan::{Blow, Hit, Plan, Step};
pub use proxy::{Gate, Proxy, WhoDials};
pub use run::run;
pub use setup::Setup;
pub use stamp::Stamp;
pub use weather::{Link, Weather};

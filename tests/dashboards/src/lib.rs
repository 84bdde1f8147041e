//! The dashboards of `grafana/`, and the proof that they show something: written by `pages`, held against Grafana's
//! published types, and asked, question by question, of a real Prometheus that scrapes real nodes through trouble.
//!
//! Start reading at `check.rs`, which is the whole proof from top to bottom. What a dashboard shows is in `pages/`, what
//! happens to the cluster in `load.rs` and `fault.rs`. Nothing here links against the node.

mod alarm;
mod check;
mod error;
mod fault;
mod finding;
mod load;
mod mutant;
pub mod operator;
mod page;
pub mod pages;
mod panel;

pub mod question;
pub mod rules;
mod schema;
mod scrape;
mod screen;
mod server;
mod show;
mod tool;
mod trial;
mod yaml;

pub use check::{Check, root};
pub use error::Error;
pub use finding::Finding;
pub use screen::Screen;
pub use show::Show;

//! What is shipped beside the program, held against the program: the unit, the manifests, the list of what may be
//! depended on, and what a service manager is told. What needs a tool that is not here says that it was skipped;
//! `make packaging-check` has more of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod mesh;

#[path = "packaging/compose.rs"]
mod compose;
#[path = "packaging/document.rs"]
mod document;
#[path = "packaging/kubernetes.rs"]
mod kubernetes;
#[path = "packaging/notify.rs"]
mod notify;
#[path = "packaging/program.rs"]
mod program;
#[path = "packaging/supply.rs"]
mod supply;
#[path = "packaging/unit.rs"]
mod unit;

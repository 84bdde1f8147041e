//! What speaks HTTP: routes, problem bodies, limits and metrics.
//!
//! This room turns requests into calls on a [`NodeHandle`](gridkv_actors::node::NodeHandle) and what
//! comes back into responses. It decides nothing about versions, knows no backend, holds no lock and
//! reads no wall clock. What it refuses, it refuses at the door: before anything happened.
//!
//! Reading order: [`config`] has the limits, `routes` the table of everything that is served, `edge`
//! what happens around every request, [`access`] who may do what, `problem` every refusal, [`mod@server`] puts them on a socket.

pub mod access;
mod alarm;
mod bad_tokens;
mod batch_op;
mod batch_reply;
mod batch_request;
mod body;
pub mod certificates;
mod change_format;
mod change_id;
mod change_stream;
mod condition;
pub mod config;
mod connection;
mod cursor;
mod duration;
mod edge;
mod entity_tag;
mod exchange;
mod field;
mod headers;
pub mod host_names;
mod incoming;
mod json_body;
mod key_path;
pub mod log_control;
mod media_type;
mod metrics;
mod openapi;
pub mod operating;
mod parameters;
mod pieces;
mod problem;
mod progress;
mod query;
mod record_view;
mod refusal;
mod request_id;
pub mod rfc3339;
mod role;
pub mod routes;
pub mod server;
pub mod site;
mod snapshot_lines;
mod snapshot_upload;
mod socket;
pub mod stopwatch;
mod store_view;
mod ticks;
pub mod tls;
mod waiting;
mod watchers;

pub use access::Access;
pub use config::HttpConfig;
pub use host_names::HostNames;
pub use log_control::LogControl;
pub use operating::{Build, Operating, ShownConfig};
pub use role::Role;
pub use routes::routes;
pub use server::server;
pub use site::Site;

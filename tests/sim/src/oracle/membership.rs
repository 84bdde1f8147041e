//! A cluster is a cluster's own: nobody of another one is ever among its members.

use gridkv_protocol::NodeId;

use super::Verdict;
use crate::network::At;
use crate::node::NodeFile;

/// Its name.
pub const NAME: &str = "strangers stay out";

/// A node keeps its member set.
///
/// # Errors
/// When a stranger is in it.
pub fn kept(at: At, file: &NodeFile, strangers: &[NodeId]) -> Verdict {
    let inside = strangers.iter().find(|id| file.members.contains(**id));
    inside.map_or(Ok(()), |id| Err(format!("n{at} counts the stranger {id} as a member")))
}

//! Skeleton.
use gridkv_protocol::{Origin, UnixMs};

use crate::handle::StoreHandle;
use crate::views::{ActorView, ClusterView, Readiness};

/// The node as the HTTP layer sees it. Cheap to clone.
#[derive(Clone)]
pub struct NodeHandle {}

impl NodeHandle {
    /// The node's name.
    pub fn name(&self) -> &str { unreachable!() }
    /// Its identity and epoch.
    pub fn origin(&self) -> Origin { unreachable!() }
    /// A store by name.
    pub fn store(&self, _name: &str) -> Option<&StoreHandle> { unreachable!() }
    /// Every store, in order of name.
    pub fn stores(&self) -> impl Iterator<Item = &StoreHandle> + '_ { std::iter::empty() }
    /// Whether the node takes clients, and why not.
    pub fn readiness(&self) -> Readiness { unreachable!() }
    /// Actors that have not turned for ten seconds, by name; empty when all is well.
    pub fn stuck_actors(&self) -> Vec<String> { unreachable!() }
    /// The mesh as this node sees it.
    pub fn cluster(&self) -> ClusterView { unreachable!() }
    /// The actors and what is in flight to them.
    pub fn actors(&self) -> Vec<ActorView> { unreachable!() }
    /// The node's physical time.
    pub fn now(&self) -> UnixMs { unreachable!() }
    /// When the node started.
    pub fn started_at(&self) -> UnixMs { unreachable!() }
}

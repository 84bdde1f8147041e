//! The report: what a node tells its peers in every heartbeat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Proof;
use crate::limits::{MAX_ORIGINS, MAX_STORES};
use crate::welcome::Members;
use crate::{Frontier, Hlc, Origin, StoreName, UnixMs, capped};

/// What a node has, for all its stores, in its present epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who reports, in which run.
    pub origin: Origin,
    /// The sender's physical time when it reported.
    pub now: UnixMs,
    /// The greatest point of its clock.
    pub clock: Hlc,
    /// Whether the sender takes reads and writes from clients.
    pub ready: bool,
    /// Whom the sender counts as members, and whom as forgotten.
    pub members: Members,
    /// One entry per store.
    #[serde(deserialize_with = "capped::seq::<_, _, MAX_STORES>")]
    pub stores: Vec<StoreReport>,
}

/// What a node has of one store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// The store.
    pub store: StoreName,
    /// What is in its state.
    pub applied: Frontier,
    /// What would survive a power cut; equal to `applied` on volatile stores.
    pub durable: Frontier,
    /// Below this, absent keys may have been deleted and forgotten.
    pub floor: Hlc,
    /// A hash of the loose versions per origin.
    #[serde(deserialize_with = "capped::map::<_, _, _, MAX_ORIGINS>")]
    pub loose: BTreeMap<Origin, u64>,
    /// The same of what would survive a power cut.
    #[serde(deserialize_with = "capped::map::<_, _, _, MAX_ORIGINS>")]
    pub durable_loose: BTreeMap<Origin, u64>,
    /// What its state amounts to; `None` while a record is loose, or that is not known yet.
    pub proof: Option<Proof>,
    /// Live keys, for people: `/v1/cluster` shows the whole mesh from any node.
    pub keys: u64,
}

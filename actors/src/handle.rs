//! Skeleton.
use gridkv_protocol::{Key, Record, StoreName, UnixMs};
use gridkv_storage::durability::Durability;
use gridkv_storage::list::{ListQuery, Listing};
use gridkv_storage::stats::{ApplyCounters, OperationCounters, StoreStats};
use gridkv_storage::write::{Batch, ItemOutcome, Write, Written};

use crate::error::{ReadError, WriteError};
use crate::views::CatchUpCounts;

/// The gated door to a store. Cheap to clone.
#[derive(Clone)]
pub struct StoreHandle {}

impl StoreHandle {
    /// The store's name.
    pub fn name(&self) -> &StoreName { unreachable!() }
    /// The backend's name, such as `memory`.
    pub fn backend(&self) -> &str { unreachable!() }
    /// The live record under `key`, from the caller's thread. Counts hit or miss.
    pub fn get(&self, _key: &Key) -> Result<Option<Record>, ReadError> { unreachable!() }
    /// Live keys in byte order, from the caller's thread.
    pub fn list(&self, _query: &ListQuery) -> Result<Listing, ReadError> { unreachable!() }
    /// One write: committed as durably as the store promises when this returns.
    /// `durability`: what it must reach at least.
    pub async fn write(&self, _write: Write, _durability: Option<Durability>) -> Result<Written, WriteError> { unreachable!() }
    /// Several operations in one message. Outcomes in the order of the items.
    pub async fn batch(&self, _batch: Batch) -> Result<Vec<ItemOutcome>, WriteError> { unreachable!() }
    /// A snapshot of statistics.
    pub fn stats(&self) -> StoreStats { unreachable!() }
    /// Counters of client operations.
    pub fn operations(&self) -> &OperationCounters { unreachable!() }
    /// Counters of what came from peers.
    pub fn applies(&self) -> &ApplyCounters { unreachable!() }
    /// Catch-up sessions.
    pub fn catch_up(&self) -> CatchUpCounts { unreachable!() }
    /// Writes in flight to the store's actor, and what they may be at most.
    pub fn in_flight(&self) -> (u64, u64) { unreachable!() }
    /// The node's physical time.
    pub fn now(&self) -> UnixMs { unreachable!() }
}

//! What is measured of a store's commits, beside what the store counts itself: it reads no clock.

use gridkv_storage::histogram::{Histogram, REQUESTS, SIZES};

/// Measurements of one store, since the node started.
#[derive(Debug)]
pub struct StoreMeters {
    /// Changes that were committed together.
    pub commit_sizes: Histogram,
    /// How long those commits took.
    pub commit_times: Histogram,
    /// From the moment of a write at a peer to its commit here.
    pub apply_delays: Histogram,
}

impl Default for StoreMeters {
    fn default() -> Self {
        Self {
            commit_sizes: Histogram::of(&SIZES),
            commit_times: Histogram::of(&REQUESTS),
            apply_delays: Histogram::of(&REQUESTS),
        }
    }
}

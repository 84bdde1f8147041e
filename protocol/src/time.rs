//! Time as the protocol sees it: a number that somebody else read from a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, from a node's physical clock.
///
/// The clock that makes these never goes back while a node runs, so they also serve as timers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// This moment plus `ms` milliseconds; stays at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This moment moved by `ms` milliseconds, forward or back, within all of time.
    #[must_use]
    pub fn moved(self, ms: i64) -> Self {
        Self(self.0.saturating_add_signed(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

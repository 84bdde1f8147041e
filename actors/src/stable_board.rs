//! Where the cluster actor puts how far a store's stable point is, for views to read.

use arc_swap::ArcSwap;
use gridkv_protocol::stability::Stable;

/// How far the stable point is, and who holds it back.
#[derive(Debug, Default)]
pub(crate) struct StableBoard(ArcSwap<Stable>);

impl StableBoard {
    pub(crate) fn put(&self, stable: Stable) {
        if **self.0.load() != stable {
            self.0.store(stable.into());
        }
    }

    pub(crate) fn read(&self) -> Stable {
        **self.0.load()
    }
}

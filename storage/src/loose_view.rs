//! The loose hashes of a store, as its reports show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridkv_protocol::Origin;

/// A snapshot of the loose hashes, replaced when they change.
#[derive(Default)]
pub(crate) struct LooseView(ArcSwap<BTreeMap<Origin, u64>>);

impl LooseView {
    pub(crate) fn load(&self) -> Arc<BTreeMap<Origin, u64>> {
        self.0.load_full()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    pub(crate) fn publish(&self, hashes: BTreeMap<Origin, u64>) {
        if **self.0.load() != hashes {
            self.0.store(Arc::new(hashes));
        }
    }
}

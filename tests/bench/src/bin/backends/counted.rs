//! A backend that counts what is committed to the one beneath it.

use std::ops::Bound;
use std::sync::Arc;

use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Record};
use gridkv_storage::backend::{
    Backend, BackendError, Cache, Commit, CommitError, Footprint, Near, Promises, Walk,
};
use gridkv_storage::durability::Durability;
use gridkv_storage::registry::{Factory, Registry};
use gridkv_storage::stats::Counter;

/// Commits with records, and those records.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// How many commits.
    pub(crate) commits: Counter,
    /// Of how many records.
    pub(crate) records: Counter,
}

/// The built-in backends, of which this one is counted.
pub(crate) fn registry(name: &'static str) -> (Registry, Arc<Commits>) {
    let (built_in, counts) = (Registry::with_built_in(), Arc::<Commits>::default());
    let mut registry = built_in.clone();
    let counting = Arc::clone(&counts);
    let factory: Factory = Arc::new(move |request| {
        let (_, inner, recovered) = built_in.open(name, request)?;
        Ok((Arc::new(Counted { inner, counts: Arc::clone(&counting) }), recovered))
    });
    registry.register(name, factory);
    (registry, counts)
}

struct Counted {
    inner: Arc<dyn Backend>,
    counts: Arc<Commits>,
}

impl Backend for Counted {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        self.inner.get(key)
    }

    fn get_near(&self, key: &str) -> Result<Near, BackendError> {
        self.inner.get_near(key)
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        if !commit.records.is_empty() {
            self.counts.commits.add(1);
            self.counts.records.add(u64::try_from(commit.records.len()).unwrap_or(u64::MAX));
        }
        self.inner.put_batch(commit)
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.inner.clear()
    }

    fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        self.inner.page(after, limit)
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        self.inner.list(from, limit)
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        self.inner.flush(frontier, floor)
    }

    fn compact(&self) -> Result<bool, BackendError> {
        self.inner.compact()
    }

    fn footprint(&self) -> Footprint {
        self.inner.footprint()
    }

    fn as_cache(&self) -> Option<&dyn Cache> {
        self.inner.as_cache()
    }
}

//! The double of a disk: memory that fails when it is told to, and lets others in at bad moments.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Frontier, Hlc, Key, Record};

use crate::backend::{Backend, BackendError, Commit, CommitError, Footprint, Promises, Walk};
use crate::durability::Durability;
use crate::registry::Registry;
use crate::test_store::{TestStore, config};

/// What is done in the middle of a call.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// What a test does to the backend of its store.
#[derive(Default)]
pub(crate) struct Levers {
    broken: AtomicBool,
    full: AtomicBool,
    meanwhile: Mutex<Option<Meanwhile>>,
    listed: AtomicUsize,
}

impl Levers {
    /// From now on commits and flushes fail, or work again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    /// From now on nothing is committed, and nothing breaks by it, or all is well again.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    /// Does this before the next flush or page walk looks at the records.
    pub(crate) fn meanwhile(&self, act: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(act));
    }

    /// Records that lists have had so far.
    pub(crate) fn listed(&self) -> usize {
        self.listed.load(Ordering::Acquire)
    }

    fn works(&self) -> Result<(), BackendError> {
        if self.broken.load(Ordering::Acquire) {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(BackendError::Io { doing: "the disk is full".to_owned(), source });
        }
        Ok(())
    }

    fn interrupt(&self) {
        let act = self.meanwhile.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

struct TestBackend {
    inner: Arc<dyn Backend>,
    levers: Arc<Levers>,
    persistent: bool,
}

/// A store on the double. With `persistent` it claims to be so, at no cost.
pub(crate) fn test_backend(persistent: bool) -> (TestStore, Arc<Levers>) {
    let (mut registry, levers) = (Registry::with_built_in(), Arc::new(Levers::default()));
    let (memory, shared) = (registry.clone(), Arc::clone(&levers));
    registry.register(
        "test",
        Arc::new(move |request| {
            let (_, inner, recovered) = memory.open("memory", request)?;
            let levers = Arc::clone(&shared);
            Ok((Arc::new(TestBackend { inner, levers, persistent }), recovered))
        }),
    );
    (TestStore::of(registry, config("test")), levers)
}

impl Backend for TestBackend {
    fn promises(&self) -> Promises {
        Promises { persistent: self.persistent, ..self.inner.promises() }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        self.inner.get(key)
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        self.levers.works().map_err(CommitError::Unknown)?;
        if self.levers.full.load(Ordering::Acquire) {
            let full = BackendError::DiskFull { free_bytes: 0, wanted_bytes: 1 };
            return Err(CommitError::Unchanged(full));
        }
        self.inner.put_batch(commit)
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.levers.works().map_err(CommitError::Unknown)?;
        self.inner.clear()
    }

    fn page(
        &self,
        after: Option<&PageCursor>,
        limit: usize,
    ) -> Result<Walk<PageCursor>, BackendError> {
        self.levers.interrupt();
        self.inner.page(after, limit)
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let walk = self.inner.list(from, limit)?;
        self.levers.listed.fetch_add(walk.records.len(), Ordering::AcqRel);
        Ok(walk)
    }

    fn flush(&self, frontier: &Frontier, floor: Hlc) -> Result<(), BackendError> {
        self.levers.works()?;
        self.levers.interrupt();
        self.inner.flush(frontier, floor)
    }

    fn footprint(&self) -> Footprint {
        self.inner.footprint()
    }
}

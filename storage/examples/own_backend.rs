//! A backend of one's own, from outside of the crate: a sorted map behind a lock.
//!
//! ```text
//! cargo run -p gridkv-storage --example own_backend
//! ```
//!
//! It is registered by a name, proved by the conformance suite, and then keeps a store like any other.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{
    Epoch, Frontier, Hlc, Key, NodeId, Origin, Record, StoreName, UnixMs, Value,
};
use gridkv_storage::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Walk,
};
use gridkv_storage::conformance;
use gridkv_storage::durability::Durability;
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::store::{self, StoreConfig};
use gridkv_storage::write::{Action, Condition, Ttl, Write};

/// Records in a sorted map. The lock makes a commit all or nothing for readers too.
#[derive(Default)]
struct Tree(RwLock<BTreeMap<Key, Record>>);

impl Backend for Tree {
    fn promises(&self) -> Promises {
        Promises {
            persistent: false,
            cache: false,
            hot_tier: false,
            reads_disk: false,
            durability: Durability::Memory,
            best: Durability::Memory,
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>, BackendError> {
        Ok(self.0.read().map_err(|_| BackendError::Poisoned)?.get(key).cloned())
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        // Nothing panics while it holds the lock, so a map is never half changed.
        let mut records = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for KeyedRecord { key, .. } in commit.removed {
            records.remove(key);
        }
        for KeyedRecord { key, record } in commit.records {
            records.insert(key.clone(), record.clone());
        }
        Ok(Durability::Memory)
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        let all = self.0.read().map_err(|_| BackendError::Poisoned)?;
        let limit = limit.clamp(1, 1_000);
        let stretch = all.range::<str, _>((from, Bound::Unbounded)).take(limit);
        let records: Vec<KeyedRecord> = stretch
            .map(|(key, record)| KeyedRecord { key: key.clone(), record: record.clone() })
            .collect();
        let next = records.last().filter(|_| records.len() == limit).map(|last| last.key.clone());
        Ok(Walk { records, next })
    }

    fn flush(&self, _frontier: &Frontier, _floor: Hlc) -> Result<(), BackendError> {
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }
}

/// Registers it, proves it, and keeps a store on it.
///
/// # Errors
/// What went wrong on the way.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::with_built_in();
    registry.register("tree", Arc::new(|_| Ok((Arc::new(Tree::default()), Recovered::default()))));

    let request = OpenRequest::new(StoreName::new("mine")?, None);
    conformance::run(&|| {
        let (_, backend, recovered) = registry.open("tree", &request)?;
        Ok((backend, recovered))
    })?;

    let config = StoreConfig {
        name: StoreName::new("mine")?,
        backend: "tree".to_owned(),
        default_ttl_ms: None,
        memory_limit_bytes: None,
        refuse_over_limit: false,
        ring_slots: 8_192,
    };
    let now = UnixMs(1_700_000_000_000);
    let mut mine = store::open(&registry, config, Origin::new(NodeId(1), Epoch(1)), &request)?;
    let key = Key::new("greeting")?;
    let action =
        Action::Put { value: Value::copied(b"hello"), content_type: None, ttl: Ttl::Unlimited };
    mine.writer.stage(Write { key: key.clone(), action, condition: Condition::default() }, now)?;
    mine.writer.commit(Durability::Memory)?;
    let found = mine.reader.get(&key, now)?.ok_or("what was put is there")?;
    writeln!(std::io::stdout(), "tree conforms; greeting has version {}", found.version)?;
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "a test calls what it calls"))]
fn main() -> Result<(), Box<dyn Error>> {
    run()
}

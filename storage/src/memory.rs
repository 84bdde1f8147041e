//! The `memory` backend: a map, and nothing survives the process.

use std::ops::Bound;
use std::sync::Arc;

use gridkv_protocol::{Frontier, Hlc, Key, Record};

use crate::backend::{
    Backend, BackendError, Commit, CommitError, Footprint, Promises, Recovered, Room, Walk,
};
use crate::durability::Durability;
use crate::map::RecordMap;
use crate::registry::OpenRequest;

/// Opens an empty map.
pub(crate) fn open(_request: &OpenRequest) -> (Arc<dyn Backend>, Recovered) {
    (Arc::new(Memory::default()), Recovered::default())
}

/// Records in memory only.
#[derive(Default)]
struct Memory {
    map: RecordMap,
}

impl Backend for Memory {
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
        Ok(self.map.get(key))
    }

    fn put_batch(&self, commit: &Commit<'_>) -> Result<Durability, CommitError> {
        self.map.take(commit).map_err(CommitError::Unknown)?;
        Ok(Durability::Memory)
    }

    fn clear(&self) -> Result<(), CommitError> {
        self.map.clear().map_err(CommitError::Unknown)
    }

    fn list(&self, from: Bound<&str>, limit: usize) -> Result<Walk<Key>, BackendError> {
        self.map.list(from, limit)
    }

    fn flush(&self, _frontier: &Frontier, _floor: Hlc) -> Result<(), BackendError> {
        Ok(())
    }

    fn room(&self, records: usize) -> Option<Box<dyn Room + '_>> {
        let room = self.map.room(records)?;
        Some(Box::new(room))
    }

    fn footprint(&self) -> Footprint {
        Footprint { structure_bytes: self.map.structure_bytes(), ..Footprint::default() }
    }
}

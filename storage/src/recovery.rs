//! What a store finds out about its records when it is opened: from the backend's index, or by reading
//! every record.

use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc};

use crate::account::Account;
use crate::backend::{Backend, BackendError, Index, Walk};
use crate::map::WALK_CHUNK;
use crate::schedule::{Deadlines, Graveyard, deadline, ripe};

/// What a writer starts from.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) account: Account,
    pub(crate) loose: LooseSet,
    pub(crate) deadlines: Deadlines,
    pub(crate) graves: Graveyard,
    /// No record's version is later.
    pub(crate) greatest: Hlc,
}

impl Recovery {
    /// Takes what the index says; without one, or when records are loose, reads everything.
    ///
    /// # Errors
    /// [`BackendError`] when records can not be read.
    pub(crate) fn of(
        backend: &dyn Backend,
        frontier: &Frontier,
        index: Option<Index>,
    ) -> Result<Self, BackendError> {
        match index {
            Some(index) if !index.counts.loose => Ok(Self::from_index(index)),
            Some(_) | None => Self::from_records(backend, frontier),
        }
    }

    fn from_index(Index { counts, deadlines, graves }: Index) -> Self {
        Self {
            account: Account::of(&counts),
            loose: LooseSet::default(),
            deadlines: deadlines.into_iter().collect(),
            graves: graves.into_iter().flatten().collect(),
            greatest: counts.greatest,
        }
    }

    fn from_records(backend: &dyn Backend, frontier: &Frontier) -> Result<Self, BackendError> {
        let mut found = Self::default();
        let mut cursor = None;
        loop {
            let Walk { records, next } = backend.page(cursor.as_ref(), WALK_CHUNK)?;
            for KeyedRecord { key, record } in records {
                found.account.add(&key, &record);
                found.loose.hold(record.version, frontier);
                found.greatest = found.greatest.max(record.version.hlc);
                if let Some(at) = deadline(&record) {
                    found.deadlines.add(at, key);
                } else if let Some(at) = ripe(&record) {
                    found.graves.add(at, key);
                }
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

//! What a store finds out about its records when it is opened: from the backend's index, or by reading
//! every record.

use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc};

use crate::account::Account;
use crate::backend::{Backend, BackendError, Index, Walk};
use crate::digest_keeper::DigestKeeper;
use crate::map::WALK_CHUNK;
use crate::schedule::{Deadlines, Graveyard, deadline, ripe};
use crate::survey::Survey;

/// What a writer starts from.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) account: Account,
    pub(crate) loose: LooseSet,
    pub(crate) deadlines: Deadlines,
    pub(crate) graves: Graveyard,
    /// Of the records that `survey` has passed.
    pub(crate) digest: DigestKeeper,
    /// What is still to be read; `None`: nothing.
    pub(crate) survey: Option<Survey>,
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
            Some(index) if !index.counts.loose => Ok(Self::from_index(index, frontier)),
            Some(_) | None => Self::from_records(backend, frontier),
        }
    }

    fn from_index(Index { counts, deadlines, graves }: Index, frontier: &Frontier) -> Self {
        let is_empty = counts.keys == 0 && counts.tombstones == 0;
        Self {
            account: Account::of(&counts),
            deadlines: deadlines.into_iter().collect(),
            graves: graves.into_iter().flatten().collect(),
            survey: (!is_empty).then(Survey::default),
            greatest: counts.greatest,
            ..Self::nothing(frontier)
        }
    }

    fn nothing(frontier: &Frontier) -> Self {
        Self {
            account: Account::default(),
            loose: LooseSet::default(),
            deadlines: Deadlines::default(),
            graves: Graveyard::default(),
            digest: DigestKeeper::at(frontier.clone()),
            survey: None,
            greatest: Hlc::ZERO,
        }
    }

    fn from_records(backend: &dyn Backend, frontier: &Frontier) -> Result<Self, BackendError> {
        let mut found = Self::nothing(frontier);
        let mut cursor = None;
        loop {
            let Walk { records, next } = backend.page(cursor.as_ref(), WALK_CHUNK)?;
            for KeyedRecord { key, record } in records {
                found.account.add(&key, &record);
                found.loose.hold(record.version, frontier);
                found.digest.hold(&key, &record);
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

//! What is to be written so that a store takes in a snapshot: both are walked in byte order, side by side.
//!
//! It decides and writes nothing. It keeps no more than a stretch of each in memory.

use std::collections::VecDeque;

use gridkv_protocol::limits::{RESTORE_BYTES, RESTORE_OPS};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Live, Record, State, UnixMs, Version};
use gridkv_storage::backend::BackendError;
use gridkv_storage::reader::{LiveWalk, StoreReader};
use gridkv_storage::write::{Action, Condition, Matcher, Ttl, Write};

use crate::restore::{RestoreMode, Restored};
use crate::spool::{SpoolError, Spooled};

/// Records that are looked at for one step, at most: most may need nothing.
const LOOK: usize = 4_096;

/// Why a plan does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A walk over a snapshot, beside a store.
pub(crate) struct Plan {
    mode: RestoreMode,
    reader: StoreReader,
    spooled: Spooled,
    records: VecDeque<KeyedRecord>,
    /// What the store holds, where all of it is to be looked at.
    here: Option<Here>,
    /// What needed no write, and what was written.
    pub(crate) counted: Restored,
}

struct Here {
    walk: LiveWalk,
    records: VecDeque<KeyedRecord>,
}

impl Plan {
    pub(crate) fn new(mode: RestoreMode, reader: StoreReader, spooled: Spooled) -> Self {
        let here = (mode == RestoreMode::Replace)
            .then(|| Here { walk: reader.live_walk(), records: VecDeque::new() });
        let (records, counted) = (VecDeque::new(), Restored::default());
        Self { mode, reader, spooled, records, here, counted }
    }

    /// The next writes, so few that they fit one commit; maybe none. `None`: it is over.
    pub(crate) fn next_step(&mut self, now: UnixMs) -> Result<Option<Vec<Write>>, PlanError> {
        let (mut step, mut bytes) = (Vec::new(), 0);
        for _ in 0..LOOK {
            if step.len() >= RESTORE_OPS || bytes >= RESTORE_BYTES {
                break;
            }
            let found = match self.next_keyed()? {
                Some(keyed) => self.judge(keyed, now)?,
                None => match self.next_other(None, now)? {
                    Some(other) => Some(other),
                    None if step.is_empty() => return Ok(None),
                    None => break,
                },
            };
            if let Some(write) = found {
                bytes += weight(&write);
                step.push(write);
            }
        }
        Ok(Some(step))
    }

    /// The next record of the snapshot.
    fn next_keyed(&mut self) -> Result<Option<KeyedRecord>, PlanError> {
        while self.records.is_empty() {
            match self.spooled.next_records()? {
                Some(records) => self.records.extend(records),
                None => return Ok(None),
            }
        }
        Ok(self.records.pop_front())
    }

    /// The write that a record of the snapshot needs, or one that comes before it.
    fn judge(&mut self, keyed: KeyedRecord, now: UnixMs) -> Result<Option<Write>, PlanError> {
        let KeyedRecord { key, record } = keyed;
        let State::Live(live) = record.state else { return Ok(None) };
        if live.is_due(now) {
            self.counted.expired += 1;
            return Ok(None);
        }
        let version = record.version;
        let condition = match self.mode {
            RestoreMode::Merge => {
                let standing = self.reader.standing(&key)?;
                (standing.is_none_or(|standing| standing.version < version))
                    .then(|| Condition { if_older_than: Some(version), ..Condition::default() })
            }
            RestoreMode::Missing => {
                let standing = self.reader.standing(&key)?;
                let is_absent = standing.and_then(|it| it.live_at(now).map(|_| ())).is_none();
                let any = Some(Matcher::Any);
                is_absent.then(|| Condition { if_none_match: any, ..Condition::default() })
            }
            RestoreMode::Replace => {
                if let Some(other) = self.next_other(Some(&key), now)? {
                    let record = Record { version, state: State::Live(live) };
                    self.records.push_front(KeyedRecord { key, record });
                    return Ok(Some(other));
                }
                let same = self.take_here(&key).is_some_and(|here| says(&here, &live));
                (!same).then(Condition::default)
            }
        };
        let Some(condition) = condition else {
            self.counted.skipped_older += 1;
            return Ok(None);
        };
        let Live { value, content_type, expires_at } = live;
        let ttl = expires_at.map_or(Ttl::Unlimited, Ttl::Until);
        Ok(Some(Write { key, action: Action::Put { value, content_type, ttl }, condition }))
    }

    /// The deletion of the next key that only the store has, before `until` if there is one. What was
    /// written since the plan began stays.
    fn next_other(&mut self, until: Option<&Key>, now: UnixMs) -> Result<Option<Write>, PlanError> {
        let Some(here) = &mut self.here else { return Ok(None) };
        loop {
            while here.records.is_empty() && !here.walk.is_over() {
                here.records.extend(here.walk.next_records(now)?);
            }
            let is_before = |keyed: &KeyedRecord| until.is_none_or(|until| keyed.key < *until);
            if !here.records.front().is_some_and(is_before) {
                return Ok(None);
            }
            let Some(other) = here.records.pop_front() else { return Ok(None) };
            if here.walk.began_with(other.record.version) {
                return Ok(Some(deletion(other.key, other.record.version)));
            }
        }
    }

    /// What the store holds under `key`, when the walk over it has come that far.
    fn take_here(&mut self, key: &Key) -> Option<Record> {
        let here = self.here.as_mut()?;
        here.records.front().filter(|keyed| keyed.key == *key)?;
        here.records.pop_front().map(|keyed| keyed.record)
    }
}

/// Whether a record says just this.
fn says(record: &Record, live: &Live) -> bool {
    matches!(&record.state, State::Live(here) if here == live)
}

fn deletion(key: Key, version: Version) -> Write {
    let if_match = Some(Matcher::OneOf(vec![version]));
    let condition = Condition { if_match, ..Condition::default() };
    Write { key, action: Action::Delete, condition }
}

fn weight(write: &Write) -> usize {
    match &write.action {
        Action::Put { value, .. } => write.key.len() + value.len(),
        Action::Delete | Action::Touch { .. } => write.key.len(),
    }
}

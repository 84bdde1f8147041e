//! What clients ask of the writer: conditions, lifetimes, room, and the mint.

use std::collections::HashMap;
use std::sync::Arc;

use gridkv_protocol::op_log::LoggedOp;
use gridkv_protocol::{Hlc, Key, Live, Op, Record, State, UnixMs, Version};

use super::StoreWriter;
use crate::account::Account;
use crate::backend::{BackendError, Cache, Standing};
use crate::stats::{OpKind, Undone};
use crate::store::Shared;
use crate::write::{Action, Rejection, Ttl, Write, Written};

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It was refused. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The backend could not be read. Nothing was changed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl PutError {
    /// How it is counted.
    fn undone(&self) -> Undone {
        match self {
            Self::Rejected(rejection) => rejection.undone(),
            Self::Backend(_) => Undone::Error,
        }
    }
}

impl StoreWriter {
    /// Makes a client's write part of the next commit.
    ///
    /// # Errors
    /// [`PutError`] when it is refused: then nothing was changed.
    pub fn stage(&mut self, write: Write, now: UnixMs) -> Result<Written, PutError> {
        let kind = OpKind::of(&write.action);
        let staged = self.mint(write, now);
        if let Err(error) = &staged {
            self.shared.operations.fail(kind, error.undone());
        }
        staged
    }

    fn mint(&mut self, write: Write, now: UnixMs) -> Result<Written, PutError> {
        let standing = self.standing(&write.key)?;
        let current = standing.record().filter(|record| record.live_at(now).is_some());
        let state = self.next_state(&write, (standing.version(), current), now)?;
        let mut record = self.unborn(state);
        let due = record.expired_at(now);
        let kept = due.as_ref().unwrap_or(&record);
        self.room_for(&write, standing.record(), kept, self.pending.account())?;
        let existed = current.is_some();
        let kind = OpKind::of(&write.action);
        let expires_at = match &record.state {
            State::Live(live) => live.expires_at,
            State::Expired { .. } | State::Deleted => None,
        };
        let version = Version { hlc: self.clock.mint(now), origin: self.origin };
        record.version = version;
        let op = Op { key: write.key, record };
        self.pending.log(LoggedOp { op: op.clone(), seen: Arc::clone(&self.others) });
        self.admit(op, &standing, now);
        (self.own_upto, self.last_written) = (version.hlc, version.hlc);
        let counted = self.pending.counted();
        match kind {
            OpKind::Delete => counted.delete += 1,
            OpKind::Touch => counted.touch += 1,
            OpKind::Put | OpKind::Get | OpKind::List | OpKind::Batch => counted.put += 1,
        }
        let durability = self.shared.promises.durability;
        Ok(Written { version, existed, expires_at, durability })
    }

    /// What a write would make of `current`, the live record beneath the version that stands, or why it is
    /// refused. Changes nothing.
    fn next_state(
        &self,
        write: &Write,
        (standing, current): (Option<Version>, Option<&Record>),
        now: UnixMs,
    ) -> Result<State, Rejection> {
        let version = current.map(|record| record.version);
        let live = current.and_then(|record| record.live_at(now));
        if !write.condition.holds(version) || !write.condition.holds_beside(standing) {
            return Err(Rejection::PreconditionFailed { current: version });
        }
        let deadline = |ttl| self.deadline(ttl, live, now);
        match &write.action {
            Action::Delete => Ok(State::Deleted),
            Action::Touch { ttl } => match live {
                Some(live) => Ok(State::Live(Live { expires_at: deadline(*ttl), ..live.clone() })),
                None => Err(Rejection::KeyNotFound),
            },
            Action::Put { value, content_type, ttl } => Ok(State::Live(Live {
                value: value.clone(),
                content_type: content_type.clone(),
                expires_at: deadline(*ttl),
            })),
        }
    }

    /// A record whose version is not minted: one that nobody can name yet.
    fn unborn(&self, state: State) -> Record {
        Record { version: Version { hlc: Hlc::ZERO, origin: self.origin }, state }
    }

    fn deadline(&self, ttl: Ttl, live: Option<&Live>, now: UnixMs) -> Option<UnixMs> {
        match ttl {
            Ttl::StoreDefault => self.shared.config.default_ttl_ms.map(|ms| now.plus(ms)),
            Ttl::Keep => live.and_then(|live| live.expires_at),
            Ttl::Unlimited => None,
            Ttl::Ms(ms) => Some(now.plus(ms)),
            Ttl::Until(deadline) => Some(deadline),
        }
    }

    /// The account of a commit of `pending` and this write, or a refusal: a put may not grow a full
    /// store, and a cache keeps no record that would take too much of it.
    fn room_for(
        &self,
        Write { key, action, .. }: &Write,
        standing: Option<&Record>,
        record: &Record,
        pending: &Account,
    ) -> Result<Account, Rejection> {
        let Shared { config, backend, .. } = &*self.shared;
        let cache = backend.as_cache();
        let bytes = key.len() + record.content_bytes();
        if let Some(limit_bytes) = cache.map(Cache::largest_record).filter(|limit| bytes > *limit) {
            return Err(Rejection::TooLarge { limit_bytes });
        }
        let mut after = *pending;
        if let Some(standing) = standing {
            after.remove(key, standing);
        }
        after.add(key, record);
        // A cache makes room by itself, and its account does not follow.
        let limit_bytes = config.memory_limit_bytes.filter(|_| cache.is_none());
        let Some(limit_bytes) = limit_bytes else { return Ok(after) };
        let grows = matches!(action, Action::Put { .. }) && after.bytes > pending.bytes;
        if !(config.refuse_over_limit && grows) {
            return Ok(after);
        }
        let held_bytes = self.shared.memory_bytes();
        if held_bytes.saturating_add_signed(after.bytes) > limit_bytes {
            let used_bytes = held_bytes.saturating_add_signed(pending.bytes);
            return Err(Rejection::MemoryLimit { used_bytes, limit_bytes });
        }
        Ok(after)
    }

    /// Checks every write of an atomic batch before any is staged. Says which one is refused, and counts it.
    ///
    /// # Errors
    /// The place and reason of the first write that would be refused; nothing was changed.
    pub fn check(&self, writes: &[Write], now: UnixMs) -> Result<(), (usize, PutError)> {
        let checked = self.try_out(writes, now);
        if let Err((at, error)) = &checked
            && let Some(write) = writes.get(*at)
        {
            self.shared.operations.fail(OpKind::of(&write.action), error.undone());
        }
        checked
    }

    fn try_out(&self, writes: &[Write], now: UnixMs) -> Result<(), (usize, PutError)> {
        let mut scratch: HashMap<&Key, Record> = HashMap::new();
        let mut account = *self.pending.account();
        for (at, write) in writes.iter().enumerate() {
            let earlier = scratch.get(&write.key);
            let standing = match earlier {
                Some(left) => Standing::Record(left.clone()),
                None => self.standing(&write.key).map_err(|error| (at, error.into()))?,
            };
            let current = standing.record().filter(|record| record.live_at(now).is_some());
            let refused =
                |rejection: Rejection| (at, nameable(rejection, earlier.is_some()).into());
            let standing_version = standing.version();
            let state =
                self.next_state(write, (standing_version, current), now).map_err(refused)?;
            let record = self.unborn(state);
            let record = record.expired_at(now).unwrap_or(record);
            account =
                self.room_for(write, standing.record(), &record, &account).map_err(refused)?;
            scratch.insert(&write.key, record);
        }
        Ok(())
    }

    /// The live record under `key`, as the writes staged so far leave it.
    ///
    /// # Errors
    /// [`BackendError`] when it can not be read.
    pub fn get(&self, key: &Key, now: UnixMs) -> Result<Option<Record>, BackendError> {
        let standing = match self.standing(key)? {
            Standing::Record(record) => Some(record),
            Standing::Absent | Standing::Residue(_) => None,
        };
        Ok(standing.filter(|record| record.live_at(now).is_some()))
    }
}

/// A refusal as a client may see it: a version that a write of the same batch would get is not minted.
fn nameable(rejection: Rejection, unborn: bool) -> Rejection {
    if unborn && matches!(rejection, Rejection::PreconditionFailed { .. }) {
        return Rejection::PreconditionFailed { current: None };
    }
    rejection
}

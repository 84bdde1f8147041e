//! Putting a snapshot into a store: kept aside until it is whole, then written like any client's writes.
//!
//! What is written gets new versions, so that it replicates like everything else; the versions of the file
//! only decide what is written. It goes in commits of a bounded size, between the writes of clients. What
//! ends in the middle stays as far as it came, and says so; doing it again goes on from there.

use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::limits::RESTORE_WAIT_MS;
use gridkv_protocol::op::KeyedRecord;
use gridkv_storage::write::{Action, Batch, BatchItem, ItemOutcome, Rejection, Write};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{RestoreError, WriteError, describe};
use crate::handle::StoreHandle;
use crate::restore_plan::{Plan, PlanError};
use crate::spool::{Spool, SpoolError};

/// Milliseconds between two tries to get a turn among the writes of clients.
const PAUSE_MS: u64 = 20;

/// Which records of a snapshot are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreMode {
    /// Those that are newer than what stands under their key, dead or alive, or where nothing does.
    Merge,
    /// Those whose key has no value.
    Missing,
    /// Those that differ; and every other key that had a value when it began is deleted.
    Replace,
}

/// What became of the records of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Written.
    pub applied: u64,
    /// Not written: what is here is newer, or there, or the same, as the mode has it.
    pub skipped_older: u64,
    /// Not written: its deadline has passed.
    pub expired: u64,
    /// Other keys that were deleted.
    pub deleted: u64,
}

/// A snapshot on its way into a store.
pub struct Restore {
    store: StoreHandle,
    spool: Spool,
    seat: OwnedSemaphorePermit,
}

impl StoreHandle {
    /// Makes ready to take in a snapshot.
    ///
    /// # Errors
    /// [`RestoreError`]: the node takes no writes, or another one is under way.
    pub async fn restore(&self) -> Result<Restore, RestoreError> {
        let refused = |error| RestoreError::Write { error, done: Restored::default() };
        self.takes_writes().map_err(refused)?;
        self.check_clock().map_err(refused)?;
        let seat = Arc::clone(&self.inner().restores).try_acquire_owned();
        let seat = seat.map_err(|_| RestoreError::Running)?;
        let (dir, name) = (self.inner().spool_dir.clone(), self.name().clone());
        let spool = on_disk(move || Spool::create(&dir, &name)).await?;
        Ok(Restore { store: self.clone(), spool, seat })
    }
}

impl Restore {
    /// Keeps records, whose keys ascend. Nothing is written to the store.
    ///
    /// # Errors
    /// [`RestoreError`] when they can not be kept.
    pub async fn add(self, records: Vec<KeyedRecord>) -> Result<Self, RestoreError> {
        let Self { store, mut spool, seat } = self;
        let spool = on_disk(move || spool.add(&records).map(|()| spool)).await?;
        Ok(Self { store, spool, seat })
    }

    /// All has come: puts it into the store, or, as a `trial`, only says what that would do.
    ///
    /// # Errors
    /// [`RestoreError`], which says what was done by then.
    pub async fn apply(self, mode: RestoreMode, trial: bool) -> Result<Restored, RestoreError> {
        let Self { store, spool, seat: _seat } = self;
        let spooled = on_disk(move || spool.read()).await?;
        let reader = store.inner().reader.clone();
        let _room = if trial { None } else { reader.room(spooled.count) };
        let mut plan = Plan::new(mode, store.inner().reader.clone(), spooled);
        loop {
            let (done, now) = (plan.counted, store.now());
            let step = move || plan.next_step(now).map(|step| (plan, step));
            let planned = tokio::task::spawn_blocking(step).await;
            let why = match planned {
                Ok(Ok((going_on, None))) => return Ok(going_on.counted),
                Ok(Ok((mut going_on, Some(step)))) => {
                    if trial {
                        going_on.counted.foresee(&step);
                    } else if !step.is_empty() {
                        write(&store, step, &mut going_on.counted).await?;
                    }
                    plan = going_on;
                    continue;
                }
                Ok(Err(error)) => describe_plan(&error),
                Err(_) => "the thread that planned it died".to_owned(),
            };
            return Err(RestoreError::Failed { why, done });
        }
    }
}

impl Restored {
    /// Counts writes as if they were made.
    fn foresee(&mut self, step: &[Write]) {
        for write in step {
            match write.action {
                Action::Put { .. } => self.applied += 1,
                Action::Delete | Action::Touch { .. } => self.deleted += 1,
            }
        }
    }

    /// Counts what became of a write. Says why, if it was refused.
    fn count(&mut self, is_put: bool, outcome: ItemOutcome) -> Option<Rejection> {
        match outcome {
            ItemOutcome::Written(_) if is_put => self.applied += 1,
            ItemOutcome::Written(written) => self.deleted += u64::from(written.existed),
            // Somebody wrote the key since it was looked at.
            ItemOutcome::Rejected(Rejection::PreconditionFailed { .. }) => {
                self.skipped_older += u64::from(is_put);
            }
            ItemOutcome::Rejected(rejection) => return Some(rejection),
            ItemOutcome::Read(_) => {}
        }
        None
    }
}

/// Makes the writes of one step, and counts them.
async fn write(
    store: &StoreHandle,
    step: Vec<Write>,
    counted: &mut Restored,
) -> Result<(), RestoreError> {
    let puts: Vec<bool> =
        step.iter().map(|write| matches!(write.action, Action::Put { .. })).collect();
    let items = step.into_iter().map(BatchItem::Write).collect();
    let batch = Batch { atomic: false, items, durability: None };
    let mut left = RESTORE_WAIT_MS / PAUSE_MS;
    let outcomes = loop {
        match store.batch(batch.clone()).await {
            Err(WriteError::Overloaded) if left > 0 => {
                left -= 1;
                tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
            }
            outcomes => break outcomes,
        }
    };
    let outcomes = outcomes.map_err(|error| RestoreError::Write { error, done: *counted })?;
    let mut refused = None;
    for (is_put, outcome) in puts.into_iter().zip(outcomes) {
        refused = counted.count(is_put, outcome).or(refused);
    }
    match refused {
        None => Ok(()),
        Some(rejection) => Err(RestoreError::Write { error: rejection.into(), done: *counted }),
    }
}

/// Does what has to do with the file on a thread that may wait for the disk. Nothing of the store is changed.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, RestoreError> {
    let done = Restored::default();
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) if error.is_full() => Err(RestoreError::DiskFull(describe(&error))),
        Ok(Err(error)) => Err(RestoreError::Failed { why: describe(&error), done }),
        Err(_) => Err(RestoreError::Failed { why: "the thread that wrote it died".into(), done }),
    }
}

fn describe_plan(error: &PlanError) -> String {
    match error {
        PlanError::Spool(error) => describe(error),
        PlanError::Backend(error) => describe(error),
    }
}

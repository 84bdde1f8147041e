//! What a storage actor answers: outcomes and refusals, made of what the store said.

use gridkv_protocol::message::{BatchAnswer, BatchOutcome, Message, StoreBatch};
use gridkv_protocol::{OpBatch, UnixMs};
use gridkv_storage::backend::BackendError;
use gridkv_storage::durability::Durability;
use gridkv_storage::write::{BatchItem, ItemOutcome, Rejection, Write};
use gridkv_storage::writer::{PutError, StoreWriter};

use crate::catch_up_actor::Gap;
use crate::error::{WriteError, describe};
use crate::post::post;
use crate::storage_messages::ApplyBatch;

/// The first write of an atomic batch that would be refused, by its place among all items.
pub(super) fn first_refused(
    store: &StoreWriter,
    items: &[BatchItem],
    now: UnixMs,
) -> Result<Option<(usize, Rejection)>, WriteError> {
    let (places, writes): (Vec<usize>, Vec<Write>) = items
        .iter()
        .enumerate()
        .filter_map(|(at, item)| match item {
            BatchItem::Write(write) => Some((at, write.clone())),
            BatchItem::Get(_) => None,
        })
        .unzip();
    match store.check(&writes, now) {
        Ok(()) => Ok(None),
        Err((nth, PutError::Rejected(rejection))) => {
            Ok(Some((places.get(nth).copied().unwrap_or(nth), rejection)))
        }
        Err((_, error)) => Err(refusal(error)),
    }
}

/// Outcomes with what their commit survives.
pub(super) fn all_reached(mut outcomes: Vec<ItemOutcome>, reached: Durability) -> Vec<ItemOutcome> {
    for outcome in &mut outcomes {
        if let ItemOutcome::Written(written) = outcome {
            written.durability = reached;
        }
    }
    outcomes
}

/// What an atomic batch answers when the write at `at` is refused: nothing was done.
pub(super) fn aborted(items: &[BatchItem], at: usize, rejection: &Rejection) -> Vec<ItemOutcome> {
    let outcome = |place| if place == at { rejection.clone() } else { Rejection::BatchAborted };
    (0..items.len()).map(|place| ItemOutcome::Rejected(outcome(place))).collect()
}

/// A write that was not made because of this.
pub(super) fn refusal(error: PutError) -> WriteError {
    match error {
        PutError::Rejected(rejection) => WriteError::Rejected(rejection),
        PutError::Backend(error) => unreadable(&error),
    }
}

/// What stands under a key can not be read: nothing was changed.
pub(super) fn unreadable(error: &BackendError) -> WriteError {
    if matches!(error, BackendError::Poisoned) {
        return WriteError::Poisoned;
    }
    let reason = describe(error);
    tracing::error!(reason, "a store can not be read");
    WriteError::NotCommitted(reason)
}

pub(super) fn answer(request: ApplyBatch, outcome: BatchOutcome) {
    let ApplyBatch { peer, batch: StoreBatch { store, batch }, answer_to, catch_up, permit } =
        request;
    if matches!(outcome, BatchOutcome::Gap { .. }) {
        post(&catch_up, Gap { peer });
    }
    let (origin, after, upto) = (batch.origin, batch.after, batch.upto);
    let answer = Message::Answer(BatchAnswer { store, origin, after, upto, outcome });
    answer_to.send(&answer);
    drop(permit);
}

/// The batch with its ops; what stays behind is what its answer needs.
pub(super) fn take_ops(batch: &mut StoreBatch) -> OpBatch {
    let ops = std::mem::take(&mut batch.batch.ops);
    let seen = std::mem::take(&mut batch.batch.seen);
    OpBatch { ops, seen, ..batch.batch.clone() }
}

//! Batches of clients: several operations in one message.

use actix::{Context, Handler};
use gridkv_protocol::UnixMs;
use gridkv_storage::stats::{OpKind, Undone};
use gridkv_storage::write::{Batch, BatchItem, ItemOutcome};

use super::answers::{aborted, first_refused, refusal, unreadable};
use super::{StorageActor, Waiting};
use crate::error::WriteError;
use crate::post::answer as reply_to;
use crate::storage_messages::ClientBatch;

impl StorageActor {
    /// The outcomes of a batch, and why nothing of it was done, if that is so.
    fn batch(
        &mut self,
        batch: Batch,
        now: UnixMs,
    ) -> Result<(Vec<ItemOutcome>, Option<Undone>), WriteError> {
        if batch.has_writes() {
            self.check_clock()?;
        }
        self.check_durability(batch.durability)?;
        let refused =
            if batch.atomic { first_refused(&self.writer, &batch.items, now)? } else { None };
        if let Some((at, rejection)) = refused {
            return Ok((aborted(&batch.items, at, &rejection), Some(rejection.undone())));
        }
        self.asked = self.asked.max(batch.durability.unwrap_or_default());
        let outcomes: Result<_, _> =
            batch.items.into_iter().map(|item| self.item(item, now)).collect();
        Ok((outcomes?, None))
    }

    fn item(&mut self, item: BatchItem, now: UnixMs) -> Result<ItemOutcome, WriteError> {
        match item {
            BatchItem::Get(key) => {
                let (read, counters) = (self.writer.get(&key, now), self.reader.operations());
                match &read {
                    Ok(Some(_)) => counters.get_hit.add(1),
                    Ok(None) => counters.get_miss.add(1),
                    Err(_) => counters.fail(OpKind::Get, Undone::Error),
                }
                Ok(ItemOutcome::Read(read.map_err(|error| unreadable(&error))?))
            }
            BatchItem::Write(write) => match self.writer.stage(write, now).map_err(refusal) {
                Ok(written) => Ok(ItemOutcome::Written(written)),
                Err(WriteError::Rejected(rejection)) => Ok(ItemOutcome::Rejected(rejection)),
                Err(error) => Err(error),
            },
        }
    }
}

impl Handler<ClientBatch> for StorageActor {
    type Result = ();

    fn handle(&mut self, message: ClientBatch, ctx: &mut Context<Self>) {
        let ClientBatch { batch, reply, permit } = message;
        let now = self.now();
        match self.batch(batch, now) {
            Ok((outcomes, undone)) => {
                self.wait(Waiting::Batch(reply, outcomes, permit, undone), ctx);
            }
            Err(error) => {
                if matches!(error, WriteError::NotCommitted(_)) {
                    self.give_up(&error);
                }
                self.reader.operations().fail(OpKind::Batch, error.undone());
                drop(permit);
                reply_to(reply, Err(error));
            }
        }
    }
}

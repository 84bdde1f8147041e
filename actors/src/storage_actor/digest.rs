//! What a storage actor does for the digest of its store: it reads, between writes, what the store was opened
//! with, and says what it all amounts to.

use actix::{AsyncContext, Context, Handler, Message};
use gridkv_protocol::convergence::Sums;

use super::StorageActor;
use crate::error::describe;
use crate::post::answer as reply_to;
use crate::storage_messages::TellDigest;

/// Stretches of the survey in one heartbeat, at most: it takes its time, and a small part of the thread.
const STRETCHES: u32 = 16;

/// How far the survey of a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Survey {
    /// It goes on with the next tick.
    #[default]
    Waits,
    /// A stretch is on its way.
    Walks,
    /// Some records could not be read. The log was told; it is tried again.
    Failed,
    /// All is known.
    Done,
}

/// Read the next stretch, and so many more.
#[derive(Message)]
#[rtype(result = "()")]
struct NextStretch(u32);

impl StorageActor {
    /// Goes on with the survey, if it has not come to its end.
    pub(super) fn survey_on(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.survey, Survey::Waits | Survey::Failed) {
            ctx.notify(NextStretch(STRETCHES));
        }
    }

    /// Reads a stretch. Says whether another one is left.
    fn stretch(&mut self) -> bool {
        let store = self.reader.name();
        match self.writer.survey() {
            Ok(true) => {
                self.survey = Survey::Walks;
                true
            }
            Ok(false) => {
                self.survey = Survey::Done;
                false
            }
            Err(error) => {
                if self.survey != Survey::Failed {
                    let reason = describe(&error);
                    tracing::error!(%store, reason, "some records can not be read: nobody knows whether this store is the same as its peers'");
                }
                self.survey = Survey::Failed;
                false
            }
        }
    }
}

impl Handler<NextStretch> for StorageActor {
    type Result = ();

    fn handle(&mut self, NextStretch(left): NextStretch, ctx: &mut Self::Context) {
        // Writes come between two stretches.
        match (self.stretch(), left.checked_sub(1)) {
            (true, Some(left)) => ctx.notify(NextStretch(left)),
            (true, None) => self.survey = Survey::Waits,
            (false, _) => {}
        }
    }
}

impl Handler<TellDigest> for StorageActor {
    type Result = ();

    fn handle(&mut self, TellDigest(reply): TellDigest, _ctx: &mut Self::Context) {
        let digest = self.writer.digest();
        reply_to(reply, digest.map(|(proof, buckets)| Sums { proof, buckets }));
    }
}

//! What comes to its deadline, as much in a turn as a flood of deadlines may hold up others.

use actix::{AsyncContext, Handler, Message};
use gridkv_protocol::UnixMs;

use super::StorageActor;
use crate::error::describe;

/// More records are due than one turn takes.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Expire;

impl StorageActor {
    /// Stages what is due. Says whether more is.
    pub(super) fn expire(&mut self, now: UnixMs) -> bool {
        match self.writer.expire(self.deadlines_at(now)) {
            Ok(more) => {
                self.expires = true;
                more
            }
            Err(error) => {
                if std::mem::replace(&mut self.expires, false) {
                    let (store, reason) = (self.reader.name(), describe(&error));
                    tracing::error!(%store, reason, "some records can not be expired");
                }
                false
            }
        }
    }
}

impl Handler<Expire> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Expire, ctx: &mut Self::Context) {
        let now = self.now();
        let more = self.expire(now);
        if self.flush() && more {
            ctx.notify(Expire);
        }
    }
}

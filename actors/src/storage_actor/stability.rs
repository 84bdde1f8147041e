//! What all members have agreed on, and what a donor does not have any more: through the store, and at once.

use actix::{AsyncContext as _, Context, Handler};
use gridkv_protocol::Key;
use gridkv_protocol::catchup::Emptied;
use gridkv_storage::backend::CommitError;
use gridkv_storage::writer::DonorStretch;

use super::StorageActor;
use crate::error::describe;
use crate::post::answer as reply_to;
use crate::storage_messages::{CloseOrigin, Empty, ForgetClosing, Hold, Purge, TakeStretch};

impl StorageActor {
    /// Does what commits by itself, after what is staged was committed and answered; `None` when it failed.
    fn at_once<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, CommitError>,
        doing: &'static str,
    ) -> Option<T> {
        self.flush();
        let done = act(self);
        if let Err(error) = &done {
            let (store, reason) = (self.reader.name(), describe(error));
            tracing::error!(%store, reason, "can not {doing}");
        }
        self.clock.observe(self.writer.clock());
        self.nudge.committed(self.reader.ring());
        done.ok()
    }
}

impl Handler<TakeStretch> for StorageActor {
    type Result = ();

    fn handle(&mut self, TakeStretch { stretch, reply }: TakeStretch, _ctx: &mut Context<Self>) {
        let now = self.now();
        let taken = self.at_once(
            |actor| {
                let donor = DonorStretch {
                    after: stretch.after.as_ref().map(Key::as_str),
                    upto: stretch.upto.as_ref().map(Key::as_str),
                    floor: stretch.floor,
                    frontier: &stretch.frontier,
                };
                actor.writer.take_stretch(stretch.records, &donor, now)
            },
            "take what a donor has",
        );
        reply_to(reply, taken.is_some());
    }
}

impl Handler<Hold> for StorageActor {
    type Result = ();

    fn handle(&mut self, Hold(is_held): Hold, _ctx: &mut Context<Self>) {
        self.applier.hold(is_held);
    }
}

impl Handler<Purge> for StorageActor {
    type Result = ();

    fn handle(&mut self, Purge(stable): Purge, ctx: &mut Context<Self>) {
        let more = self.at_once(|actor| actor.writer.purge(stable), "purge what is dead");
        if more == Some(true) {
            ctx.notify(Purge(stable)); // writes come between
        }
    }
}

impl Handler<CloseOrigin> for StorageActor {
    type Result = ();

    fn handle(&mut self, message: CloseOrigin, _ctx: &mut Context<Self>) {
        self.writer.close_origin(message.origin, message.closing);
        self.flush();
    }
}

impl Handler<ForgetClosing> for StorageActor {
    type Result = ();

    fn handle(&mut self, ForgetClosing(origin): ForgetClosing, _ctx: &mut Context<Self>) {
        self.at_once(
            |actor| actor.writer.forget_closing(origin),
            "forget how an origin was closed",
        );
    }
}

impl Handler<Empty> for StorageActor {
    type Result = ();

    fn handle(&mut self, Empty { covered, reply }: Empty, _ctx: &mut Context<Self>) {
        let emptied = self.at_once(|actor| actor.writer.empty(&covered), "empty the store");
        reply_to(reply, emptied.map_or(Emptied::Failed, Emptied::of));
    }
}

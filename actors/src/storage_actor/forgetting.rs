//! A cache behind a gap: what is staged is committed and answered first, then everything is forgotten.

use actix::Handler;

use super::StorageActor;
use crate::post::answer as reply_to;
use crate::storage_messages::ForgetAll;

impl Handler<ForgetAll> for StorageActor {
    type Result = ();

    fn handle(&mut self, ForgetAll { forget, reply }: ForgetAll, _ctx: &mut Self::Context) {
        self.flush();
        // What waited in the mailbox may have closed the gap.
        let others = self.writer.others();
        let is_stuck = forget.stuck.iter().any(|(origin, at)| others.get(*origin) == *at);
        let forgot = is_stuck && self.writer.forget_all(&forget.adopt).is_ok();
        self.clock.observe(self.writer.clock());
        self.tell_of_commit();
        reply_to(reply, forgot);
    }
}

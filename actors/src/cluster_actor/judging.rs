//! How the cluster actor keeps the node's clock: it follows the wall as far as the peers bear it out, and
//! puts up what the fence says for everyone who mints.

use gridkv_protocol::fence::{Event, Standing};
use gridkv_protocol::wall::Course;

use super::ClusterActor;

impl ClusterActor {
    /// Moves physical time towards the wall clock, as far as the peers bear it out.
    pub(super) fn follow_the_wall(&mut self) {
        let clock = &self.parts.clock;
        let course = self.fence.course(clock.now(), clock.wall_ahead_ms());
        let ms = clock.follow(course);
        if course == Course::Step {
            tracing::warn!(ms, "the clock steps forward to the wall: did this machine sleep?");
        }
        self.fence.step(self.parts.clock.now(), Event::Moved(ms));
        if let Some(boot) = &mut self.boot {
            boot.moved(ms);
        }
    }

    /// Judges the clock by what peers said of theirs, and says so when that has changed.
    pub(super) fn judge_clock(&mut self) {
        if !self.parts.membership.is_joined() {
            return;
        }
        let (now, others) = (self.now(), self.others());
        let listened = self.boot.as_ref().is_none_or(|boot| boot.has_listened(now, &others));
        let judged = self.fence.step(now, Event::Tick { others: &others, listened });
        let Some(standing) = judged else { return };
        self.parts.state.judge_clock(standing);
        let ahead_ms = self.fence.ahead_ms(now).unwrap_or(0);
        match standing {
            Standing::Sound | Standing::Unjudged => {
                tracing::info!(ahead_ms, "the clock is as good as its peers'");
            }
            Standing::Undecided => tracing::warn!(
                ahead_ms,
                "clocks differ, and too few members are heard to tell whose is wrong: check all of them"
            ),
            Standing::Behind => tracing::warn!(
                ahead_ms,
                "the clock is behind most members': what they write waits until it is put right"
            ),
            Standing::Fenced => tracing::warn!(
                ahead_ms,
                "the clock is ahead of most members': no writes are taken; put it right and start again"
            ),
        }
    }
}

//! What commits by itself: what all members have agreed on, and what a donor does not have any more.

use gridkv_protocol::NodeId;
use gridkv_protocol::Origin;
use gridkv_protocol::catchup::Stretch;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::stability::Effect;
use gridkv_storage::backend::CommitError;
use gridkv_storage::writer::{DonorStretch, StoreWriter};

use super::{StoreEnd, behind};
use crate::node::Act;
use crate::sim_clock::NodeClock;

impl StoreEnd {
    /// Does what commits by itself, after what is staged was committed and answered; `None` when it failed.
    pub(super) fn at_once<T>(
        &mut self,
        clock: &mut NodeClock,
        act: impl FnOnce(&mut StoreWriter) -> Result<T, CommitError>,
        acts: &mut Vec<Act>,
    ) -> Option<T> {
        self.flush(clock, acts);
        let done = act(&mut self.writer);
        if matches!(done, Err(CommitError::Unknown(_))) {
            acts.push(Act::Die("a commit may or may not be on the disk".into()));
        }
        clock.observe(self.writer.clock());
        acts.push(Act::Drain(self.at));
        done.ok()
    }

    /// All members have agreed on something.
    pub(in crate::node) fn agreed(
        &mut self,
        clock: &mut NodeClock,
        effect: &Effect,
        acts: &mut Vec<Act>,
    ) {
        acts.push(Act::Note(format!("{effect:?}")));
        match *effect {
            Effect::Close { origin, closing, .. } => {
                self.writer.close_origin(origin, closing);
                self.flush(clock, acts);
            }
            Effect::ForgetClosing { origin, .. } => {
                self.at_once(clock, |writer| writer.forget_closing(origin), acts);
            }
            Effect::Purge { upto, .. } => {
                self.at_once(clock, |writer| writer.purge(upto).map(drop), acts);
            }
        }
    }

    pub(super) fn take_stretch(
        &mut self,
        clock: &mut NodeClock,
        stretch: Stretch,
        acts: &mut Vec<Act>,
    ) -> bool {
        let now = self.now(clock);
        let now = self.deadlines_at(now);
        let Stretch { after, upto, records, floor, frontier } = stretch;
        let take = |writer: &mut StoreWriter| {
            let donor = DonorStretch {
                after: after.as_ref().map(gridkv_protocol::Key::as_str),
                upto: upto.as_ref().map(gridkv_protocol::Key::as_str),
                floor,
                frontier: &frontier,
            };
            writer.take_stretch(records, &donor, now)
        };
        self.at_once(clock, take, acts).is_some()
    }

    /// An operator wants all of a peer's copy, with the store emptied first or not.
    pub(in crate::node) fn full_sync(
        &mut self,
        clock: &mut NodeClock,
        peer: NodeId,
        rebuild: bool,
        acts: &mut Vec<Act>,
    ) {
        let event = if rebuild {
            behind::Event::Rebuild { peer }
        } else {
            behind::Event::Requested { peer }
        };
        self.behind_step(clock, event, acts);
    }

    /// A peer said what it has, over whatever connection.
    pub(in crate::node) fn held(
        &mut self,
        from: Origin,
        theirs: &StoreReport,
        acts: &mut Vec<Act>,
    ) {
        self.holdings.reported(from, &theirs.applied);
        self.count_acks(acts);
    }
}

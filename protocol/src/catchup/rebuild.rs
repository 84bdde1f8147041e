//! A rebuild: on an operator's word the store is emptied, and filled from the peer that was named.
//!
//! Nothing may be lost with it. So nothing more is taken in until that peer has reported that it has all that is
//! here; and what was staged meanwhile is looked at once more when the store is emptied.

use super::{CatchUp, Effect, Emptied, View};
use crate::{NodeId, UnixMs};

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rebuild {
    #[default]
    None,
    /// It waits for the page that is being merged, and for what is loose to be covered: nobody else may have it.
    Due(NodeId),
    /// Nothing is taken in. It waits for the peer to have all that is here.
    Holding(NodeId),
    /// The store is being emptied.
    Emptying(NodeId),
}

impl Rebuild {
    /// Whether nothing is taken in, neither batches nor pages.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Holding(_) | Self::Emptying(_))
    }
}

impl CatchUp {
    pub(super) fn begin_rebuild(&mut self, peer: NodeId, effects: &mut Vec<Effect>) {
        self.rebuild = Rebuild::Due(peer);
        if !self.peers.contains_key(&peer) {
            self.give_up_rebuild(peer, effects); // its link broke since it was asked for
        }
    }

    /// Looks how far a rebuild can go. No answer for a page that is being merged may be taken for one of the
    /// session that follows.
    pub(super) fn go_on_rebuilding(
        &mut self,
        now: UnixMs,
        view: View<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let merges = self.session.as_ref().is_some_and(|session| session.stage.merges());
        match self.rebuild {
            Rebuild::Due(peer) if view.loose.is_empty() && !merges => {
                self.abort(now, effects);
                self.rebuild = Rebuild::Holding(peer);
            }
            Rebuild::Holding(peer) if !view.loose.is_empty() => self.rebuild = Rebuild::Due(peer),
            Rebuild::None | Rebuild::Due(_) | Rebuild::Holding(_) | Rebuild::Emptying(_) => {}
        }
        let Rebuild::Holding(peer) = self.rebuild else { return };
        let held = view.applied.without(self.own);
        let reported = self.peers.get(&peer).map(|peer| &peer.report.applied);
        if let Some(covered) = reported.filter(|theirs| theirs.covers_all(&held)) {
            effects.push(Effect::Empty { covered: covered.clone() });
            self.rebuild = Rebuild::Emptying(peer);
        }
    }

    pub(super) fn emptied(&mut self, emptied: Emptied) {
        let Rebuild::Emptying(peer) = std::mem::take(&mut self.rebuild) else { return };
        match emptied {
            Emptied::Done => {
                self.bootstrapping = true;
                self.requested = Some(peer);
                self.not_before = UnixMs(0);
            }
            Emptied::NotYet => self.rebuild = Rebuild::Holding(peer),
            Emptied::Failed => {}
        }
    }

    /// The link to a peer is gone: a rebuild from it that has not emptied anything is over.
    pub(super) fn give_up_rebuild(&mut self, lost: NodeId, effects: &mut Vec<Effect>) {
        if let Rebuild::Due(peer) | Rebuild::Holding(peer) = self.rebuild
            && peer == lost
        {
            self.rebuild = Rebuild::None;
            effects.push(Effect::RebuildGivenUp { peer });
        }
    }
}

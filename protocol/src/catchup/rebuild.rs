//! A rebuild: on an operator's word the store is emptied, and filled from the peer that was named.
//!
//! Nothing may be lost with it. So nothing more is taken in, and that peer is asked for a page, which says what it
//! has at that moment, until that is all that is here. A node that is itself about to be emptied gives none, so of
//! two that would be rebuilt from each other at least one is not. What was staged meanwhile is looked at once more
//! when the store is emptied; and the store is whole again when it has what it had.

use std::collections::BTreeSet;

use super::{CatchUp, Effect, Emptied, View};
use crate::limits::{PAGE_TIMEOUT_MS, PAUSE_MS};
use crate::page::{Page, PageRequest, Scope};
use crate::{Frontier, Hlc, NodeId, UnixMs};

/// What a store that is to be emptied waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildWait {
    /// Records that came ahead of what precedes them: for that.
    Loose,
    /// Its donor: to have, and to show, all that is here.
    Donor,
    /// The backend.
    Emptying,
}

/// Set in the numbers of pages that are to show what a peer has, and never in those of sessions.
const PROOF: u64 = 1 << 62;

/// How far a rebuild is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Rebuild {
    #[default]
    None,
    /// It waits for the page that is being merged, and for what is loose to be covered: nobody else may have it.
    Due(NodeId),
    /// Nothing is taken in. The peer is asked what it has at this time.
    Holding(NodeId, UnixMs),
    /// The peer was asked for a page, under this number and at this time.
    Asked(NodeId, u64, UnixMs),
    /// The store is being emptied of what the peer covers.
    Emptying(NodeId, Frontier),
}

impl Rebuild {
    /// Whether nothing is taken in, neither batches nor pages.
    pub(super) fn holds(&self) -> bool {
        matches!(self, Self::Holding(..) | Self::Asked(..) | Self::Emptying(..))
    }

    pub(super) fn waits(&self) -> Option<RebuildWait> {
        match self {
            Self::None => None,
            Self::Due(_) => Some(RebuildWait::Loose),
            Self::Holding(..) | Self::Asked(..) => Some(RebuildWait::Donor),
            Self::Emptying(..) => Some(RebuildWait::Emptying),
        }
    }

    /// From whom the store is to be filled, as long as it is as it was.
    fn donor(&self) -> Option<NodeId> {
        match self {
            Self::Due(peer) | Self::Holding(peer, _) | Self::Asked(peer, ..) => Some(*peer),
            Self::None | Self::Emptying(..) => None,
        }
    }
}

/// When a store that was emptied is whole again. A donor that is emptied after it showed what it had does not
/// give that back.
#[derive(Debug, Default)]
pub(super) struct Refill {
    /// What the store had.
    held: Frontier,
    /// Peers that gave all they have, and that was less.
    short: BTreeSet<NodeId>,
}

impl Refill {
    /// A bootstrap from `donor`, which has this, came to its end. Says whether that was the last one: nobody
    /// else of `peers` can give more.
    pub(super) fn is_over<'a>(
        &mut self,
        (donor, frontier): (NodeId, &Frontier),
        mut peers: impl Iterator<Item = &'a NodeId>,
    ) -> bool {
        if frontier.covers_all(&self.held) {
            return true;
        }
        self.short.insert(donor);
        peers.all(|peer| self.short.contains(peer))
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
                self.rebuild = Rebuild::Holding(peer, now);
            }
            Rebuild::Holding(peer, _) if !view.loose.is_empty() => {
                self.rebuild = Rebuild::Due(peer);
            }
            Rebuild::Asked(peer, _, at) if now.since(at) >= PAGE_TIMEOUT_MS => {
                self.rebuild = Rebuild::Holding(peer, now);
            }
            Rebuild::None
            | Rebuild::Due(_)
            | Rebuild::Holding(..)
            | Rebuild::Asked(..)
            | Rebuild::Emptying(..) => {}
        }
        // Whatever it reported: one that is to be emptied itself has to say so.
        if let Rebuild::Holding(peer, not_before) = self.rebuild
            && now >= not_before
        {
            self.sessions += 1;
            let session = PROOF | self.sessions;
            self.rebuild = Rebuild::Asked(peer, session, now);
            // As short a page as there is.
            let frontier = self.peers.get(&peer).map(|peer| peer.report.applied.clone());
            let request = PageRequest {
                store: self.store.clone(),
                session,
                frontier: frontier.unwrap_or_default(),
                scope: Scope::Missing,
                cursor: None,
            };
            effects.push(Effect::Request { peer, request });
        }
    }

    /// Whether a page is asked for by who will empty its store if it shows enough: a node whose own is to be
    /// emptied does not give it.
    #[must_use]
    pub fn is_proof(session: u64) -> bool {
        session & PROOF != 0
    }

    /// Whether a peer with this frontier has all that is here.
    fn has_all(&self, theirs: &Frontier, view: View<'_>) -> bool {
        theirs.covers_all(&view.applied.without(self.own))
    }

    /// Takes the page that shows what the peer has. Says whether it was that one.
    pub(super) fn proves_rebuild(
        &mut self,
        (now, limit): (UnixMs, Hlc),
        (from, page): (NodeId, &Page),
        view: View<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Rebuild::Asked(peer, session, _) = self.rebuild else { return false };
        if (peer, session) != (from, page.session) {
            return false;
        }
        let covered = page.frontier.up_to(limit);
        if self.has_all(&covered, view) {
            self.rebuild = Rebuild::Emptying(peer, view.applied.without(self.own));
            effects.push(Effect::Empty { covered });
        } else {
            self.rebuild = Rebuild::Holding(peer, now.plus(PAUSE_MS));
        }
        true
    }

    /// The peer gives no page: it can not, or is to be emptied itself.
    pub(super) fn refuses_rebuild(&mut self, from: NodeId, number: u64, effects: &mut Vec<Effect>) {
        if let Rebuild::Asked(peer, session, _) = self.rebuild
            && (peer, session) == (from, number)
        {
            self.rebuild = Rebuild::None;
            effects.push(Effect::RebuildGivenUp { peer, is_linked: true });
        }
    }

    pub(super) fn emptied(&mut self, now: UnixMs, emptied: Emptied) {
        let Rebuild::Emptying(peer, held) = std::mem::take(&mut self.rebuild) else { return };
        match emptied {
            Emptied::Done => {
                self.bootstrapping = true;
                self.refill = Refill { held, ..Refill::default() };
                self.requested = Some(peer);
                self.not_before = UnixMs(0);
            }
            Emptied::NotYet => self.rebuild = Rebuild::Holding(peer, now),
            Emptied::Failed => {}
        }
    }

    /// The link to a peer is gone: a rebuild from it that has not emptied anything is over.
    pub(super) fn give_up_rebuild(&mut self, lost: NodeId, effects: &mut Vec<Effect>) {
        if let Some(peer) = self.rebuild.donor().filter(|peer| *peer == lost) {
            self.rebuild = Rebuild::None;
            effects.push(Effect::RebuildGivenUp { peer, is_linked: false });
        }
    }
}

// CAVEATS: what the donor has is as safe as its store keeps it: one that syncs later loses more to a power cut than
// the store that was emptied would have. Who was emptied and is linked to nobody any more waits for a peer.

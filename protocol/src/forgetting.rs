//! Forgetting: how a cache goes on behind a gap that nobody will fill.
//!
//! A cache is never caught up: what it missed may be missed, but nothing older than it may be read from
//! then on. So when a peer is ahead on an origin that has not moved here for a while, the cache forgets
//! everything, takes over what its peers have seen, and goes on from there.
//!
//! This costs all that is cached, so the machine is slow to believe it. A batch that left a gap is no
//! reason: publishers send again from where the receiver is, as far as their log reaches. An origin that
//! moves at a peer while its node has no link to this one is none either: that is a cut link, and what it
//! delays comes when the link is back.

use std::collections::BTreeMap;

use crate::catchup;
use crate::limits::{FORGET_AFTER_MS, SILENT_MS, YOUNG_CACHE_MS};
use crate::{Frontier, Hlc, NodeId, Origin, UnixMs};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A peer said over its link what it has of this store.
    Reported {
        /// Who, in which run.
        from: Origin,
        /// What.
        applied: &'a Frontier,
    },
    /// The link to a peer is gone.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// The store has done what was asked, or could not, or saw that there was no need any more.
    Done,
    /// This node goes on under a new epoch.
    NewOrigin(Origin),
    /// Time passed.
    Tick,
}

impl<'a> Event<'a> {
    /// What a cache has to know of what a catch-up would hear.
    #[must_use]
    pub fn of(event: &'a catchup::Event) -> Option<Self> {
        match event {
            catchup::Event::Reported { from, report } => {
                Some(Self::Reported { from: *from, applied: &report.applied })
            }
            catchup::Event::LinkDown { peer } => Some(Self::LinkDown { peer: *peer }),
            catchup::Event::Merged | catchup::Event::MergeFailed => Some(Self::Done),
            catchup::Event::NewOrigin(own) => Some(Self::NewOrigin(*own)),
            catchup::Event::Tick => Some(Self::Tick),
            catchup::Event::Gap { .. }
            | catchup::Event::Page { .. }
            | catchup::Event::NoPage { .. }
            | catchup::Event::Requested { .. }
            | catchup::Event::Rebuild { .. }
            | catchup::Event::Emptied(_) => None,
        }
    }
}

/// What is to be done: if an origin still stands where it stood, forget everything and adopt this
/// frontier, in one step; then say [`Event::Done`].
#[derive(Debug, PartialEq, Eq)]
pub struct Forget {
    /// Origins on which others are ahead and that did not move here, and where they stood.
    pub stuck: Vec<(Origin, Hlc)>,
    /// Everything that a peer has seen within the skew limit, except of this node's present origin.
    pub adopt: Frontier,
}

/// The forgetting of one cache store.
#[derive(Debug)]
pub struct Forgetting {
    own: Origin,
    max_clock_skew_ms: u64,
    peers: BTreeMap<NodeId, Peer>,
    behind: BTreeMap<Origin, Behind>,
    /// When the first peer reported.
    since: Option<UnixMs>,
    /// The store forgets, and has not said that it is done.
    under_way: bool,
}

#[derive(Debug)]
struct Peer {
    origin: Origin,
    applied: Frontier,
}

/// An origin on which some peer is ahead: where it stands here and there, and since when.
#[derive(Debug)]
struct Behind {
    here: Hlc,
    here_since: UnixMs,
    there: Hlc,
    there_since: UnixMs,
}

impl Forgetting {
    /// The forgetting of a store on a node that runs as `own`.
    #[must_use]
    pub fn new(own: Origin, max_clock_skew_ms: u64) -> Self {
        Self {
            own,
            max_clock_skew_ms,
            peers: BTreeMap::new(),
            behind: BTreeMap::new(),
            since: None,
            under_way: false,
        }
    }

    /// Whether the store is forgetting.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Takes what happened, and says whether to forget. `now` is physical time; `applied` is what the
    /// store has.
    pub fn step(&mut self, now: UnixMs, event: Event<'_>, applied: &Frontier) -> Option<Forget> {
        match event {
            Event::Reported { from, applied } => self.reported(now, from, applied),
            Event::LinkDown { peer } => {
                self.peers.remove(&peer);
            }
            Event::Done => self.under_way = false,
            Event::NewOrigin(own) => self.own = own,
            Event::Tick => {}
        }
        self.note_behind(now, applied);
        if self.under_way {
            return None;
        }
        let stuck: Vec<(Origin, Hlc)> = self
            .behind
            .iter()
            .filter(|(origin, behind)| self.is_lost(now, **origin, behind))
            .map(|(origin, behind)| (*origin, behind.here))
            .collect();
        (!stuck.is_empty()).then(|| {
            self.under_way = true;
            self.behind.clear();
            Forget { stuck, adopt: self.reported_points().up_to(self.limit(now)) }
        })
    }

    fn reported(&mut self, now: UnixMs, from: Origin, applied: &Frontier) {
        self.since.get_or_insert(now);
        let peer = Peer { origin: from, applied: applied.clone() };
        let before = self.peers.insert(from.node(), peer);
        if before.is_none_or(|before| before.origin != from) {
            // A new link: its publisher has only now heard where to go on.
            self.behind.remove(&from);
        }
    }

    /// The furthest that any peer says it has of each origin but this node's present one.
    fn reported_points(&self) -> Frontier {
        let points = self.peers.values().flat_map(|peer| peer.applied.iter());
        points.filter(|(origin, _)| *origin != self.own).collect()
    }

    fn note_behind(&mut self, now: UnixMs, applied: &Frontier) {
        let (reported, limit) = (self.reported_points(), self.limit(now));
        // Nobody can have more than what lies within the skew limit.
        let is_ahead = |origin, upto: Hlc| applied.get(origin) < upto.min(limit);
        self.behind.retain(|origin, _| is_ahead(*origin, reported.get(*origin)));
        for (origin, there) in reported.iter().filter(|(origin, upto)| is_ahead(*origin, *upto)) {
            let here = applied.get(origin);
            let fresh = Behind { here, here_since: now, there, there_since: now };
            let behind = self.behind.entry(origin).or_insert(fresh);
            if behind.here != here {
                (behind.here, behind.here_since) = (here, now);
            }
            if behind.there != there {
                (behind.there, behind.there_since) = (there, now);
            }
        }
    }

    fn limit(&self, now: UnixMs) -> Hlc {
        Hlc::end_of(now.plus(self.max_clock_skew_ms))
    }

    /// Whether what is missing of an origin will not come any more.
    fn is_lost(&self, now: UnixMs, origin: Origin, behind: &Behind) -> bool {
        // A young cache has little to lose, and is not ready before it has what its peers had.
        let is_young = self.since.is_some_and(|since| now.since(since) < YOUNG_CACHE_MS);
        // What a fast clock minted waits at its sender until its time has come.
        let in_future = behind.there.physical().since(now.plus(self.max_clock_skew_ms));
        let patience = if is_young { SILENT_MS } else { FORGET_AFTER_MS.saturating_add(in_future) };
        let is_linked = self.peers.get(&origin.node()).is_some_and(|peer| peer.origin == origin);
        let is_over = now.since(behind.there_since) > patience;
        now.since(behind.here_since) > patience && (is_young || is_linked || is_over)
    }
}

// CAVEATS: whoever crashes leaves some peers ahead of others by a heartbeat without ops; those behind
// can not know that it was empty, and forget everything once. A cache whose link to a node that goes on
// writing stays cut serves what it has, and lags, until the link is back.

#[cfg(test)]
#[path = "forgetting_test.rs"]
mod tests;

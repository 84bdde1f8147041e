//! Catch-up: brings a store to what a peer has, page by page, when batches alone can not.
//!
//! It starts when a batch left a gap, when a peer is ahead on an origin that is dead or silent, when
//! loose records differ, or when an operator asks for it. The receiver's frontier is fixed for the session;
//! records are merged as pages come; the donor's frontier, as it was before the first page, is installed
//! after the last one. An aborted session changes no frontier, and what it merged stays.
//!
//! A receiver that may hold what its donor has deleted and forgotten is *bootstrapped*: it gets everything,
//! and lets go what is absent. Until that is done it takes no batches and is not ready.

use std::collections::{BTreeMap, BTreeSet};

use crate::frontier::Closing;
use crate::limits::{PAGE_TIMEOUT_MS, PAGE_TRIES, PAUSE_MS, SILENT_MS, SKEW_RETRY_MS};
use crate::mutant::{self, Mutant};
use crate::page::Page;
use crate::report::StoreReport;
use crate::{Frontier, Hlc, NodeId, Origin, StoreName, UnixMs};

mod event;
mod floor;
mod rebuild;
mod session;

pub use event::{Effect, Emptied, Event, Stretch};
use floor::covers_floor;
pub use rebuild::RebuildWait;
use rebuild::{Rebuild, Refill};
use session::{First, Kind, Session, Stage};

/// What the store has now; the machine looks at it in each step and keeps no copy.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The store's applied frontier.
    pub applied: &'a Frontier,
    /// Its loose hashes.
    pub loose: &'a BTreeMap<Origin, u64>,
}

/// The catch-up of one store.
#[derive(Debug)]
pub struct CatchUp {
    store: StoreName,
    own: Origin,
    max_clock_skew_ms: u64,
    peers: BTreeMap<NodeId, Peer>,
    gaps: BTreeSet<NodeId>,
    behind: BTreeMap<Origin, Behind>,
    session: Option<Session>,
    sessions: u64,
    failures: u32,
    not_before: UnixMs,
    last_donor: Option<NodeId>,
    requested: Option<NodeId>,
    rebuild: Rebuild,
    /// A bootstrap began, and none is complete yet.
    bootstrapping: bool,
    refill: Refill,
}

#[derive(Debug)]
struct Peer {
    origin: Origin,
    report: StoreReport,
}

/// Since when some peer has been ahead of this node on an origin that did not move here.
#[derive(Debug)]
struct Behind {
    at: Hlc,
    since: UnixMs,
}

impl CatchUp {
    /// The catch-up of `store` on a node that runs as `own`.
    #[must_use]
    pub fn new(store: StoreName, own: Origin, max_clock_skew_ms: u64) -> Self {
        Self {
            store,
            own,
            max_clock_skew_ms,
            peers: BTreeMap::new(),
            gaps: BTreeSet::new(),
            behind: BTreeMap::new(),
            session: None,
            sessions: 0,
            failures: 0,
            not_before: UnixMs(0),
            last_donor: None,
            requested: None,
            rebuild: Rebuild::None,
            bootstrapping: false,
            refill: Refill::default(),
        }
    }

    /// Whether a session runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.session.is_some()
    }

    /// Whether the store is being filled from scratch, or about to be emptied for that: it purges nothing and
    /// is not ready.
    #[must_use]
    pub fn is_bootstrapping(&self) -> bool {
        self.bootstrapping || self.rebuild != Rebuild::None
    }

    /// What the store, which is to be emptied, waits for. No peer may be emptied on its word meanwhile.
    #[must_use]
    pub fn rebuild_waits(&self) -> Option<RebuildWait> {
        self.rebuild.waits()
    }

    /// Whether the store takes no batches.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.bootstrapping || self.rebuild.holds()
    }

    /// Takes what happened, and says what is to be done. `now` is physical time; `view` is what the
    /// store has.
    pub fn step(&mut self, now: UnixMs, event: Event, view: View<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Reported { from, report } => {
                let peer = Peer { origin: from, report };
                if self.discrepant(&peer, view).is_empty() {
                    self.gaps.remove(&from.node()); // batches or another donor have closed it
                }
                self.peers.insert(from.node(), peer);
            }
            Event::Gap { peer } => {
                self.gaps.insert(peer);
            }
            Event::LinkDown { peer } => {
                self.peers.remove(&peer);
                self.gaps.remove(&peer);
                self.give_up_rebuild(peer, &mut effects);
            }
            Event::Page { peer, page } => self.page(now, (peer, page), view, &mut effects),
            Event::NoPage { peer, session } => {
                self.refuses_rebuild(peer, session, &mut effects);
                // While a page is merged this answers an older request for it. Ending the session now
                // would let its `Merged` be taken for the next session's.
                let asked =
                    |s: &Session| s.donor == peer && s.number == session && s.stage.awaits_page();
                if self.session.as_ref().is_some_and(asked) {
                    self.abort(now, &mut effects);
                }
            }
            Event::Merged => self.merged(now, &mut effects),
            Event::MergeFailed => self.abort(now, &mut effects),
            Event::Requested { peer } => self.requested = Some(peer),
            Event::Rebuild { peer } => self.begin_rebuild(peer, &mut effects),
            Event::Emptied(emptied) => self.emptied(now, emptied),
            Event::NewOrigin(own) => self.own = own,
            Event::Tick => self.ask_again(now, &mut effects),
        }
        self.note_behind(now, view);
        self.go_on_rebuilding(now, view, &mut effects);
        if self.session.is_none() && now >= self.not_before && !self.rebuild.holds() {
            self.start(now, view, &mut effects);
        }
        effects
    }

    fn page(
        &mut self,
        now: UnixMs,
        (peer, page): (NodeId, Page),
        view: View<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let limit = mutant::limit(Hlc::end_of(now.plus(self.max_clock_skew_ms)));
        if self.proves_rebuild((now, limit), (peer, &page), view, effects) {
            return;
        }
        let Some(session) = &mut self.session else { return };
        if !session.awaits(peer, &page) {
            return; // late, or asked for twice
        }
        // A page over the limit is retried; what the donor claims beyond it is not believed either.
        let first = session.first.get_or_insert_with(|| First::of(&page, limit));
        if mutant::is(Mutant::LastFrontier) {
            first.frontier = page.frontier.up_to(limit);
        }
        if mutant::is(Mutant::EarlyInstall) {
            let (frontier, floor) = (first.frontier.clone(), first.floor);
            effects.push(Effect::Install { frontier, floor });
        }
        let is_below = !covers_floor(view.applied, &first.frontier, page.floor);
        // It restarted, or was emptied: its first page says nothing any more.
        let lost = first.donor != page.donor || !page.frontier.covers_all(&first.frontier);
        if lost && !mutant::is(Mutant::AnyDonor) {
            self.abort(now, effects);
            return;
        }
        if session.kind != Kind::Bootstrap && is_below {
            // The donor has purged what this node may still hold: only a bootstrap can tell.
            if let Some(peer) = self.peers.get_mut(&peer) {
                peer.report.floor = page.floor;
                peer.report.applied = first.frontier.clone();
            }
            self.abort(now, effects);
            return;
        }
        if page.records.iter().any(|keyed| keyed.record.version.hlc > limit) {
            session.stage = Stage::AskAt(now.plus(SKEW_RETRY_MS));
            return;
        }
        match session.take(page, limit) {
            Some(effect) => effects.push(effect),
            None => self.abort(now, effects),
        }
    }

    fn merged(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let Some(session) = &mut self.session else { return };
        let Stage::Merging { next } = &mut session.stage else { return };
        if let Some(cursor) = next.take() {
            session.cursor = Some(cursor);
            session.stage = Stage::Asked(now);
            effects.push(session.request(&self.store));
            return;
        }
        let Session { donor, first, records, kind, .. } = session;
        let (donor, records) = (*donor, *records);
        let mut complete = true;
        if let Some(First { frontier, floor, .. }) = first.take() {
            if *kind == Kind::Bootstrap {
                complete = self.refill.is_over((donor, &frontier), self.peers.keys());
            }
            effects.push(Effect::Install { frontier, floor });
        }
        if *kind == Kind::Bootstrap && complete {
            (self.bootstrapping, self.requested) = (false, None);
            self.refill = Refill::default();
        }
        effects.push(Effect::Ended { peer: donor, records, complete });
        self.gaps.remove(&donor);
        self.behind.clear();
        self.session = None;
        self.failures = 0;
        self.not_before = now.plus(PAUSE_MS);
    }

    fn ask_again(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let Some(session) = &mut self.session else { return };
        let due = match session.stage {
            Stage::Asked(at) => now.since(at) >= PAGE_TIMEOUT_MS,
            Stage::AskAt(at) => at <= now,
            Stage::Merging { .. } => false,
        };
        if !due {
            return;
        }
        session.tries += 1; // pages too far in the future count: a wrong clock must not hold the session
        if session.tries >= PAGE_TRIES {
            self.abort(now, effects);
            return;
        }
        session.stage = Stage::Asked(now);
        effects.push(session.request(&self.store));
    }

    fn abort(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let Some(session) = self.session.take() else { return };
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus(PAUSE_MS << self.failures.min(6));
        effects.push(Effect::Ended {
            peer: session.donor,
            records: session.records,
            complete: false,
        });
    }

    /// Keeps, per origin on which some peer is ahead, since when this node has not moved on it.
    fn note_behind(&mut self, now: UnixMs, view: View<'_>) {
        let discrepant: BTreeSet<Origin> =
            self.peers.values().flat_map(|peer| self.discrepant(peer, view)).collect();
        self.behind.retain(|origin, _| discrepant.contains(origin));
        for origin in discrepant {
            let at = view.applied.get(origin);
            let behind = self.behind.entry(origin).or_insert(Behind { at, since: now });
            if behind.at != at {
                *behind = Behind { at, since: now };
            }
        }
    }

    /// Origins of which `peer` has more than this node, or other loose records.
    fn discrepant(&self, peer: &Peer, view: View<'_>) -> Vec<Origin> {
        let StoreReport { applied, loose, .. } = &peer.report;
        // What a peer has closed where this node stands, this node closes without its help.
        let holds = |origin: Origin, point: Hlc| match Closing::of(point) {
            Some(Closing { at, loose: false }) => {
                view.applied.get(origin) == at && !view.loose.contains_key(&origin)
            }
            Some(_) | None => false,
        };
        let ahead = applied.iter().filter(|(o, h)| *h > view.applied.get(*o) && !holds(*o, *h));
        let ahead = ahead.map(|(o, _)| o);
        let differ = loose.keys().copied().filter(|o| {
            applied.get(*o) == view.applied.get(*o)
                && loose.get(o) != view.loose.get(o)
                && !mutant::is(Mutant::LooseIgnored)
        });
        ahead.chain(differ).filter(|origin| *origin != self.own).collect()
    }

    /// An origin is over when a later epoch of its node is known anywhere.
    fn is_dead(&self, origin: Origin, view: View<'_>) -> bool {
        let node = origin.node();
        let newest_reported =
            self.peers.values().filter_map(|p| p.report.applied.newest_epoch(node));
        let newest_linked =
            self.peers.values().filter(|p| p.origin.node() == node).map(|p| p.origin.epoch());
        let own = (self.own.node() == node).then(|| self.own.epoch());
        newest_reported
            .chain(newest_linked)
            .chain(view.applied.newest_epoch(node))
            .chain(own)
            .any(|epoch| epoch > origin.epoch())
    }

    fn wants(&self, now: UnixMs, id: NodeId, peer: &Peer, view: View<'_>) -> bool {
        self.gaps.contains(&id)
            || self.requested == Some(id)
            || self.bootstrapping
            || self.discrepant(peer, view).into_iter().any(|origin| {
                self.is_dead(origin, view)
                    || self
                        .behind
                        .get(&origin)
                        .is_some_and(|behind| now.since(behind.since) > SILENT_MS)
            })
    }

    fn start(&mut self, now: UnixMs, view: View<'_>, effects: &mut Vec<Effect>) {
        let mut wanted: Vec<NodeId> = self
            .peers
            .iter()
            .filter(|(id, peer)| self.wants(now, **id, peer, view))
            .map(|(id, _)| *id)
            .collect();
        // Each in turn, so that no two donors that fail keep a third from being asked.
        let is_requested = |id: NodeId| self.requested == Some(id);
        wanted.sort_by_key(|id| (!is_requested(*id), Some(*id) <= self.last_donor, *id));
        let Some(donor) = wanted.first().copied() else { return };
        let is_requested = self.requested == Some(donor);
        let is_below = |peer: &Peer| {
            let donor = peer.report.applied.without(self.own);
            !covers_floor(view.applied, &donor, peer.report.floor)
        };
        let bootstrap = self.bootstrapping || self.peers.get(&donor).is_some_and(is_below);
        let kind = match (bootstrap, is_requested) {
            (true, _) => Kind::Bootstrap,
            (false, true) => Kind::Full,
            (false, false) => Kind::Missing,
        };
        self.bootstrapping |= bootstrap;
        self.requested = self.requested.filter(|_| !is_requested);
        self.sessions += 1;
        self.last_donor = Some(donor);
        let session = Session::new(self.sessions, donor, kind, view.applied, now);
        effects.push(Effect::Started { peer: donor, bootstrap });
        effects.push(session.request(&self.store));
        self.session = Some(session);
    }
}

// CAVEATS: an origin that began since the last purge, and of which this node has nothing yet, looks like one
// that it missed: if a session begins before its first batch comes, it is a bootstrap, which costs more than it
// must. Within 600 ms, or with the link up, none begins.

#[cfg(test)]
#[path = "catchup_test.rs"]
mod tests;

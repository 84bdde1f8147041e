//! Catch-up: brings a store to what a peer has, page by page, when batches alone can not.
//!
//! It starts when a batch left a gap, when a peer is ahead on an origin that is dead or silent, or
//! when loose records differ. The receiver's frontier is fixed for the session; records are merged as
//! pages come; the donor's frontier, as it was before the first page, is installed after the last one.
//! An aborted session changes no frontier, and what it merged stays.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{PAGE_TIMEOUT_MS, PAGE_TRIES, PAUSE_MS, SILENT_MS, SKEW_RETRY_MS};
use crate::op::KeyedRecord;
use crate::page::{Page, PageCursor, PageRequest, Scope};
use crate::report::StoreReport;
use crate::{Frontier, Hlc, NodeId, Origin, StoreName, UnixMs};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A peer said over its link what it has of this store.
    Reported {
        /// Who, in which run.
        from: Origin,
        /// What.
        report: StoreReport,
    },
    /// A batch of this peer left a gap.
    Gap {
        /// The peer.
        peer: NodeId,
    },
    /// The link to a peer is gone.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// A page came.
    Page {
        /// From whom.
        peer: NodeId,
        /// The page.
        page: Page,
    },
    /// The donor can not give the page.
    NoPage {
        /// From whom.
        peer: NodeId,
        /// The session it was asked for.
        session: u64,
    },
    /// The records of the last page are merged and committed.
    Merged,
    /// The store could not take the records of the last page.
    MergeFailed,
    /// This node goes on under a new epoch.
    NewOrigin(Origin),
    /// Time passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a peer for a page.
    Request {
        /// Whom.
        peer: NodeId,
        /// For what.
        request: PageRequest,
    },
    /// Merge these records and commit; then say [`Event::Merged`].
    Merge(Vec<KeyedRecord>),
    /// The session is over: move the frontier to the donor's, except for this node's own present
    /// origin, and raise the floor, in one commit.
    Install {
        /// The donor's frontier before the first page.
        frontier: Frontier,
        /// The donor's floor.
        floor: Hlc,
    },
    /// A session began.
    Started {
        /// The donor.
        peer: NodeId,
    },
    /// A session ended.
    Ended {
        /// The donor.
        peer: NodeId,
        /// Records it brought.
        records: u64,
        /// Whether it came to its end.
        complete: bool,
    },
}

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

#[derive(Debug)]
struct Session {
    number: u64,
    donor: NodeId,
    /// The receiver's frontier, fixed at the start.
    frontier: Frontier,
    cursor: Option<PageCursor>,
    first: Option<First>,
    stage: Stage,
    tries: u32,
    records: u64,
}

/// What the first page said.
#[derive(Debug)]
struct First {
    donor: Origin,
    frontier: Frontier,
    floor: Hlc,
}

#[derive(Debug)]
enum Stage {
    /// Asked at this time.
    Asked(UnixMs),
    /// To be asked again at this time.
    AskAt(UnixMs),
    /// The store merges; `next` is where to go on.
    Merging { next: Option<PageCursor> },
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
        }
    }

    /// Whether a session runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.session.is_some()
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
            }
            Event::Page { peer, page } => self.page(now, peer, page, &mut effects),
            Event::NoPage { peer, session } => {
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
            Event::NewOrigin(own) => self.own = own,
            Event::Tick => self.ask_again(now, &mut effects),
        }
        self.note_behind(now, view);
        if self.session.is_none() && now >= self.not_before {
            self.start(now, view, &mut effects);
        }
        effects
    }

    fn page(&mut self, now: UnixMs, peer: NodeId, page: Page, effects: &mut Vec<Effect>) {
        let Some(session) = &mut self.session else { return };
        if session.donor != peer
            || session.number != page.session
            || session.cursor != page.cursor
            || !session.stage.awaits_page()
        {
            return; // late, or asked for twice
        }
        let Page { donor, frontier, floor, records, next, .. } = page;
        let limit = Hlc::end_of(now.plus(self.max_clock_skew_ms));
        // A page over the limit is retried; what the donor claims beyond it is not believed either.
        let first = session.first.get_or_insert_with(|| First {
            donor,
            frontier: frontier.up_to(limit),
            floor: floor.min(limit),
        });
        if first.donor != donor {
            self.abort(now, effects); // the donor restarted: its first page says nothing any more
            return;
        }
        if records.iter().any(|keyed| keyed.record.version.hlc > limit) {
            session.stage = Stage::AskAt(now.plus(SKEW_RETRY_MS));
            return;
        }
        session.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        session.tries = 0;
        session.stage = Stage::Merging { next };
        effects.push(Effect::Merge(records));
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
        let Session { donor, first, records, .. } = session;
        let (donor, records) = (*donor, *records);
        if let Some(First { frontier, floor, .. }) = first.take() {
            effects.push(Effect::Install { frontier, floor });
        }
        effects.push(Effect::Ended { peer: donor, records, complete: true });
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
        let ahead = applied.iter().filter(|(o, h)| *h > view.applied.get(*o)).map(|(o, _)| o);
        let differ = loose.keys().copied().filter(|o| {
            applied.get(*o) == view.applied.get(*o) && loose.get(o) != view.loose.get(o)
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
        wanted.sort_by_key(|id| (Some(*id) <= self.last_donor, *id));
        let Some(donor) = wanted.first().copied() else { return };
        self.sessions += 1;
        self.last_donor = Some(donor);
        let session = Session {
            number: self.sessions,
            donor,
            frontier: view.applied.clone(),
            cursor: None,
            first: None,
            stage: Stage::Asked(now),
            tries: 0,
            records: 0,
        };
        effects.push(Effect::Started { peer: donor });
        effects.push(session.request(&self.store));
        self.session = Some(session);
    }
}

impl Stage {
    /// Whether a page that comes now is one that was asked for.
    fn awaits_page(&self) -> bool {
        matches!(self, Self::Asked(_))
    }
}

impl Session {
    fn request(&self, store: &StoreName) -> Effect {
        Effect::Request {
            peer: self.donor,
            request: PageRequest {
                store: store.clone(),
                session: self.number,
                frontier: self.frontier.clone(),
                scope: Scope::Missing,
                cursor: self.cursor.clone(),
            },
        }
    }
}

// CAVEATS: bootstrap (a receiver below the donor's floor) and closing of dead origins are rules of
// their own and have their place here: a second kind of session, and an end for `discrepant`. Floors
// stay 0 until purging raises them.

#[cfg(test)]
#[path = "catchup_test.rs"]
mod tests;

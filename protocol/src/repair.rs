//! Repair: fetches the buckets in which a store differs from a peer's, page by page, and merges them.
//!
//! It runs because of an alarm, so it trusts nobody to be right: it removes nothing, it moves no frontier,
//! and it takes only records that the frontier here says are held anyway; what is newer comes by itself.
//! While the store is being caught up it does not run. Which keys differed stays known until the next repair
//! from the same peer starts.

use std::collections::BTreeMap;

use crate::differing::Differing;
use crate::limits::{PAGE_TIMEOUT_MS, PAGE_TRIES};
use crate::op::KeyedRecord;
use crate::page::{Page, PageCursor, PageRequest, Scope};
use crate::{Frontier, Key, NodeId, Record, StoreName, UnixMs};

/// Set in the numbers of repairs, and never in those of catch-up sessions.
const REPAIR: u64 = 1 << 63;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// These buckets are to be fetched.
    Start {
        /// From whom.
        peer: NodeId,
        /// Which ones.
        buckets: Vec<u16>,
    },
    /// A page came.
    Page {
        /// From whom.
        peer: NodeId,
        /// The page.
        page: Page,
    },
    /// The peer can not give the page.
    NoPage {
        /// Who.
        peer: NodeId,
        /// The session it was asked for.
        session: u64,
    },
    /// What stands under the keys of a page.
    Looked {
        /// The session that it was for.
        session: u64,
        /// The records here, in the order of the keys; `None` when they can not be read.
        here: Option<Vec<Option<Record>>>,
    },
    /// The store has answered a merge.
    Merged {
        /// The session that it was for.
        session: u64,
        /// Whether the records are committed.
        done: bool,
    },
    /// The link to a peer is gone.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// The store is being caught up.
    CatchingUp,
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
    /// Look what stands under these keys, dead records too; then say [`Event::Looked`].
    Look {
        /// The session that it is for.
        session: u64,
        /// The keys.
        keys: Vec<Key>,
    },
    /// Merge these records and commit; then say [`Event::Merged`].
    Merge {
        /// The session that they are for.
        session: u64,
        /// The records.
        records: Vec<KeyedRecord>,
    },
    /// It is over.
    Ended {
        /// From whom.
        peer: NodeId,
        /// Records that were merged.
        records: u64,
        /// Whether it came to its end.
        complete: bool,
    },
}

/// The repairs of one store: one at a time.
#[derive(Debug)]
pub struct Repair {
    store: StoreName,
    sessions: u64,
    session: Option<Session>,
    /// Of each peer that was repaired from.
    differing: BTreeMap<NodeId, Differing>,
}

#[derive(Debug)]
struct Session {
    number: u64,
    peer: NodeId,
    buckets: Vec<u16>,
    cursor: Option<PageCursor>,
    stage: Stage,
    tries: u32,
    records: u64,
}

#[derive(Debug)]
enum Stage {
    /// Asked at this time.
    Asked(UnixMs),
    /// The store is asked what stands under the keys of a page.
    Looking(Taken),
    /// The store merges; `next` is where to go on.
    Merging { next: Option<PageCursor> },
}

/// What was taken from a page.
#[derive(Debug)]
struct Taken {
    records: Vec<KeyedRecord>,
    /// The peer's frontier before it read the page.
    claimed: Frontier,
    next: Option<PageCursor>,
}

impl Repair {
    /// The repairs of `store`.
    #[must_use]
    pub fn new(store: StoreName) -> Self {
        Self { store, sessions: 0, session: None, differing: BTreeMap::new() }
    }

    /// Whether a page with this session's number was asked for by a repair.
    #[must_use]
    pub fn is_session(session: u64) -> bool {
        session & REPAIR != 0
    }

    /// The keys in which the store differed from that of a peer when it was last repaired from there.
    #[must_use]
    pub fn differing(&self, peer: NodeId) -> Differing {
        self.differing.get(&peer).cloned().unwrap_or_default()
    }

    /// Takes what happened, and says what is to be done. `now` is physical time; `applied` is what the
    /// store has.
    pub fn step(&mut self, now: UnixMs, event: Event, applied: &Frontier) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Start { peer, buckets } => self.start(now, peer, buckets, &mut effects),
            Event::Page { peer, page } => self.page(peer, page, applied, &mut effects),
            Event::NoPage { peer, session } => {
                let asked = |s: &Session| s.peer == peer && s.number == session && s.is_asking();
                self.abort_if(asked, &mut effects);
            }
            Event::Looked { session, here: Some(here) } => {
                effects.extend(self.looked(now, session, &here, applied));
            }
            Event::Merged { session, done: true } => self.merged(now, session, &mut effects),
            Event::Looked { session, here: None } | Event::Merged { session, done: false } => {
                self.abort_if(|s| s.number == session, &mut effects);
            }
            Event::LinkDown { peer } => self.abort_if(|session| session.peer == peer, &mut effects),
            Event::CatchingUp => self.abort_if(|_| true, &mut effects),
            Event::Tick => self.ask_again(now, &mut effects),
        }
        effects
    }

    fn start(&mut self, now: UnixMs, peer: NodeId, buckets: Vec<u16>, effects: &mut Vec<Effect>) {
        if self.session.is_some() {
            effects.push(Effect::Ended { peer, records: 0, complete: false });
            return;
        }
        self.sessions += 1;
        self.differing.remove(&peer);
        let session = Session {
            number: REPAIR | self.sessions,
            peer,
            buckets,
            cursor: None,
            stage: Stage::Asked(now),
            tries: 0,
            records: 0,
        };
        effects.push(session.request(&self.store));
        self.session = Some(session);
    }

    fn page(&mut self, peer: NodeId, page: Page, applied: &Frontier, effects: &mut Vec<Effect>) {
        let asked = |s: &&mut Session| {
            s.peer == peer && s.number == page.session && s.cursor == page.cursor && s.is_asking()
        };
        let Some(session) = self.session.as_mut().filter(asked) else { return };
        let mut records = page.records;
        records.retain(|keyed| applied.covers(keyed.record.version));
        session.tries = 0;
        let keys = records.iter().map(|keyed| keyed.key.clone()).collect();
        effects.push(Effect::Look { session: session.number, keys });
        session.stage = Stage::Looking(Taken { records, claimed: page.frontier, next: page.next });
    }

    /// Sets what was taken from a page beside what stands here, and merges it.
    fn looked(
        &mut self,
        now: UnixMs,
        number: u64,
        here: &[Option<Record>],
        applied: &Frontier,
    ) -> Option<Effect> {
        let session = self.session.as_mut().filter(|session| session.number == number)?;
        let Stage::Looking(Taken { records, claimed, next }) = &mut session.stage else {
            return None;
        };
        let differing = self.differing.entry(session.peer).or_default();
        differing.compare(now, records, here, (applied, claimed));
        let (records, next) = (std::mem::take(records), next.take());
        session.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        session.stage = Stage::Merging { next };
        Some(Effect::Merge { session: number, records })
    }

    fn merged(&mut self, now: UnixMs, number: u64, effects: &mut Vec<Effect>) {
        let Some(session) = self.session.as_mut().filter(|s| s.number == number) else { return };
        let Stage::Merging { next } = &mut session.stage else { return };
        if let Some(cursor) = next.take() {
            session.cursor = Some(cursor);
            session.stage = Stage::Asked(now);
            effects.push(session.request(&self.store));
            return;
        }
        effects.push(session.ended(true));
        self.session = None;
    }

    fn ask_again(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let Some(session) = &mut self.session else { return };
        let Stage::Asked(at) = session.stage else { return };
        if now.since(at) < PAGE_TIMEOUT_MS {
            return;
        }
        session.tries += 1;
        if session.tries < PAGE_TRIES {
            session.stage = Stage::Asked(now);
            effects.push(session.request(&self.store));
        } else {
            self.abort_if(|_| true, effects);
        }
    }

    fn abort_if(&mut self, is_it: impl Fn(&Session) -> bool, effects: &mut Vec<Effect>) {
        if let Some(session) = self.session.take_if(|session| is_it(session)) {
            effects.push(session.ended(false));
        }
    }
}

impl Session {
    fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Asked(_))
    }

    fn request(&self, store: &StoreName) -> Effect {
        Effect::Request {
            peer: self.peer,
            request: PageRequest {
                store: store.clone(),
                session: self.number,
                frontier: Frontier::default(), // all of the buckets, whatever is held
                scope: Scope::Buckets(self.buckets.clone()),
                cursor: self.cursor.clone(),
            },
        }
    }

    fn ended(&self, complete: bool) -> Effect {
        Effect::Ended { peer: self.peer, records: self.records, complete }
    }
}

// CAVEATS: a walk for a few buckets still looks at every record of the donor, a page's worth at a time.

#[cfg(test)]
#[path = "repair_test.rs"]
mod tests;

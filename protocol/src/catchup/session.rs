//! One session of a catch-up: what was asked of whom, and how far it is.

use super::{Effect, Stretch};
use crate::page::{Page, PageCursor, PageRequest, Scope};
use crate::{Frontier, Hlc, Key, NodeId, Origin, StoreName, UnixMs};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the receiver's frontier does not cover.
    Missing,
    /// Everything is merged; nothing goes.
    Full,
    /// Everything is merged, and what the donor does not have any more goes.
    Bootstrap,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) number: u64,
    pub(super) donor: NodeId,
    pub(super) kind: Kind,
    /// The receiver's frontier, fixed at the start.
    frontier: Frontier,
    pub(super) cursor: Option<PageCursor>,
    pub(super) first: Option<First>,
    pub(super) stage: Stage,
    pub(super) tries: u32,
    pub(super) records: u64,
}

/// What the first page said.
#[derive(Debug)]
pub(super) struct First {
    pub(super) donor: Origin,
    pub(super) frontier: Frontier,
    pub(super) floor: Hlc,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Asked at this time.
    Asked(UnixMs),
    /// To be asked again at this time.
    AskAt(UnixMs),
    /// The store merges; `next` is where to go on.
    Merging { next: Option<PageCursor> },
}

impl First {
    pub(super) fn of(page: &Page, limit: Hlc) -> Self {
        Self {
            donor: page.donor,
            frontier: page.frontier.up_to(limit),
            floor: page.floor.min(limit),
        }
    }
}

impl Stage {
    /// Whether the store is merging a page.
    pub(super) fn merges(&self) -> bool {
        matches!(self, Self::Merging { .. })
    }

    /// Whether a page that comes now is one that was asked for.
    pub(super) fn awaits_page(&self) -> bool {
        matches!(self, Self::Asked(_))
    }
}

impl Session {
    pub(super) fn new(
        number: u64,
        donor: NodeId,
        kind: Kind,
        applied: &Frontier,
        now: UnixMs,
    ) -> Self {
        Self {
            number,
            donor,
            kind,
            frontier: if kind == Kind::Missing { applied.clone() } else { Frontier::default() },
            cursor: None,
            first: None,
            stage: Stage::Asked(now),
            tries: 0,
            records: 0,
        }
    }

    /// Whether this is the page that was asked for last.
    pub(super) fn awaits(&self, peer: NodeId, page: &Page) -> bool {
        self.donor == peer
            && self.number == page.session
            && self.cursor == page.cursor
            && self.stage.awaits_page()
    }

    /// What is to be done with a page; `None` when its cursors are no keys, though they have to be.
    pub(super) fn take(&mut self, page: Page, limit: Hlc) -> Option<Effect> {
        let Page { records, next, floor, .. } = page;
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let effect = match self.kind {
            Kind::Missing | Kind::Full => Effect::Merge(records),
            Kind::Bootstrap => Effect::Replace(Stretch {
                after: key_of(self.cursor.as_ref())?,
                upto: key_of(next.as_ref())?,
                records,
                floor: floor.min(limit),
                frontier: self.first.as_ref()?.frontier.clone(),
            }),
        };
        self.records += count;
        self.tries = 0;
        self.stage = Stage::Merging { next };
        Some(effect)
    }

    pub(super) fn request(&self, store: &StoreName) -> Effect {
        let scope = if self.kind == Kind::Bootstrap { Scope::Everything } else { Scope::Missing };
        Effect::Request {
            peer: self.donor,
            request: PageRequest {
                store: store.clone(),
                session: self.number,
                frontier: self.frontier.clone(),
                scope,
                cursor: self.cursor.clone(),
            },
        }
    }
}

/// The key that a cursor of a walk by keys is; the outer `None` when it is none.
#[expect(clippy::option_option, reason = "no cursor is one end of the walk, no key is a fault")]
fn key_of(cursor: Option<&PageCursor>) -> Option<Option<Key>> {
    cursor.map(|cursor| Key::from_bytes(cursor.bytes())).transpose().ok()
}

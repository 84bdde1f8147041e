//! What a catch-up hears, and what it asks to be done.

use crate::op::KeyedRecord;
use crate::page::{Page, PageRequest};
use crate::report::StoreReport;
use crate::{Frontier, Hlc, Key, NodeId, Origin};

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
    /// An operator wants all of this peer's copy to be merged.
    Requested {
        /// The peer.
        peer: NodeId,
    },
    /// An operator wants the store to be emptied and filled from this peer. The node goes on under a new
    /// epoch, and its peers have all that it minted before.
    Rebuild {
        /// The peer.
        peer: NodeId,
    },
    /// What came of emptying the store.
    Emptied(Emptied),
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
    /// Make a stretch of keys what the donor has of it, and commit; then say [`Event::Merged`].
    Replace(Stretch),
    /// The session is over: move the frontier to the donor's, except for this node's own present
    /// origin, and raise the floor, in one commit.
    Install {
        /// The donor's frontier before the first page.
        frontier: Frontier,
        /// The donor's floor.
        floor: Hlc,
    },
    /// Empty the store, frontier and all, unless it holds what `covered` does not cover; then say
    /// [`Event::Emptied`].
    Empty {
        /// What the peer has that it will be filled from.
        covered: Frontier,
    },
    /// A rebuild is over before it changed anything.
    RebuildGivenUp {
        /// The peer that the store was to be filled from.
        peer: NodeId,
        /// Whether that peer is linked, and gives no pages; else its link is gone.
        is_linked: bool,
    },
    /// A session began.
    Started {
        /// The donor.
        peer: NodeId,
        /// Whether the store is bootstrapped: it takes no batches from now on, until a bootstrap is complete.
        bootstrap: bool,
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

/// What came of emptying a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptied {
    /// It is empty.
    Done,
    /// It is as it was: something was staged that the peer does not have yet.
    NotYet,
    /// It could not be emptied: it is as it was, or is not to be used any more.
    Failed,
}

impl Emptied {
    /// What came of it when nothing failed.
    #[must_use]
    pub fn of(done: bool) -> Self {
        if done { Self::Done } else { Self::NotYet }
    }
}

/// A stretch of a donor's keys, with all that it has of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Above this key; `None`: from the first on.
    pub after: Option<Key>,
    /// Up to this key; `None`: to the last.
    pub upto: Option<Key>,
    /// The records.
    pub records: Vec<KeyedRecord>,
    /// The donor's floor when it read them.
    pub floor: Hlc,
    /// What the donor had before it read the first.
    pub frontier: Frontier,
}

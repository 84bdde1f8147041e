//! Holdings: what each peer has of a store, as it said itself. Receipts and acknowledgements read it.
//!
//! A peer says it in two ways: by reports, which come with every heartbeat, and by its answers to
//! batches, which come sooner. Both name what it has applied: what was only sent is never counted.
//! Within one run of a peer its frontier only grows, so what was said once stays true; another run may
//! have lost what the one before had, and starts with what it says itself.

use std::collections::BTreeMap;

use crate::{Frontier, Hlc, NodeId, Origin, Version};

/// What the peers of a node have of one store.
#[derive(Debug, Default)]
pub struct Holdings {
    by_node: BTreeMap<NodeId, Holding>,
}

#[derive(Debug)]
struct Holding {
    run: Origin,
    applied: Frontier,
}

/// A peer has more of an origin than was known: everything in `after < hlc <= upto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Whose ops.
    pub origin: Origin,
    /// What the peer was known to have.
    pub after: Hlc,
    /// What it has; [`Hlc::CLOSED`] says the same of all earlier epochs of that node.
    pub upto: Hlc,
}

impl Holdings {
    /// Takes the frontier of a report from `run`; says what is new.
    pub fn reported(&mut self, run: Origin, applied: &Frontier) -> Vec<Moved> {
        let Some(holding) = self.of(run) else { return Vec::new() };
        applied.iter().filter_map(|(origin, upto)| holding.advance(origin, upto)).collect()
    }

    /// Takes what an answer of `run` says that it has of `origin`; says what is new.
    pub fn answered(&mut self, run: Origin, origin: Origin, applied: Hlc) -> Option<Moved> {
        self.of(run)?.advance(origin, applied)
    }

    /// What is known of a run; `None` when a later one was heard of.
    fn of(&mut self, run: Origin) -> Option<&mut Holding> {
        let fresh = || Holding { run, applied: Frontier::default() };
        let holding = self.by_node.entry(run.node()).or_insert_with(fresh);
        if holding.run < run {
            *holding = fresh();
        }
        (holding.run == run).then_some(holding)
    }

    /// Up to where `peer` has ops of `origin`.
    #[must_use]
    pub fn upto(&self, peer: NodeId, origin: Origin) -> Hlc {
        self.by_node.get(&peer).map_or(Hlc::ZERO, |holding| holding.applied.get(origin))
    }

    /// Whether `peer` has the op with this version, or a newer one of its key.
    #[must_use]
    pub fn covers(&self, peer: NodeId, version: Version) -> bool {
        self.by_node.get(&peer).is_some_and(|holding| holding.applied.covers(version))
    }

    /// Whether `peer` has all that is up to this frontier.
    #[must_use]
    pub fn has_all(&self, peer: NodeId, frontier: &Frontier) -> bool {
        self.by_node.get(&peer).is_some_and(|holding| holding.applied.covers_all(frontier))
    }

    /// Drops who is no member any more.
    pub fn keep(&mut self, is_member: impl Fn(NodeId) -> bool) {
        self.by_node.retain(|peer, _| is_member(*peer));
    }
}

impl Holding {
    fn advance(&mut self, origin: Origin, upto: Hlc) -> Option<Moved> {
        let after = self.applied.get(origin);
        let moved = self.applied.advance(origin, upto);
        moved.then(|| Moved { origin, after, upto: self.applied.get(origin) })
    }
}

// CAVEATS: a cache covers what it may have evicted; of one that forgot everything, also what it never
// had. A copy that is emptied and loaded again goes back within its run: it has to take a new epoch.

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NODE, OTHER, PEER, at, frontier, origin};
    use crate::frontier::Closing;

    const fn moved(origin: Origin, after: Hlc, upto: Hlc) -> Moved {
        Moved { origin, after, upto }
    }

    #[test]
    fn answers_and_reports_of_one_run_add_up_in_any_order() {
        let (own, third, run) = (origin(NODE, 1), origin(OTHER, 1), origin(PEER, 7));
        let mut holdings = Holdings::default();
        assert_eq!(holdings.answered(run, own, at(5)), Some(moved(own, Hlc::ZERO, at(5))));
        let late = frontier(&[(own, 3), (third, 4)]);
        assert_eq!(holdings.reported(run, &late), [moved(third, Hlc::ZERO, at(4))]);
        assert_eq!(holdings.reported(run, &late), [], "nothing new");
        assert_eq!(holdings.answered(run, own, at(5)), None);
        assert_eq!(holdings.upto(PEER, own), at(5), "what was said once stays true");
        assert!(holdings.covers(PEER, Version { hlc: at(4), origin: third }));
        assert!(!holdings.covers(PEER, Version { hlc: at(6), origin: own }));
        assert!(!holdings.covers(OTHER, Version { hlc: at(1), origin: own }), "never heard of");
        assert!(holdings.has_all(PEER, &frontier(&[(own, 5), (third, 4)])));
        assert!(!holdings.has_all(PEER, &frontier(&[(own, 5), (third, 5)])));
        assert!(!holdings.has_all(OTHER, &Frontier::default()), "never heard of");
    }

    #[test]
    fn another_run_starts_with_what_it_says_itself() {
        let (own, mut holdings) = (origin(NODE, 1), Holdings::default());
        holdings.answered(origin(PEER, 7), own, at(5));
        let less = frontier(&[(own, 2)]);
        assert_eq!(holdings.reported(origin(PEER, 8), &less), [moved(own, Hlc::ZERO, at(2))]);
        assert_eq!(holdings.answered(origin(PEER, 7), own, at(6)), None, "too late");
        assert_eq!(holdings.reported(origin(PEER, 7), &frontier(&[(own, 9)])), []);
        assert_eq!(holdings.upto(PEER, own), at(2));
    }

    #[test]
    fn a_closed_origin_is_had_whole_and_all_before_it() {
        let (early, late, run) = (origin(OTHER, 1), origin(OTHER, 2), origin(PEER, 7));
        let mut theirs = frontier(&[(late, 4)]);
        theirs.close(late, Closing { at: at(4), loose: false });
        let mut holdings = Holdings::default();
        assert_eq!(holdings.reported(run, &theirs), [moved(late, Hlc::ZERO, Hlc::CLOSED)]);
        assert!(holdings.covers(PEER, Version { hlc: at(9), origin: early }));
    }

    #[test]
    fn who_is_forgotten_holds_nothing() {
        let (own, mut holdings) = (origin(NODE, 1), Holdings::default());
        holdings.answered(origin(PEER, 7), own, at(5));
        holdings.answered(origin(OTHER, 7), own, at(5));
        holdings.keep(|peer| peer != PEER);
        assert_eq!((holdings.upto(PEER, own), holdings.upto(OTHER, own)), (Hlc::ZERO, at(5)));
    }
}

//! How far each member is on what each of the others wrote, as this node knows it: its own frontier, and what the
//! others said of theirs.
//!
//! Of its own operations a node knows how many a peer lacks and since when (`lag` in [`crate::node`]). Of what others
//! wrote it has no log, and knows points in time only: everything that a member minted until then is there. How many
//! operations came after that point, or whether any did, only their writer knows.

use std::collections::{BTreeMap, BTreeSet};

use gridkv_protocol::{Hlc, NodeId, Origin, StoreName, UnixMs};

use crate::node::NodeHandle;

/// What is known of a reader and a writer, both by name, in one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Who wrote.
    pub writer: String,
    /// Who has it, or lacks some of it.
    pub reader: String,
    /// How far.
    pub reach: Reach,
}

/// How far a member is on what another one wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// It has everything that was minted up to here; `None`: it did not say so of anything.
    pub upto: Option<UnixMs>,
    /// Whether it has everything of which this node has heard.
    pub has_all_known: bool,
}

impl NodeHandle {
    /// How far every member is on what every member but this node wrote, by store. Members that do not hold a store are
    /// left out of it.
    pub fn spread(&self) -> BTreeMap<StoreName, Vec<Spread>> {
        let board = self.inner().board.read();
        let me = (self.origin().node(), self.name());
        let mut all = BTreeMap::new();
        for (store, end) in self.inner().ends.all().iter() {
            let members = board.neighbours.iter().map(|neighbour| &neighbour.member);
            let peers: Vec<_> = members.filter(|member| member.holds(store)).collect();
            let readers = peers.iter().map(|peer| (peer.origin.node(), peer.name.as_str()));
            let readers: Vec<(NodeId, &str)> = [me].into_iter().chain(readers).collect();
            let applied = end.reader.applied();
            let has = |reader: NodeId, run: Origin| {
                if reader == me.0 { applied.get(run) } else { end.acks.upto(reader, run) }
            };
            let mut spread = Vec::new();
            for writer in &peers {
                let id = writer.origin.node();
                let runs = applied.open().map(|(run, _)| run).filter(|run| run.node() == id);
                let runs: BTreeSet<Origin> = runs.chain([writer.origin]).collect();
                for (reader, name) in readers.iter().filter(|(reader, _)| *reader != id) {
                    let points = runs.iter().map(|run| Points {
                        known: known(readers.iter().map(|(reader, _)| has(*reader, *run))),
                        has: has(*reader, *run),
                    });
                    spread.push(Spread {
                        writer: writer.name.clone(),
                        reader: (*name).to_owned(),
                        reach: reach(points),
                    });
                }
            }
            all.insert(store.clone(), spread);
        }
        all
    }
}

/// Of one run of a writer: up to where a reader has it, and up to where anybody has.
struct Points {
    has: Hlc,
    known: Hlc,
}

/// The furthest of these points, closed ones aside: those are had by all members.
fn known(points: impl Iterator<Item = Hlc>) -> Hlc {
    points.filter(|point| *point < Hlc::CLOSED).max().unwrap_or(Hlc::ZERO)
}

/// How far a reader is, by the runs of one writer in their order; the last one goes on.
fn reach(runs: impl Iterator<Item = Points>) -> Reach {
    let (mut upto, mut has_all_known) = (Hlc::ZERO, true);
    for Points { has, known } in runs {
        let is_behind = has < known;
        upto = if has_all_known { has.min(known) } else { upto };
        has_all_known &= !is_behind;
    }
    Reach { upto: (upto > Hlc::ZERO).then(|| upto.physical()), has_all_known }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Hlc {
        Hlc::at(UnixMs(ms))
    }

    fn of(runs: &[(u64, u64)]) -> (Option<u64>, bool) {
        let points = runs.iter().map(|(has, known)| Points { has: at(*has), known: at(*known) });
        let Reach { upto, has_all_known } = reach(points);
        (upto.map(|upto| upto.0), has_all_known)
    }

    #[test]
    fn a_reader_is_as_far_as_in_the_first_run_that_it_lacks_some_of() {
        assert_eq!(of(&[(7, 7)]), (Some(7), true));
        assert_eq!(of(&[(5, 7)]), (Some(5), false));
        assert_eq!(of(&[(0, 7)]), (None, false), "it never said");
        assert_eq!(of(&[(0, 0)]), (None, true), "nobody ever did");
        assert_eq!(of(&[(7, 7), (9, 9)]), (Some(9), true));
        assert_eq!(of(&[(6, 7), (9, 9)]), (Some(6), false), "an earlier run is not whole");
        assert_eq!(of(&[(0, 7), (9, 9)]), (None, false));
    }

    #[test]
    fn what_is_closed_is_had_by_all() {
        assert_eq!(known([at(3), Hlc::CLOSED, at(5)].into_iter()), at(5));
        let closed = reach([Points { has: Hlc::CLOSED, known: at(5) }].into_iter());
        assert_eq!(closed, Reach { upto: Some(UnixMs(5)), has_all_known: true });
    }
}

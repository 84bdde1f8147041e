//! Equal frontiers mean equal records: at any moment, not only at rest.

use std::collections::BTreeMap;

use super::Verdict;
use super::frontier::shown;
use crate::network::At;
use gridkv_protocol::digest::Proof;
use gridkv_protocol::{Frontier, Hlc, Key, Live, Record, State, UnixMs, Version};

/// Its name.
pub const NAME: &str = "equal frontiers mean equal records";

/// Records that count at a frontier: those whose deadline, if they have one, lies beyond its low water.
fn counts(record: &Record, low_water: UnixMs) -> bool {
    match &record.state {
        State::Live(Live { expires_at, .. }) => expires_at.is_none_or(|at| at > low_water),
        State::Expired { expires_at } => *expires_at > low_water,
        State::Deleted => false,
    }
}

/// Roots of digests by the fingerprint of the frontier that they were seen at, and where.
#[derive(Debug, Default)]
pub struct Roots {
    seen: BTreeMap<u64, (u64, At)>,
    /// The highest floor of any store so far.
    floor: Hlc,
}

impl Roots {
    /// A store has this floor.
    pub fn purged(&mut self, floor: Hlc) {
        self.floor = self.floor.max(floor);
    }

    /// Whether two stores at this frontier must hold the same. A donor that purges in the middle of a session
    /// leaves out what had expired by then: who was filled by it lacks that at a frontier from before.
    #[must_use]
    pub fn must_agree(&self, applied: &Frontier) -> bool {
        applied.low_water() >= self.floor
    }

    /// A store says what it amounts to at a frontier.
    ///
    /// # Errors
    /// When one said something else at the same frontier, whenever that was.
    pub fn said(&mut self, at: At, Proof { frontier, root }: Proof) -> Verdict {
        let (known, other) = *self.seen.entry(frontier).or_insert((root, at));
        if known != root {
            return Err(format!("n{at} and n{other} were level, with other digests"));
        }
        Ok(())
    }
}

/// Two machines have the same frontier, and no loose record.
///
/// # Errors
/// When they hold something else.
pub fn same(
    (a, of_a): (At, &BTreeMap<Key, Record>),
    (b, of_b): (At, &BTreeMap<Key, Record>),
    low_water: UnixMs,
) -> Verdict {
    let counted = |of: &BTreeMap<Key, Record>, key: &Key| -> Option<Version> {
        of.get(key).filter(|record| counts(record, low_water)).map(|record| record.version)
    };
    for key in of_a.keys().chain(of_b.keys()) {
        let (in_a, in_b) = (counted(of_a, key), counted(of_b, key));
        if in_a != in_b {
            let (in_a, in_b) = (shown(in_a), shown(in_b));
            let key = key.as_str();
            return Err(format!("n{a} and n{b} are level, and hold {in_a} and {in_b} under {key}"));
        }
    }
    Ok(())
}

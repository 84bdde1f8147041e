//! The keys in which a store differs from a peer's, as a repair met them: an alarm says how many buckets
//! differ, and who looks into it asks which keys.
//!
//! It says of a key only what the frontiers of both sides bear out: what one of them has not seen yet is no
//! difference, and neither is what counts in neither digest.

use crate::limits::MAX_DIFFERING_KEYS;
use crate::op::KeyedRecord;
use crate::{Frontier, Key, Record, State, UnixMs, Version};

/// The keys that differed when the records of a peer were last compared with those of this store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// When the last of them was found; `None` while there is none.
    pub found_at: Option<UnixMs>,
    /// The first of them, in the order of the peer's pages: at most [`MAX_DIFFERING_KEYS`].
    pub keys: Vec<DifferingKey>,
    /// How many more there were.
    pub more: u64,
}

/// A key that two stores hold in different versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingKey {
    /// The key.
    pub key: Key,
    /// The version of the record here, before what differs was merged; `None`: there was none.
    pub here: Option<Version>,
    /// The version of the peer's.
    pub there: Version,
}

impl Differing {
    /// Sets records of a peer that `applied`, the frontier here, covers beside what stood here under their
    /// keys, in the same order. `claimed` is what the peer had before it read them.
    pub(crate) fn compare(
        &mut self,
        now: UnixMs,
        theirs: &[KeyedRecord],
        here: &[Option<Record>],
        (applied, claimed): (&Frontier, &Frontier),
    ) {
        let passed = applied.low_water().physical();
        let counts = |record: &Record| counts_until(record).is_some_and(|until| until > passed);
        for (KeyedRecord { key, record }, here) in theirs.iter().zip(here) {
            let is_counted = [Some(record), here.as_ref()].into_iter().flatten().any(counts);
            let (here, there) = (here.as_ref().map(|it| it.version), record.version);
            // A newer one here that the peer has not heard of is on its way there.
            let is_known = here.is_none_or(|here| here < there || claimed.covers(here));
            if is_counted && is_known && here != Some(there) {
                self.note(now, DifferingKey { key: key.clone(), here, there });
            }
        }
    }

    fn note(&mut self, now: UnixMs, differing: DifferingKey) {
        self.found_at = Some(now);
        if self.keys.len() < MAX_DIFFERING_KEYS {
            self.keys.push(differing);
        } else {
            self.more += 1;
        }
    }
}

/// Up to when a record counts in a digest; `None` for a tombstone, which one side may have purged already.
fn counts_until(record: &Record) -> Option<UnixMs> {
    match &record.state {
        State::Live(live) => Some(live.expires_at.unwrap_or(UnixMs(u64::MAX))),
        State::Expired { expires_at } => Some(*expires_at),
        State::Deleted => None,
    }
}

// CAVEATS: a key that is here and not at the peer is not among them: the pages of a few buckets come in the
// order of the donor's backend, so nothing between two records is known to be absent. The peer's own repair
// finds those. Nor are two records of one version with different content: the digest does not see them, and
// the funnel counts them as collisions.

#[cfg(test)]
#[path = "differing_test.rs"]
mod tests;

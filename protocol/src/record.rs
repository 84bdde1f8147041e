//! A record and the law that merges two of one key: the greater version wins.
//!
//! [`Record::judge`] is that law as the storage funnel asks it; [`Record::merge`] is the same law as
//! algebra. It is commutative, associative and idempotent, so nodes that saw the same records in any
//! order, any number of times, hold the same state.

use std::cmp::Ordering;

use crate::mutant::{self, Mutant};
use crate::{ContentType, UnixMs, Value, Version};

/// What a store holds under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When and by whom it was written.
    pub version: Version,
    /// What it says.
    pub state: State,
}

/// What a record says about its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The key has a value.
    Live(Live),
    /// The key had a value until `expires_at`: the same record, same version, without its value. A
    /// pure function of the record and time, so every node gets there alone.
    Expired {
        /// The deadline that passed.
        expires_at: UnixMs,
    },
    /// The key was deleted: a tombstone.
    Deleted,
}

/// A value and what came with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Live {
    /// The bytes.
    pub value: Value,
    /// Their media type, when the writer named one.
    pub content_type: Option<ContentType>,
    /// The moment from which the key reads as absent, if any.
    pub expires_at: Option<UnixMs>,
}

impl Live {
    /// Whether the deadline has come.
    #[must_use]
    pub fn is_due(&self, now: UnixMs) -> bool {
        self.expires_at.is_some_and(|deadline| deadline <= now)
    }
}

/// What the law says of an incoming record beside the standing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The incoming record is newer: it replaces the standing one.
    Applied,
    /// The standing record is newer: nothing changes.
    Stale,
    /// The standing record already says this: nothing changes.
    Duplicate,
    /// Same version, different content: corruption somewhere. The pick is the same on every node;
    /// `replaces` says whether the incoming record is it. A counter of these must stay 0.
    Collision {
        /// Whether the incoming record replaces the standing one.
        replaces: bool,
    },
}

impl Admission {
    /// Whether the incoming record takes the standing one's place.
    #[must_use]
    pub fn replaces(self) -> bool {
        matches!(self, Self::Applied | Self::Collision { replaces: true })
    }
}

impl Record {
    /// The live part, unless the record is a tombstone, expired, or due at `now`.
    #[must_use]
    pub fn live_at(&self, now: UnixMs) -> Option<&Live> {
        match &self.state {
            State::Live(live) if !live.is_due(now) => Some(live),
            State::Live(_) | State::Expired { .. } | State::Deleted => None,
        }
    }

    /// The same record after its deadline, if it has one and it has come.
    #[must_use]
    pub fn expired_at(&self, now: UnixMs) -> Option<Self> {
        match &self.state {
            State::Live(Live { expires_at: Some(deadline), .. }) if *deadline <= now => {
                Some(Self {
                    version: self.version,
                    state: State::Expired { expires_at: *deadline },
                })
            }
            State::Live(_) | State::Expired { .. } | State::Deleted => None,
        }
    }

    /// Bytes of its value and content type; 0 for tombstones and expired records.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        match &self.state {
            State::Live(live) => {
                live.value.len() + live.content_type.as_ref().map_or(0, |ct| ct.as_str().len())
            }
            State::Expired { .. } | State::Deleted => 0,
        }
    }

    /// Judges `incoming` beside what stands under its key.
    #[must_use]
    pub fn judge(standing: Option<&Self>, incoming: &Self) -> Admission {
        let Some(standing) = standing else { return Admission::Applied };
        if mutant::is(Mutant::NoVersionCheck) && standing.version != incoming.version {
            return Admission::Applied;
        }
        if mutant::is(Mutant::TiesByArrival) && standing.version.hlc == incoming.version.hlc {
            return Admission::Applied;
        }
        match incoming.version.cmp(&standing.version) {
            Ordering::Greater => Admission::Applied,
            Ordering::Less => Admission::Stale,
            Ordering::Equal => Self::judge_same_version(&standing.state, &incoming.state),
        }
    }

    fn judge_same_version(standing: &State, incoming: &State) -> Admission {
        if standing == incoming {
            return Admission::Duplicate;
        }
        match (standing, incoming) {
            // A deadline passed: here first, or there first.
            (State::Live(live), State::Expired { expires_at })
                if live.expires_at == Some(*expires_at) =>
            {
                Admission::Applied
            }
            (State::Expired { expires_at }, State::Live(live))
                if live.expires_at == Some(*expires_at) =>
            {
                Admission::Duplicate
            }
            _ => Admission::Collision {
                replaces: incoming.order_within_version(standing) == Ordering::Greater,
            },
        }
    }

    /// The greater of two records of one key: the merge of the whole system.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if Self::judge(Some(&self), &other).replaces() { other } else { self }
    }
}

impl State {
    /// A total order among states of one version: live, then expired, then deleted, then by content.
    /// Only corruption ever compares two different ones, apart from a live record and its expiry.
    fn order_within_version(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| match (self, other) {
            (Self::Live(a), Self::Live(b)) => a.cmp(b),
            (Self::Expired { expires_at: a }, Self::Expired { expires_at: b }) => a.cmp(b),
            _ => Ordering::Equal,
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Live(_) => 0,
            Self::Expired { .. } => 1,
            Self::Deleted => 2,
        }
    }
}

// CAVEATS: last-write-wins loses one of two concurrent writes. It is counted where it happens (the
// funnel compares with what the writer had seen), and never hidden.

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;

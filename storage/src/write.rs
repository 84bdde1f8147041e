//! What a client asks of a store, and what became of it.

use gridkv_protocol::{ContentType, Key, Record, UnixMs, Value, Version};

use crate::durability::Durability;
use crate::stats::Undone;

/// One change of one key, under a condition.
#[derive(Clone, Debug)]
pub struct Write {
    /// The key.
    pub key: Key,
    /// The change.
    pub action: Action,
    /// What must hold of the key at the moment of the change.
    pub condition: Condition,
}

/// A change of a key.
#[derive(Clone, Debug)]
pub enum Action {
    /// Give it a value.
    Put {
        /// The bytes.
        value: Value,
        /// Their media type.
        content_type: Option<ContentType>,
        /// How long it lives.
        ttl: Ttl,
    },
    /// Delete it: a tombstone, also when there was nothing.
    Delete,
    /// Give it another deadline, and keep its value. A key without a value is not found.
    Touch {
        /// How long it lives from now.
        ttl: Ttl,
    },
}

/// How long a value lives from the moment it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// As long as the store says.
    #[default]
    StoreDefault,
    /// Until the deadline it has now.
    Keep,
    /// For ever.
    Unlimited,
    /// For this many milliseconds.
    Ms(u64),
    /// Until this moment.
    Until(UnixMs),
}

/// What must hold of a key; every part that is given. Atomic on this node, not across nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The key has a value whose version is one of these.
    pub if_match: Option<Matcher>,
    /// The key has no value whose version is one of these.
    pub if_none_match: Option<Matcher>,
    /// What stands under the key, dead or alive, is older than this, if anything is.
    pub if_older_than: Option<Version>,
}

/// Versions that a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// Any version: the key has a value.
    Any,
    /// One of these.
    OneOf(Vec<Version>),
}

impl Matcher {
    fn matches(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

impl Condition {
    /// Whether the condition holds for a key under which a record of the version `standing` stands, dead or
    /// alive, if anything does.
    pub fn holds_beside(&self, standing: Option<Version>) -> bool {
        self.if_older_than.is_none_or(|newer| standing.is_none_or(|standing| standing < newer))
    }

    /// Whether the rest of it holds for a key whose value has the version `current`, if it has one.
    pub fn holds(&self, current: Option<Version>) -> bool {
        let matched = |matcher: &Matcher| current.is_some_and(|version| matcher.matches(version));
        self.if_match.as_ref().is_none_or(matched)
            && !self.if_none_match.as_ref().is_some_and(matched)
    }
}

/// A write that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The version that was minted for it.
    pub version: Version,
    /// Whether the key had a value before.
    pub existed: bool,
    /// Its deadline now.
    pub expires_at: Option<UnixMs>,
    /// What the write survives on this node.
    pub durability: Durability,
}

/// Why a write was not made. The store is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The condition does not hold.
    #[error("the condition does not hold")]
    PreconditionFailed {
        /// The version of the key's value, if it has one.
        current: Option<Version>,
    },
    /// There is no value to touch.
    #[error("the key has no value")]
    KeyNotFound,
    /// The store is full and its policy is to refuse.
    #[error("the store holds {used_bytes} bytes and may hold {limit_bytes}")]
    MemoryLimit {
        /// Bytes held.
        used_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The record would take too much of a cache.
    #[error("this cache keeps records of up to {limit_bytes} bytes of key and value")]
    TooLarge {
        /// Bytes of key, value and content type that a record may have.
        limit_bytes: usize,
    },
    /// The backend gives less than was asked for.
    #[error("this store's writes reach durability {best}")]
    DurabilityUnavailable {
        /// The most it gives.
        best: Durability,
    },
    /// Another op of an atomic batch was rejected.
    #[error("another op of the batch was rejected")]
    BatchAborted,
}

impl Rejection {
    /// How it is counted.
    pub fn undone(&self) -> Undone {
        match self {
            Self::PreconditionFailed { .. } => Undone::Conflict,
            Self::KeyNotFound => Undone::NotFound,
            Self::MemoryLimit { .. } => Undone::MemoryLimit,
            Self::TooLarge { .. } | Self::DurabilityUnavailable { .. } | Self::BatchAborted => {
                Undone::Error
            }
        }
    }
}

/// Several operations in one message: nothing else happens between them on this node.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// All writes or none.
    pub atomic: bool,
    /// The operations, done in this order.
    pub items: Vec<BatchItem>,
    /// What each write must reach, at least.
    pub durability: Option<Durability>,
}

impl Batch {
    /// Whether anything of it would be minted.
    pub fn has_writes(&self) -> bool {
        self.items.iter().any(|item| matches!(item, BatchItem::Write(_)))
    }
}

/// One operation of a batch.
#[derive(Clone, Debug)]
pub enum BatchItem {
    /// A change.
    Write(Write),
    /// A read, which sees the writes before it.
    Get(Key),
}

/// What became of one operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// The change was committed.
    Written(Written),
    /// The change was not made.
    Rejected(Rejection),
    /// What the key holds: a live record, or nothing.
    Read(Option<Record>),
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Epoch, Hlc, NodeId, Origin};

    use super::*;

    #[test]
    fn conditions_as_http_has_them() {
        let version =
            |bits| Version { hlc: Hlc::from_bits(bits), origin: Origin::new(NodeId(1), Epoch(1)) };
        let one = Some(Matcher::OneOf(vec![version(1)]));
        let table = [
            ("if-match any, absent", Some(Matcher::Any), None, None, false),
            ("if-match any, there", Some(Matcher::Any), None, Some(version(1)), true),
            ("if-match one, it", one.clone(), None, Some(version(1)), true),
            ("if-match one, other", one.clone(), None, Some(version(2)), false),
            ("if-match one, absent", one.clone(), None, None, false),
            ("if-none-match any, absent", None, Some(Matcher::Any), None, true),
            ("if-none-match any, there", None, Some(Matcher::Any), Some(version(1)), false),
            ("if-none-match one, it", None, one.clone(), Some(version(1)), false),
            ("if-none-match one, other", None, one, Some(version(2)), true),
            ("none", None, None, None, true),
        ];
        for (name, if_match, if_none_match, current, holds) in table {
            let condition = Condition { if_match, if_none_match, ..Condition::default() };
            assert_eq!(condition.holds(current), holds, "{name}");
            assert!(condition.holds_beside(current));
        }
    }
}

//! An ordered walk over live keys, in pages: what the API lists.

use gridkv_protocol::{Key, Record};

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that start with this; empty for all.
    pub prefix: String,
    /// Only keys after this one, in byte order.
    pub after: Option<Key>,
    /// How many, at most.
    pub limit: usize,
}

/// Live keys in byte order. A key that is there throughout a walk is listed exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The keys and their live records.
    pub records: Vec<(Key, Record)>,
    /// Whether more follow the last one.
    pub more: bool,
}

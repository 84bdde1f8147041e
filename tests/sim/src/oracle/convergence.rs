//! Once all is well all nodes hold the same, within a bounded time.

use std::collections::BTreeMap;

use gridkv_protocol::{Key, Record};

use super::Verdict;
use super::frontier::shown;
use crate::network::At;

/// Its name.
pub const NAME: &str = "all nodes converge";

/// Whether two machines hold the same versions, dead records included.
///
/// # Errors
/// The first key that differs.
pub fn same(
    (a, of_a): (At, &BTreeMap<Key, Record>),
    (b, of_b): (At, &BTreeMap<Key, Record>),
) -> Verdict {
    for key in of_a.keys().chain(of_b.keys()) {
        let version = |of: &BTreeMap<Key, Record>| of.get(key).map(|record| record.version);
        let (in_a, in_b) = (version(of_a), version(of_b));
        if in_a != in_b {
            let (key, in_a, in_b) = (key.as_str(), shown(in_a), shown(in_b));
            return Err(format!("n{a} holds {in_a} and n{b} {in_b} under {key}"));
        }
    }
    Ok(())
}

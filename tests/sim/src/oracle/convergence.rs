//! Once all is well all nodes hold the same, within a bounded time.

use std::collections::BTreeMap;

use gridkv_protocol::{Key, Record, State, UnixMs};

use super::Verdict;
use super::frontier::shown;
use crate::network::At;

/// Its name.
pub const NAME: &str = "all nodes converge";

fn lives(record: &Record, now: UnixMs, skew_ms: u64) -> bool {
    match &record.state {
        State::Live(live) => live.expires_at.is_none_or(|at| at > now.plus(skew_ms)),
        State::Expired { .. } | State::Deleted => false,
    }
}

/// Whether two machines hold the same live records. What is about to expire is left out: one of them may have
/// seen the deadline pass.
///
/// # Errors
/// The first key that differs.
pub fn same(
    (a, of_a): (At, &BTreeMap<Key, Record>),
    (b, of_b): (At, &BTreeMap<Key, Record>),
    (now, skew_ms): (UnixMs, u64),
) -> Verdict {
    for key in of_a.keys().chain(of_b.keys()) {
        let live = |of: &BTreeMap<Key, Record>| {
            of.get(key).filter(|record| lives(record, now, skew_ms)).map(|record| record.version)
        };
        let (in_a, in_b) = (live(of_a), live(of_b));
        if in_a != in_b {
            let (key, in_a, in_b) = (key.as_str(), shown(in_a), shown(in_b));
            return Err(format!("n{a} holds {in_a} and n{b} {in_b} under {key}"));
        }
    }
    Ok(())
}

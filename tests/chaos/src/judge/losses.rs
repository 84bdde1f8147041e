//! What was acknowledged is there at the end, or something newer: as far as the acknowledgement said that it survives what
//! was done to the nodes.
//!
//! A write must be there if somebody certainly has it: the node that acknowledged it or served it, and that has not lost
//! that state since; or, when peers had acknowledged it as well, one of more holders than lost theirs. What is there in
//! its place may be any newer write, also one whose outcome nobody knows.

use gridkv_soak::Durability;

use super::case::{Case, KeyCase, tell, tells_value};
use super::lives::Lives;
use crate::finding::{Property, Verdict};
use crate::history::{Look, Op, Outcome, StoreClass};

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for key in case.keys() {
        let standing = key.ops.iter().filter(|op| stands(op, key.class, &case.lives));
        let Some(newest) = standing.copied().max_by(|a, b| a.version().cmp(&b.version())) else {
            continue;
        };
        for look in case.looks(key.place.store) {
            verdict.look(Property::Keeps);
            if !tells_value(newest) {
                verdict.look(Property::StaysDeleted);
            }
            if let Some((property, what)) = wrong(&key, newest, look) {
                verdict.find(property, key.place, what);
                break;
            }
        }
    }
}

/// Whether what an operation told of is certainly somewhere at the end.
fn stands(op: &Op, class: &StoreClass, lives: &Lives<'_>) -> bool {
    const VOLATILE: StoreClass =
        StoreClass { backend: String::new(), persistent: false, cache: false };
    match &op.outcome {
        Outcome::Found { .. } => lives.keeps(class, op.node, op.invoked),
        Outcome::Written { durability, acks, .. } => {
            let survives = durability.is_some_and(|durability| durability >= Durability::Os);
            let class = if survives { class } else { &VOLATILE };
            let holders = usize::from(*acks) + 1;
            lives.keeps(class, op.node, op.invoked) || holders > lives.losers(class, op.invoked)
        }
        Outcome::Nothing | Outcome::Refused(_) | Outcome::Unknown(_) => false,
    }
}

fn wrong(key: &KeyCase<'_, '_>, newest: &Op, look: &Look) -> Option<(Property, String)> {
    let version = newest.version()?;
    let node = look.node;
    match look.records.get(key.place.key) {
        Some((seen, stamp)) if seen.as_str() < version => {
            let property =
                if tells_value(newest) { Property::Keeps } else { Property::StaysDeleted };
            Some((property, format!("n{node} has {stamp} in {seen}, after {}", tell(newest))))
        }
        None if tells_value(newest) && !key.may_be_gone(version, look.at) => {
            Some((Property::Keeps, format!("n{node} has nothing, after {}", tell(newest))))
        }
        _ => None,
    }
}

//! On one node a key never goes back, whoever asks: what was acknowledged there is read there, reads are monotonic, and
//! what was deleted stays deleted. For stores that persist this holds beyond the end of a process.
//!
//! It can not see which version an absence has, so an absence is right as soon as anything may have caused it.

use super::case::{Case, KeyCase, tell, tells_value};
use super::floors::floors;
use crate::finding::{Property, Verdict};
use crate::history::{Op, Outcome};

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for key in case.keys() {
        for (op, floor) in floors(&key, &case.lives) {
            if let Some(floor) = floor {
                verdict.look(Property::NeverBack);
                one(&key, op, floor, verdict);
            }
        }
    }
}

fn one(key: &KeyCase<'_, '_>, op: &Op, floor: &Op, verdict: &mut Verdict) {
    let Some(before) = floor.version() else { return };
    let back = match &op.outcome {
        Outcome::Found { version, .. } => version.as_str() < before,
        Outcome::Written { version, .. } => version.as_str() <= before,
        Outcome::Nothing => tells_value(floor) && !key.may_be_gone(before, op.returned),
        Outcome::Refused(_) | Outcome::Unknown(_) => false,
    };
    if back {
        let found = matches!(op.outcome, Outcome::Found { .. });
        let risen = found && !tells_value(floor);
        let property = if risen { Property::StaysDeleted } else { Property::NeverBack };
        verdict.find(property, key.place, format!("{}, after {}", tell(op), tell(floor)));
    }
}

//! A write that was made although it had a condition: on its node the condition held.
//!
//! Only what the node had told before is held against it; what reached it from elsewhere in between is its own affair.

use std::collections::HashMap;

use super::case::{Case, KeyCase, tell, tells_value};
use super::floors::floors;
use crate::finding::{Property, Verdict};
use crate::history::{Condition, Op, Outcome};

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for key in case.keys() {
        let mut used: HashMap<(u16, usize, &str), &Op> = HashMap::new();
        for (op, floor) in floors(&key, &case.lives) {
            let Outcome::Written { version, .. } = &op.outcome else { continue };
            let Some(condition) = op.condition() else { continue };
            verdict.look(Property::Conditions);
            if let Some(floor) = floor.filter(|floor| broken(&key, op, condition, floor)) {
                let what = format!("{}, although {}", tell(op), tell(floor));
                verdict.find(Property::Conditions, key.place, what);
            }
            let Condition::Version(wanted) = condition else { continue };
            if version <= wanted {
                let what = format!("if it was {wanted}: {}", tell(op));
                verdict.find(Property::Conditions, key.place, what);
            }
            let life = case.lives.life(key.class, op).unwrap_or_default();
            if let Some(other) = used.insert((op.node, life, wanted), op) {
                let what = format!("if it was {wanted}: {}, and {}", tell(op), tell(other));
                verdict.find(Property::Conditions, key.place, what);
            }
        }
    }
}

/// Whether the condition can not have held after what the node had told.
fn broken(key: &KeyCase<'_, '_>, op: &Op, condition: &Condition, floor: &Op) -> bool {
    let Some(before) = floor.version() else { return false };
    match condition {
        Condition::Version(wanted) => wanted.as_str() < before,
        Condition::Absent => tells_value(floor) && !key.may_be_gone(before, op.returned),
    }
}

//! A value whose time is over is not served, wherever it is asked for. That it does not go away before is seen to where
//! absences are judged.

use super::case::{Case, DEADLINE_MARGIN, tell};
use crate::finding::{Property, Verdict};
use crate::history::{Asked, Micros, Op, Outcome};

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for key in case.keys() {
        for op in key.ops {
            let Outcome::Found { stamp, .. } = &op.outcome else { continue };
            let Some((write, over)) = case.write_of(stamp).and_then(over) else { continue };
            verdict.look(Property::Deadlines);
            if op.invoked > over {
                let what = format!("{}, although {}", tell(op), tell(write));
                verdict.find(Property::Deadlines, key.place, what);
            }
        }
    }
    for (store, _) in case.stores() {
        for look in case.looks(store) {
            for (key, (_, stamp)) in &look.records {
                let Some((write, over)) = case.write_of(stamp).and_then(over) else { continue };
                verdict.look(Property::Deadlines);
                if look.at > over {
                    let place = format!("{store}/{key}");
                    let what = format!("served by n{} at the end: {}", look.node, tell(write));
                    verdict.find(Property::Deadlines, place, what);
                }
            }
        }
    }
}

/// When a value is certainly over: of a write whose outcome nobody knows, nobody knows when it began.
fn over(write: &Op) -> Option<(&Op, Micros)> {
    let Asked::Put { ttl_ms: Some(ttl), .. } = &write.asked else { return None };
    let known = matches!(write.outcome, Outcome::Written { .. });
    known.then_some((write, write.returned + ttl * 1_000 + DEADLINE_MARGIN))
}

//! No two writes of a store have the same version, and no version has two values.

use std::collections::HashMap;

use super::case::{Case, Place, tell};
use crate::finding::{Property, Verdict};
use crate::history::{Op, Outcome};
use crate::stamp::Stamp;

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    let mut given: HashMap<(&str, &str), &Op> = HashMap::new();
    for key in case.keys() {
        for op in key.ops {
            let Outcome::Written { version, .. } = &op.outcome else { continue };
            verdict.look(Property::Versions);
            if let Some(other) = given.insert((key.place.store, version), op) {
                let what = format!("{}, and {}: {}", tell(op), other.key, tell(other));
                verdict.find(Property::Versions, key.place, what);
            }
        }
    }
    let mut seen: HashMap<(&str, &str), (Place<'_>, &Stamp)> = HashMap::new();
    for (place, version, stamp, _) in case.seen() {
        let first = seen.entry((place.store, version)).or_insert((place, stamp));
        if *first != (place, stamp) {
            let what = format!("{stamp} in {version}, in which {} has {}", first.0, first.1);
            verdict.find(Property::Versions, place, what);
        }
    }
}

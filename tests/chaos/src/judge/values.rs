//! Every value that was seen, by a client or at the end, was written to that key by somebody who was not refused, in the
//! one version that it was acknowledged in, and not before it was written.

use std::collections::BTreeMap;

use super::case::{Case, tell};
use crate::finding::{Property, Verdict};
use crate::history::{Op, Outcome};
use crate::stamp::Stamp;

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    // Of a write whose outcome nobody knows, the version in which it was first seen.
    let mut versions: BTreeMap<&Stamp, &str> = BTreeMap::new();
    for (place, version, stamp, at) in case.seen() {
        verdict.look(Property::Written);
        let write = case.write_of(stamp).filter(|write| write.store == place.store);
        let Some(write) = write.filter(|write| write.key == place.key) else {
            let what = format!("{stamp} in {version} was never written to it");
            verdict.find(Property::Written, place, what);
            continue;
        };
        if let Outcome::Refused(_) = write.outcome {
            let what = format!("seen in {version}, but {}", tell(write));
            verdict.find(Property::Refused, place, what);
            continue;
        }
        if write.invoked > at {
            let what = format!("seen at {} ms, before {}", at / 1_000, tell(write));
            verdict.find(Property::Written, place, what);
        }
        let known = write.version().unwrap_or_else(|| versions.entry(stamp).or_insert(version));
        if known != version {
            let what = format!("{stamp} seen in {version}, not in {known}: {}", tell(write));
            verdict.find(Property::Versions, place, what);
        }
    }
    for key in case.keys() {
        let refused = |op: &&&Op| matches!(op.outcome, Outcome::Refused(_)) && op.writes();
        key.ops.iter().filter(refused).for_each(|_| verdict.look(Property::Refused));
    }
}

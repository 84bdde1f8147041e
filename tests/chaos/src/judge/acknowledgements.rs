//! An acknowledgement names what the write survives, and by how many peers it was taken: at least as much as was asked,
//! and as much as the store does by itself.

use gridkv_soak::Durability;

use super::case::{Case, tell};
use crate::finding::{Property, Verdict};
use crate::history::{Asked, Outcome};

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for key in case.keys() {
        let least = if key.class.persistent { Durability::Os } else { Durability::Memory };
        for op in key.ops {
            let Outcome::Written { durability, acks, .. } = &op.outcome else { continue };
            let (Asked::Put { safety, .. } | Asked::Delete { safety, .. }) = &op.asked else {
                continue;
            };
            verdict.look(Property::Acknowledgements);
            let asked = least.max(safety.durability.unwrap_or(least));
            let what = match durability {
                None => "does not say what it survives",
                Some(said) if *said < asked => "is less safe than it must be",
                Some(_) if *acks < safety.acks => "was taken by fewer peers than asked",
                Some(_) => continue,
            };
            verdict.find(Property::Acknowledgements, key.place, format!("{}: {what}", tell(op)));
        }
    }
}

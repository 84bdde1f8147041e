//! At the end all nodes hold the same: keys, versions and values; and list, reads and counts of a node agree. Caches may
//! have forgotten, so of them only what two have must be the same.

use std::collections::BTreeSet;

use super::case::{Case, Place};
use crate::finding::{Property, Verdict};
use crate::history::Look;

pub(crate) fn check(case: &Case<'_>, verdict: &mut Verdict) {
    for (store, class) in case.stores() {
        let looks: Vec<&Look> = case.looks(store).collect();
        if looks.is_empty() {
            verdict.find(Property::Converges, store, "nobody could look at it at the end");
        }
        let keys: BTreeSet<&String> = looks.iter().flat_map(|look| look.records.keys()).collect();
        for key in keys {
            verdict.look(Property::Converges);
            let seen = |look: &&Look| look.records.get(key).cloned();
            let has = looks.iter().map(seen).filter(|seen| !class.cache || seen.is_some());
            let has: Vec<_> = has.collect();
            if has.windows(2).any(|pair| matches!(pair, [a, b] if a != b)) {
                verdict.find(Property::Converges, Place { store, key }, tell(&looks, key));
            }
        }
        for look in looks.iter().filter(|_| !class.cache) {
            verdict.look(Property::Converges);
            let read = u64::try_from(look.records.len()).unwrap_or(u64::MAX);
            if look.key_count != read || look.listed != read {
                let what = format!(
                    "n{} counts {} keys, lists {} and serves {read}",
                    look.node, look.key_count, look.listed
                );
                verdict.find(Property::Converges, store, what);
            }
        }
    }
}

fn tell(looks: &[&Look], key: &str) -> String {
    let one = |look: &&Look| match look.records.get(key) {
        Some((version, stamp)) => format!("n{} {stamp} in {version}", look.node),
        None => format!("n{} nothing", look.node),
    };
    looks.iter().map(one).collect::<Vec<_>>().join(", ")
}

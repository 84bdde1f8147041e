//! A cache may forget, and never goes back: what it reads is no older than what it read, acknowledged or
//! covers.

use gridkv_protocol::{Frontier, Key, Record, Version};

use super::{Known, Verdict};
use crate::history::History;
use crate::network::At;

/// Its name.
pub const NAME: &str = "a cache never goes back";

/// Whether a frontier says that a version is held: of a closed origin only up to where it ended.
fn reaches(applied: &Frontier, version: Version) -> bool {
    match applied.closing(version.origin) {
        Some(closing) => version.hlc <= closing.at,
        None => !applied.is_closed(version.origin) && applied.covers(version),
    }
}

/// A client read a key of a cache, and there was a value.
///
/// # Errors
/// When a newer one was there before, or is covered.
pub fn read(
    known: &mut Known,
    history: &History,
    applied: &Frontier,
    (at, key): (At, &Key),
    record: &Record,
) -> Verdict {
    let version = record.version;
    let newest = known.acked.get(key).max(known.read.get(key)).copied();
    if let Some(newest) = newest.filter(|newest| *newest > version) {
        return Err(format!("n{at} reads {version} under {} after {newest}", key.as_str()));
    }
    let covered = history.of_key(key).iter().filter(|other| reaches(applied, **other));
    if let Some(newer) = covered.max().filter(|newer| **newer > version) {
        return Err(format!("n{at} reads {version} under {} and covers {newer}", key.as_str()));
    }
    known.read.insert(key.clone(), version);
    Ok(())
}

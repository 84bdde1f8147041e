//! Versions are unique, and rise: on an origin always, and on a node beyond all that it holds.

use std::collections::BTreeMap;

use gridkv_protocol::{Key, Record, Version};

use super::Verdict;
use crate::history::History;

/// Its name.
pub const NAME: &str = "versions are unique and rise";

/// A version was minted, beside what its node holds.
///
/// # Errors
/// When there was such a version, or a later one.
pub fn minted(history: &History, held: &BTreeMap<Key, Record>, version: Version) -> Verdict {
    if history.fact(version).is_some() {
        return Err(format!("{version} was minted before"));
    }
    if let Some(later) = history.last_of(version.origin).filter(|last| *last >= version.hlc) {
        return Err(format!("{version} was minted after {later} of the same origin"));
    }
    let later = held.iter().find(|(_, record)| record.version >= version);
    if let Some((key, record)) = later {
        let held = record.version;
        return Err(format!("{version} was minted where {} holds {held}", key.as_str()));
    }
    Ok(())
}

//! No acknowledged write is lost: what a machine promised is there after a restart that the promise covers,
//! and everywhere once all is well.

use std::collections::BTreeMap;

use gridkv_protocol::{Frontier, Key, Record};

use super::Verdict;
use super::frontier::shown;
use crate::history::History;
use crate::network::At;

/// Its name.
pub const NAME: &str = "no acknowledged write is lost";

/// A store was opened again.
///
/// # Errors
/// When what it promised is not there.
pub fn opened(
    history: &History,
    at: At,
    held: &BTreeMap<Key, Record>,
    (claimed, recovered): (&Frontier, &Frontier),
) -> Verdict {
    for (key, version) in history.promised_at(at) {
        let held = held.get(key).map(|record| record.version);
        if !history.honours(held, key, version) {
            let (key, held) = (key.as_str(), shown(held));
            return Err(format!("n{at} promised {version} of {key} and opens with {held}"));
        }
    }
    let lost = claimed.iter().find(|(origin, _)| recovered.get(*origin) < claimed.get(*origin));
    lost.map_or(Ok(()), |(origin, upto)| {
        Err(format!(
            "n{at} had {origin} durable up to {upto} and opens with {}",
            recovered.get(origin)
        ))
    })
}

/// All is well, and a machine holds this.
///
/// # Errors
/// When something that was promised anywhere is older there.
pub fn settled(history: &History, at: At, held: &BTreeMap<Key, Record>) -> Verdict {
    for (key, version) in history.promised() {
        let found = held.get(key).map(|record| record.version);
        if !history.honours(found, key, version) {
            let (key, found) = (key.as_str(), shown(found));
            return Err(format!("{version} of {key} was promised, and n{at} ends with {found}"));
        }
    }
    Ok(())
}

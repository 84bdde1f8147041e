//! What was acknowledged on a node is read there, as long as its process lives; and reads do not go back.

use gridkv_protocol::{Key, Record};

use super::frontier::shown;
use super::{Known, Verdict};
use crate::history::History;
use crate::network::At;

/// Its name.
pub const NAME: &str = "a node reads what it acknowledged";

/// A client read a key. `held` is what the store holds there, dead records too; of a cache nobody knows.
///
/// # Errors
/// When it is older than what was acknowledged, or read, before.
pub fn read(
    known: &mut Known,
    history: &History,
    (at, key): (At, &Key),
    (read, held): (Option<&Record>, Option<&Record>),
) -> Verdict {
    let found = read.or(held).map(|record| record.version);
    let least = known.acked.get(key).max(known.read.get(key)).copied();
    if let Some(least) = least.filter(|least| !history.honours(found, key, *least)) {
        let found = shown(found);
        return Err(format!("n{at} reads {found} under {} after {least}", key.as_str()));
    }
    if let Some(record) = read {
        known.read.insert(key.clone(), record.version);
    }
    Ok(())
}

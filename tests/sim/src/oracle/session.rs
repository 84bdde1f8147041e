//! What was acknowledged on a node is read there, as long as its process lives; and reads do not go back.

use gridkv_protocol::{Key, Record};

use super::frontier::shown;
use super::{Known, Verdict};
use crate::network::At;

/// Its name.
pub const NAME: &str = "a node reads what it acknowledged";

/// A client read a key. `held` is what the store holds there, dead records too; of a cache nobody knows.
///
/// # Errors
/// When it is older than what was acknowledged, or read, before.
pub fn read(
    known: &mut Known,
    (at, key): (At, &Key),
    read: Option<&Record>,
    held: Option<&Record>,
) -> Verdict {
    let found = read.or(held).map(|record| record.version);
    let least = known.acked.get(key).max(known.read.get(key)).copied();
    if found < least {
        let (found, least) = (shown(found), shown(least));
        return Err(format!("n{at} reads {found} under {} after {least}", key.as_str()));
    }
    if let Some(record) = read {
        known.read.insert(key.clone(), record.version);
    }
    Ok(())
}

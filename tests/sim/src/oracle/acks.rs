//! Who was told that N peers have a write can rely on N peers having had it.

use gridkv_protocol::Version;

use super::{Memory, Verdict};
use crate::network::At;
use crate::node::StoreAt;

/// Its name.
pub const NAME: &str = "acknowledged peers have it";

/// A client at `at` is told that `wanted` peers cover a version.
///
/// # Errors
/// When fewer ever did.
pub fn told(
    memory: &Memory,
    (store, at): (StoreAt, At),
    version: Version,
    wanted: usize,
) -> Verdict {
    let others = memory.all(store).filter(|(other, _)| *other != at);
    let had = others.filter(|(_, known)| known.ever.covers(version)).count();
    if had < wanted {
        return Err(format!("n{at} says that {wanted} peers have {version}, and {had} had it"));
    }
    Ok(())
}

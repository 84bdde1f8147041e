//! Nobody takes what lies further in the future than the skew limit: not by its own physical clock.

use gridkv_protocol::Hlc;

use super::{Known, Sight, Verdict};

/// Its name.
pub const NAME: &str = "nothing is taken from beyond the skew limit";

/// A frontier moved.
///
/// # Errors
/// When it moved on an origin of somebody else, beyond what its node may take.
pub fn moved(sight: &Sight<'_>, known: &Known) -> Verdict {
    if !known.up {
        return Ok(()); // what it had is older than this run
    }
    for (origin, upto) in sight.applied.open() {
        let moved = known.applied.get(origin) < upto;
        let is_own = sight.own == origin;
        if moved && !is_own && upto > sight.limit {
            let (at, now) = (sight.at, Hlc::at(sight.physical));
            return Err(format!("n{at} at {now} takes {origin} up to {upto}"));
        }
    }
    Ok(())
}

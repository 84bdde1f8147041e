//! What may be absent: a dead record that was let go, and all that is older under its key. Whether it was let
//! go too early is seen by what comes back, and by who differs.

use gridkv_protocol::State;

use crate::disk::Touch;
use crate::history::History;

/// A record was let go.
pub fn gone(history: &mut History, Touch { key, record }: &Touch) {
    match record.state {
        State::Deleted | State::Expired { .. } => history.purged(key, record.version),
        // A donor does not have it any more: what made it go there was noted then.
        State::Live(_) => {}
    }
}

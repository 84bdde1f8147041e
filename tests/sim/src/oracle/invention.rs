//! Every record is one that a client wrote, or what becomes of it when its deadline passes.

use gridkv_protocol::State;

use super::Verdict;
use crate::disk::Touch;
use crate::history::History;
use crate::network::At;

/// Its name.
pub const NAME: &str = "no value is invented";

/// A record was put.
///
/// # Errors
/// When nobody wrote it.
pub fn put(history: &mut History, at: At, touch: &Touch) -> Verdict {
    let Touch { key, record } = touch;
    let version = record.version;
    let Some(fact) = history.fact(version) else {
        return Err(format!("n{at} holds {version} of {}, which nobody wrote", key.as_str()));
    };
    let same = match (&fact.state, &record.state) {
        (None, _) => true,
        (Some(State::Live(live)), State::Expired { expires_at }) => {
            live.expires_at == Some(*expires_at)
        }
        (Some(written), found) => written == found,
    };
    if fact.key != *key || !same {
        return Err(format!("n{at} holds another {version} of {} than was written", key.as_str()));
    }
    if fact.state.is_none() && !matches!(record.state, State::Expired { .. }) {
        history.learn(version, &record.state);
    }
    Ok(())
}

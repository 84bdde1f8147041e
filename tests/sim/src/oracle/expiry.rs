//! A value is read until its deadline and not after it, give or take the skew limit.

use gridkv_protocol::{Key, Live, Record, State, UnixMs};

use super::Verdict;
use crate::network::At;

/// Its name.
pub const NAME: &str = "values live until their deadline";

/// A client read a key at the true time `now`; `held` is what the store holds there. Clocks are within
/// `skew_ms` of it.
///
/// # Errors
/// When the value was read too late, or hidden too early.
pub fn read(
    (at, key): (At, &Key),
    (now, skew_ms): (UnixMs, u64),
    read: Option<&Record>,
    held: Option<&Record>,
) -> Verdict {
    let deadline = held.and_then(|record| match &record.state {
        State::Live(Live { expires_at, .. }) => *expires_at,
        State::Expired { expires_at } => Some(*expires_at),
        State::Deleted => None,
    });
    let Some(deadline) = deadline else { return Ok(()) };
    if read.is_some() && now.since(deadline) > skew_ms {
        return Err(format!("n{at} reads {} {} ms too late", key.as_str(), now.since(deadline)));
    }
    if read.is_none() && deadline.since(now) > skew_ms {
        return Err(format!("n{at} hides {} {} ms early", key.as_str(), deadline.since(now)));
    }
    Ok(())
}

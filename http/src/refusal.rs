//! What a store's refusals are in HTTP: one place that says which status and code each becomes.
//!
//! A refusal that left the store unchanged and one whose outcome is unknown never share a code.

use std::fmt::Display;

use gridkv_actors::acknowledging::NotEnoughPeers;
use gridkv_actors::error::{ReadError, WriteError};
use gridkv_actors::write::Rejection;
use serde_json::Value as Json;

use crate::problem::{Code, Problem};

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Rejected(rejection) => rejection.into(),
            WriteError::Overloaded => overloaded("too many writes of this store are in flight"),
            WriteError::NotReady(reason) => Self::new(
                Code::NotReady,
                format!("nothing was written: {reason}; try again, or ask another node"),
            )
            .retry_soon(),
            WriteError::Draining => Self::new(
                Code::Draining,
                "nothing was written: an operator drains this node; write to another one, or to this one \
                 once it was started again",
            )
            .with("outcome", "not_applied")
            .retry_soon(),
            WriteError::NotEnoughPeers(peers) => not_enough_peers(peers),
            WriteError::ClockFenced => Self::new(
                Code::ClockFenced,
                "nothing was written: this node's clock is ahead of most members'; ask another node. \
                 Put the clock right, then restart the node; /v1/node shows how far it is off",
            )
            .with("outcome", "not_applied"),
            WriteError::Poisoned => Self::new(
                Code::StoreFailed,
                "the store could not commit and takes no more writes; whether this one will be \
                 there after a restart is not known; see the node's log",
            )
            .with("outcome", "unknown"),
            WriteError::DiskFull(_) => Self::new(
                Code::DiskFull,
                "nothing was written; make room on the node's disk and try again, or ask another \
                 node",
            )
            .with("outcome", "not_applied")
            .retry_soon(),
            WriteError::NotCommitted(_) => Self::new(
                Code::NotCommitted,
                "nothing was written: the store could not commit; see the node's log, and ask \
                 another node",
            )
            .with("outcome", "not_applied")
            .retry_soon(),
            WriteError::Stopped => Self::new(
                Code::OutcomeUnknown,
                "the store stopped while the write was under way; read the key to see whether it \
                 was made",
            )
            .with("outcome", "unknown"),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::PreconditionFailed { current } => Self::new(
                Code::PreconditionFailed,
                "nothing was written; read the key again and decide with its present version",
            )
            .with("current_version", current.map_or(Json::Null, text)),
            Rejection::KeyNotFound => key_not_found(),
            Rejection::MemoryLimit { used_bytes, limit_bytes } => Self::new(
                Code::MemoryLimit,
                "nothing was written; delete keys, let them expire, or raise max_memory_mb",
            )
            .with("used_bytes", used_bytes)
            .with("limit_bytes", limit_bytes),
            Rejection::TooLarge { limit_bytes } => Self::new(
                Code::ValueTooLarge,
                format!("nothing was written; this cache keeps up to {limit_bytes} bytes of key and value; raise its max_cost"),
            )
            .with("limit_bytes", limit_bytes),
            Rejection::DurabilityUnavailable { best } => Self::new(
                Code::DurabilityUnavailable,
                format!("nothing was written; this store gives at most durability={best}"),
            )
            .with("best", best.as_str()),
            Rejection::BatchAborted => Self::new(
                Code::BatchAborted,
                "nothing was written; see the operation that has another code",
            ),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(error = %error.0, "a store can not be read");
        Self::new(Code::StoreUnreadable, "the store could not be read; see the node's log")
    }
}

/// What can not come is refused before the write.
fn not_enough_peers(peers: NotEnoughPeers) -> Problem {
    let NotEnoughPeers { asked, up, down, without_store } = peers;
    let mut why = vec![format!("{asked} are asked for, {up} can confirm")];
    if !down.is_empty() {
        why.push(format!("not up: {}", down.join(", ")));
    }
    if !without_store.is_empty() {
        why.push(format!("without this store: {}", without_store.join(", ")));
    }
    let detail = format!(
        "nothing was written: {}; start them, forget who is gone for good, or ask for fewer",
        why.join("; ")
    );
    Problem::new(Code::NotEnoughPeers, detail)
        .with("asked", asked)
        .with("available", up)
        .with("down", down)
        .with("without_store", without_store)
        .retry_soon()
}

/// There is nothing under the key.
pub(crate) fn key_not_found() -> Problem {
    Problem::new(Code::KeyNotFound, "the key was never written, was deleted, or expired")
}

/// Refused before anything happened, because of `what`.
pub(crate) fn overloaded(what: &str) -> Problem {
    Problem::new(Code::Overloaded, format!("nothing happened: {what}; try again after a second"))
        .retry_soon()
}

fn text(value: impl Display) -> Json {
    Json::String(value.to_string())
}

#[cfg(test)]
mod tests {
    use gridkv_actors::Durability;

    use super::*;

    #[test]
    fn each_refusal_has_its_status() {
        let peers =
            NotEnoughPeers { asked: 2, up: 1, down: vec![], without_store: vec!["n3".to_owned()] };
        let table: [(WriteError, u16, &str); 15] = [
            (peers.into(), 503, "not_enough_peers"),
            (Rejection::PreconditionFailed { current: None }.into(), 412, "precondition_failed"),
            (Rejection::KeyNotFound.into(), 404, "key_not_found"),
            (Rejection::MemoryLimit { used_bytes: 2, limit_bytes: 1 }.into(), 507, "memory_limit"),
            (Rejection::TooLarge { limit_bytes: 1 }.into(), 413, "value_too_large"),
            (
                Rejection::DurabilityUnavailable { best: Durability::Os }.into(),
                400,
                "durability_unavailable",
            ),
            (Rejection::BatchAborted.into(), 424, "batch_aborted"),
            (WriteError::Overloaded, 503, "overloaded"),
            (WriteError::NotReady("joining".to_owned()), 503, "not_ready"),
            (WriteError::ClockFenced, 503, "clock_fenced"),
            (WriteError::Draining, 503, "draining"),
            (WriteError::Poisoned, 503, "store_failed"),
            (WriteError::DiskFull("no space".to_owned()), 507, "disk_full"),
            (WriteError::NotCommitted("no such device".to_owned()), 503, "not_committed"),
            (WriteError::Stopped, 500, "outcome_unknown"),
        ];
        for (error, status, code) in table {
            let problem = Problem::from(error);
            assert_eq!((problem.code.status(), problem.code.as_str()), (status, code));
        }
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let problem = Problem::from(ReadError("no such file: /secret".to_owned()));
        assert!(!problem.detail.contains("secret"));
    }
}

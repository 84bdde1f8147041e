//! Small values that the tests of this room are written with: origins, points in time, ops.

use std::sync::Arc;

use crate::op::KeyedRecord;
use crate::op_log::LoggedOp;
use crate::{
    Epoch, Frontier, Hlc, Key, Live, NodeId, Op, Origin, Record, State, StoreName, UnixMs, Value,
    Version,
};

pub(crate) const NODE: NodeId = NodeId(1);
pub(crate) const PEER: NodeId = NodeId(2);
pub(crate) const OTHER: NodeId = NodeId(3);

pub(crate) fn origin(node: NodeId, epoch: u32) -> Origin {
    Origin::new(node, Epoch(epoch))
}

/// The first point of a millisecond.
pub(crate) fn at(ms: u64) -> Hlc {
    Hlc::at(UnixMs(ms))
}

pub(crate) fn main_store() -> StoreName {
    StoreName::new("main").unwrap()
}

pub(crate) fn live(value: &[u8]) -> State {
    State::Live(Live { value: Value::copied(value), content_type: None, expires_at: None })
}

pub(crate) fn op(key: &str, origin: Origin, ms: u64) -> Op {
    let record = Record { version: Version { hlc: at(ms), origin }, state: live(b"v") };
    Op { key: Key::new(key).unwrap(), record }
}

/// Ops of one writer who had seen nothing of others, one per key and millisecond.
pub(crate) fn logged(origin: Origin, ops: &[(&str, u64)]) -> Vec<LoggedOp> {
    seen_by(origin, &Frontier::default(), ops)
}

/// Ops of one writer who had seen `seen`.
pub(crate) fn seen_by(origin: Origin, seen: &Frontier, ops: &[(&str, u64)]) -> Vec<LoggedOp> {
    let seen = Arc::new(seen.clone());
    let one = |(key, ms): &(&str, u64)| LoggedOp { op: op(key, origin, *ms), seen: seen.clone() };
    ops.iter().map(one).collect()
}

pub(crate) fn keyed(key: &str, origin: Origin, ms: u64) -> KeyedRecord {
    let Op { key, record } = op(key, origin, ms);
    KeyedRecord { key, record }
}

pub(crate) fn frontier(points: &[(Origin, u64)]) -> Frontier {
    points.iter().map(|(origin, ms)| (*origin, at(*ms))).collect()
}

//! Records to try a backend with, and the walks of the clauses over them.

use std::collections::BTreeMap;
use std::ops::Bound;

use gridkv_protocol::key::KeyError;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{
    ContentType, Epoch, Hlc, Key, Live, NodeId, Origin, Record, State, UnixMs, Value, Version,
};

use super::{Fault, demand, same};
use crate::backend::{Backend, Commit};

/// A store's records, as a clause expects them.
pub(super) type Expected = BTreeMap<Key, Record>;

pub(super) fn origin() -> Origin {
    Origin::new(NodeId(7), Epoch(1))
}

pub(super) fn record(hlc: u64, state: State) -> Record {
    Record { version: Version { hlc: Hlc::from_bits(hlc), origin: origin() }, state }
}

pub(super) fn live(hlc: u64, value: &[u8]) -> Record {
    let live = Live { value: Value::copied(value), content_type: None, expires_at: None };
    record(hlc, State::Live(live))
}

/// A record of the kind that `n` picks: with and without extras, expired, deleted.
pub(super) fn any(n: u64) -> Record {
    let value = Value::copied(&n.to_be_bytes());
    let content_type = ContentType::new("text/plain").ok();
    let expires_at = Some(UnixMs(n + 1));
    let state = match n % 5 {
        0 => State::Live(Live { value, content_type: None, expires_at: None }),
        1 => State::Live(Live { value, content_type, expires_at: None }),
        2 => State::Live(Live { value, content_type, expires_at }),
        3 => State::Expired { expires_at: UnixMs(n) },
        _ => State::Deleted,
    };
    record(n, state)
}

pub(super) fn keyed(key: &str, record: Record) -> Result<KeyedRecord, KeyError> {
    Ok(KeyedRecord { key: Key::new(key)?, record })
}

/// `count` records of all kinds, with hlcs from `first` on, under keys that start with `prefix`.
pub(super) fn many(prefix: &str, first: u64, count: u64) -> Result<Vec<KeyedRecord>, KeyError> {
    (first..first + count).map(|n| keyed(&format!("{prefix}{n:06}"), any(n))).collect()
}

pub(super) fn expected(records: &[KeyedRecord]) -> Expected {
    records.iter().map(|keyed| (keyed.key.clone(), keyed.record.clone())).collect()
}

pub(super) fn put(backend: &dyn Backend, records: &[KeyedRecord]) -> Result<(), Fault> {
    let upto = records.iter().map(|keyed| keyed.record.version.hlc).max().unwrap_or(Hlc::ZERO);
    let moved = [(origin(), upto)];
    let reached = backend.put_batch(&Commit { records, moved: &moved, ..Commit::default() })?;
    let kept = records.is_empty() || reached >= backend.promises().durability;
    demand(kept, || format!("a commit reached {reached}"))
}

pub(super) fn put_one(backend: &dyn Backend, key: &str, record: Record) -> Result<(), Fault> {
    put(backend, &[keyed(key, record)?])
}

/// Demands that the backend holds exactly `wanted`, by get, list and page.
pub(super) fn holds_exactly(backend: &dyn Backend, wanted: &Expected) -> Result<(), Fault> {
    for (key, record) in wanted {
        same(&format!("get of {key:?}"), &backend.get(key.as_str())?.as_ref(), &Some(record))?;
    }
    let (listed, _) = list_all(backend, Bound::Unbounded, 1_000)?;
    same("the list", &listed.len(), &wanted.len())?;
    same("the list", &expected(&listed), wanted)?;
    let (paged, _) = page_all(backend, 1_000)?;
    same("the page walk", &paged.len(), &wanted.len())?;
    same("the page walk", &expected(&paged), wanted)
}

/// Walks a list to its end. Returns its records and how many calls it took.
pub(super) fn list_all(
    backend: &dyn Backend,
    from: Bound<&str>,
    limit: usize,
) -> Result<(Vec<KeyedRecord>, usize), Fault> {
    let (mut all, mut calls) = (Vec::new(), 0);
    let mut from = from.map(str::to_owned);
    loop {
        let walk = backend.list(from.as_ref().map(String::as_str), limit)?;
        calls += 1;
        within(limit, walk.records.len())?;
        all.extend(walk.records);
        let Some(next) = walk.next else { return Ok((all, calls)) };
        let moves = match &from {
            Bound::Unbounded => true,
            Bound::Included(before) => next.as_str() >= before.as_str(),
            Bound::Excluded(before) => next.as_str() > before.as_str(),
        };
        demand(moves, || format!("a list went on at {next:?} after {from:?}"))?;
        from = Bound::Excluded(next.as_str().to_owned());
    }
}

/// Walks all pages. Returns their records and how many calls it took.
pub(super) fn page_all(
    backend: &dyn Backend,
    limit: usize,
) -> Result<(Vec<KeyedRecord>, usize), Fault> {
    let (mut all, mut calls) = (Vec::new(), 0);
    let mut cursor: Option<PageCursor> = None;
    loop {
        let walk = backend.page(cursor.as_ref(), limit)?;
        calls += 1;
        within(limit, walk.records.len())?;
        all.extend(walk.records);
        if walk.next.is_none() {
            return Ok((all, calls));
        }
        demand(walk.next != cursor, || format!("a page walk stands at {cursor:?}"))?;
        cursor = walk.next;
    }
}

fn within(limit: usize, length: usize) -> Result<(), Fault> {
    demand(length <= limit, || format!("{length} records came, {limit} were asked for"))
}

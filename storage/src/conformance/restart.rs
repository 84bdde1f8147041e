//! The clauses on what a restart keeps.

use gridkv_protocol::limits::MAX_KEY_BYTES;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Epoch, Frontier, Hlc, NodeId, Origin, State};

use super::sample::{
    Expected, expected, holds_exactly, keyed, list_all, live, many, origin, put, record,
};
use super::{Fault, Open, demand, same};
use crate::backend::{Backend, Commit};
use crate::durability::Durability;

/// A frontier of the suite's origin, and of another one that never wrote.
fn frontier(upto: u64) -> Frontier {
    let silent = Origin::new(NodeId(u32::MAX), Epoch(u32::MAX));
    [(origin(), Hlc::from_bits(upto)), (silent, Hlc::from_bits(u64::MAX))].into_iter().collect()
}

fn held(backend: &dyn Backend) -> Result<Expected, Fault> {
    Ok(expected(&list_all(backend, std::ops::Bound::Unbounded, 1_000)?.0))
}

/// Puts records on top of what is there, flushes, and returns what must be there afterwards.
fn put_and_flush(
    open: &Open<'_>,
    records: &[KeyedRecord],
    frontier: &Frontier,
    floor: Hlc,
) -> Result<Expected, Fault> {
    let (backend, _) = open()?;
    let moved: Vec<_> = frontier.iter().collect();
    backend.put_batch(&Commit { records, moved: &moved, floor, ..Commit::default() })?;
    backend.flush(frontier, floor)?;
    held(backend.as_ref())
}

/// Opens again, and demands the same records, frontier and floor, without a warning.
fn comes_back(
    open: &Open<'_>,
    wanted: &Expected,
    frontier: &Frontier,
    floor: Hlc,
) -> Result<(), Fault> {
    let (backend, recovered) = open()?;
    same("warnings", &recovered.warnings, &Vec::new())?;
    same("the floor", &recovered.floor, &floor)?;
    same("the frontier", &recovered.frontier, frontier)?;
    holds_exactly(backend.as_ref(), wanted)
}

pub(super) fn flushed(open: &Open<'_>) -> Result<(), Fault> {
    let (frontier, floor) = (frontier(2_500), Hlc::from_bits(3));
    let wanted = put_and_flush(open, &many("k", 1, 2_500)?, &frontier, floor)?;
    same("records before the restart", &wanted.len(), &2_500)?;
    comes_back(open, &wanted, &frontier, floor)?;
    comes_back(open, &wanted, &frontier, floor) // opening changes nothing
}

pub(super) fn last_flush(open: &Open<'_>) -> Result<(), Fault> {
    let mut second = many("k", 1, 2_500)?;
    for (keyed, n) in second.iter_mut().zip(3_000..).step_by(7) {
        keyed.record = record(n, State::Deleted);
    }
    put_and_flush(open, &second, &frontier(5_999), Hlc::from_bits(4))?;
    let third = many("l", 6_000, 10)?;
    let (frontier, floor) = (frontier(6_010), Hlc::from_bits(5));
    let wanted = put_and_flush(open, &third, &frontier, floor)?;
    same("records before the restart", &wanted.len(), &2_510)?;
    comes_back(open, &wanted, &frontier, floor)
}

/// What is committed and not flushed may be lost, but then the frontier must not claim it.
pub(super) fn claims(open: &Open<'_>) -> Result<(), Fault> {
    let (backend, before) = open()?;
    let unflushed = many("m", 7_000, 100)?;
    put(backend.as_ref(), &unflushed)?;
    drop(backend);
    let (backend, after) = open()?;
    demand(after.frontier.covers_all(&before.frontier), || "the frontier went back".to_owned())?;
    demand(after.floor >= before.floor, || "the floor went back".to_owned())?;
    for keyed in unflushed {
        let KeyedRecord { key, record } = keyed;
        let claimed = after.frontier.covers(record.version);
        let there = backend.get(key.as_str())?;
        let true_claim = there.as_ref() == Some(&record) || (there.is_none() && !claimed);
        demand(true_claim, || format!("{key:?} is claimed ({claimed}), and holds {there:?}"))?;
    }
    Ok(())
}

pub(super) fn sizes(open: &Open<'_>) -> Result<(), Fault> {
    let large: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let records = [
        keyed(&"k".repeat(MAX_KEY_BYTES), live(8_001, b"longest key"))?,
        keyed("\0", live(8_002, b""))?,
        keyed("\u{10ffff}", live(8_003, &large))?,
        keyed("large", live(8_004, &large))?,
    ];
    let (frontier, floor) = (frontier(8_004), Hlc::from_bits(6));
    let wanted = put_and_flush(open, &records, &frontier, floor)?;
    comes_back(open, &wanted, &frontier, floor)
}

/// What a commit reached beyond memory is there without a flush, and so is its frontier.
pub(super) fn written(open: &Open<'_>) -> Result<(), Fault> {
    let (backend, _) = open()?;
    let records = many("n", 9_000, 100)?;
    let frontier = frontier(9_099);
    let moved: Vec<_> = frontier.iter().collect();
    let floor = Hlc::from_bits(7);
    let commit = Commit { records: &records, moved: &moved, floor, ..Commit::default() };
    let reached = backend.put_batch(&commit)?;
    let wanted = held(backend.as_ref())?;
    drop(backend);
    if reached == Durability::Memory {
        return Ok(());
    }
    comes_back(open, &wanted, &frontier, floor)
}

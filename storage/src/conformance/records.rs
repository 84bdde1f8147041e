//! The clauses on single records and batches.

use gridkv_protocol::limits::MAX_KEY_BYTES;
use gridkv_protocol::{ContentType, Frontier, Hlc, Live, State, UnixMs, Value};

use super::sample::{
    Expected, expected, holds_exactly, keyed, live, many, origin, put, put_one, record,
};
use super::{Fault, demand, same};
use crate::backend::{Backend, Commit};
use crate::durability::Durability;

pub(super) fn empty(backend: &dyn Backend) -> Result<(), Fault> {
    same("get", &backend.get("absent")?, &None)?;
    holds_exactly(backend, &Expected::new())
}

pub(super) fn whole(backend: &dyn Backend) -> Result<(), Fault> {
    let types = [None, ContentType::new("application/json; charset=utf-8").ok()];
    let deadlines = [None, Some(UnixMs(0)), Some(UnixMs(u64::MAX))];
    let mut all = Vec::new();
    for content_type in types {
        for expires_at in deadlines {
            let n = all.len() as u64 + 1;
            let value = Value::copied(&[0, 255, b'\n']);
            let state = State::Live(Live { value, content_type: content_type.clone(), expires_at });
            all.push(keyed(&format!("live-{n}"), record(n, state))?);
        }
    }
    put(backend, &all)?;
    same("get of another key", &backend.get("live-")?, &None)?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn dead(backend: &dyn Backend) -> Result<(), Fault> {
    let all = [
        keyed("deleted", record(1, State::Deleted))?,
        keyed("expired", record(2, State::Expired { expires_at: UnixMs(5) }))?,
        keyed("expired-at-once", record(3, State::Expired { expires_at: UnixMs(0) }))?,
    ];
    put(backend, &all)?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn overwrite(backend: &dyn Backend) -> Result<(), Fault> {
    let states = [
        live(1, b"first"),
        live(2, b"second, and longer"),
        record(3, State::Deleted),
        live(4, b"4"),
        record(4, State::Expired { expires_at: UnixMs(9) }),
        live(6, b""),
    ];
    for next in states {
        put_one(backend, "key", next.clone())?;
        holds_exactly(backend, &expected(&[keyed("key", next)?]))?;
    }
    Ok(())
}

pub(super) fn batch(backend: &dyn Backend) -> Result<(), Fault> {
    let mut all = many("batch-", 1, 3_000)?;
    put(backend, &all)?;
    holds_exactly(backend, &expected(&all))?;
    // The second one overwrites some and adds some.
    let second = many("batch-", 2_500, 1_000)?;
    put(backend, &second)?;
    all.extend(second);
    holds_exactly(backend, &expected(&all))
}

pub(super) fn empty_batch(backend: &dyn Backend) -> Result<(), Fault> {
    let all = many("kept-", 1, 5)?;
    put(backend, &all)?;
    put(backend, &[])?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn empty_value(backend: &dyn Backend) -> Result<(), Fault> {
    put_one(backend, "empty", live(1, b""))?;
    holds_exactly(backend, &expected(&[keyed("empty", live(1, b""))?]))
}

pub(super) fn large_value(backend: &dyn Backend) -> Result<(), Fault> {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let all = [keyed("large", live(1, &bytes))?, keyed("small", live(2, b"s"))?];
    put(backend, &all)?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn longest_key(backend: &dyn Backend) -> Result<(), Fault> {
    let long = "k".repeat(MAX_KEY_BYTES);
    let neighbour = format!("{}j", "k".repeat(MAX_KEY_BYTES - 1));
    let shorter = "k".repeat(MAX_KEY_BYTES - 1);
    let all = [
        keyed(&long, live(1, b"longest"))?,
        keyed(&neighbour, live(2, b"differs in its last byte"))?,
        keyed(&shorter, live(3, b"one less"))?,
    ];
    put(backend, &all)?;
    holds_exactly(backend, &expected(&all))
}

/// Keys that a walk by text, by path or by length would mix up.
pub(super) const EDGES: [&str; 10] =
    ["\0", "\0\0", " ", "A", "a", "a/", "a/b", "a0", "é", "\u{10ffff}"];

pub(super) fn edges(backend: &dyn Backend) -> Result<(), Fault> {
    let all = EDGES
        .iter()
        .zip(1..)
        .map(|(key, n)| keyed(key, live(n, key.as_bytes())))
        .collect::<Result<Vec<_>, _>>()?;
    put(backend, &all)?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn flush(backend: &dyn Backend) -> Result<(), Fault> {
    backend.flush(&Frontier::default(), Hlc::ZERO)?;
    let all = many("flushed-", 1, 50)?;
    put(backend, &all)?;
    let frontier: Frontier = [(origin(), Hlc::from_bits(50))].into_iter().collect();
    backend.flush(&frontier, Hlc::from_bits(3))?;
    backend.flush(&frontier, Hlc::from_bits(3))?;
    holds_exactly(backend, &expected(&all))
}

pub(super) fn promises(backend: &dyn Backend) -> Result<(), Fault> {
    let before = backend.promises();
    let on_disk = |backend: &dyn Backend| backend.footprint().disk_bytes;
    same("whether it occupies the disk", &on_disk(backend).is_some(), &before.persistent)?;
    put(backend, &many("promised-", 1, 50)?)?;
    backend.flush(&Frontier::default(), Hlc::ZERO)?;
    same("what it promises", &backend.promises(), &before)?;
    same("whether it occupies the disk", &on_disk(backend).is_some(), &before.persistent)?;
    demand(on_disk(backend) != Some(0), || "records were flushed to 0 bytes".to_owned())
}

pub(super) fn durability(backend: &dyn Backend) -> Result<(), Fault> {
    let promises = backend.promises();
    let agree = promises.durability <= promises.best
        && (promises.best == Durability::Memory) != promises.persistent;
    demand(agree, || format!("promises that contradict each other: {promises:?}"))?;
    let all = many("asked-", 1, 3)?;
    let asked = [Durability::Memory, Durability::Os, Durability::Fsync];
    let possible = asked.into_iter().filter(|asked| *asked <= promises.best);
    for (durability, keyed) in possible.zip(&all) {
        let records = std::slice::from_ref(keyed);
        let reached = backend.put_batch(&Commit { records, durability, ..Commit::default() })?;
        let enough = reached >= durability.max(promises.durability) && reached <= promises.best;
        demand(enough, || format!("asked for {durability}, reached {reached}"))?;
    }
    Ok(())
}

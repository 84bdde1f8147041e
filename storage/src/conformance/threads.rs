//! The clauses on readers beside the one writer.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Key, Live, Record, State, UnixMs, Value};

use super::sample::{keyed, list_all, many, page_all, put, record};
use super::{Fault, demand, same};
use crate::backend::Backend;

const READERS: usize = 4;

/// Runs `read` in threads until `write` is done, at least once each. The writer stops early when a
/// reader found a fault.
fn beside(
    write: impl FnOnce(&dyn Fn() -> bool) -> Result<(), Fault>,
    read: impl Fn(&dyn Fn() -> bool) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    let (written, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let reader = || {
            let outcome = read(&|| written.load(Ordering::Acquire));
            failed.fetch_or(outcome.is_err(), Ordering::AcqRel);
            outcome
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        let outcome = write(&|| failed.load(Ordering::Acquire));
        written.store(true, Ordering::Release);
        for reader in readers {
            let died = || Fault::Wrong("a reader panicked".to_owned());
            reader.join().unwrap_or_else(|_| Err(died()))?;
        }
        outcome
    })
}

/// Records that are there throughout.
const FIXED: u64 = 1_500;
/// Rounds of the writer, each one overwrite and one new key.
const ROUNDS: u64 = 3_000;

pub(super) fn walks(backend: &dyn Backend) -> Result<(), Fault> {
    let fixed = many("k", 1, FIXED)?;
    put(backend, &fixed)?;
    let write = |stop: &dyn Fn() -> bool| {
        for round in 0..ROUNDS {
            if stop() {
                break;
            }
            // Strides that no power of two divides: overwrites and new keys fall everywhere.
            let (old, new) = (1 + round * 617 % FIXED, round * 1_013 % ROUNDS);
            let overwrite = keyed(&format!("k{old:06}"), record(10_000 + round, State::Deleted))?;
            let added = keyed(&format!("k{:06}-{new}", 1 + new % FIXED), live_of(20_000 + round))?;
            put(backend, &[overwrite, added])?;
        }
        Ok(())
    };
    beside(write, |is_over| {
        loop {
            let over = is_over();
            complete(&fixed, &page_all(backend, 64)?.0)?;
            let (listed, _) = list_all(backend, Bound::Unbounded, 64)?;
            complete(&fixed, &listed)?;
            let ordered = listed.is_sorted_by_key(|keyed| &keyed.key);
            demand(ordered, || "a list is out of order".to_owned())?;
            if over {
                return Ok(());
            }
        }
    })
}

/// Demands that a walk has each of `fixed`, and nothing twice.
pub(super) fn complete(fixed: &[KeyedRecord], walked: &[KeyedRecord]) -> Result<(), Fault> {
    let mut times: BTreeMap<&Key, u32> = BTreeMap::new();
    for keyed in walked {
        *times.entry(&keyed.key).or_default() += 1;
    }
    for keyed in fixed {
        let key = &keyed.key;
        same(&format!("visits of {key:?}"), &times.get(key).copied().unwrap_or(0), &1)?;
    }
    same("records and keys of a walk", &walked.len(), &times.len())
}

/// A record whose every part says the same number.
fn live_of(n: u64) -> Record {
    let live = Live {
        value: Value::copied(&n.to_be_bytes().repeat(32)),
        content_type: None,
        expires_at: Some(UnixMs(n)),
    };
    record(n, State::Live(live))
}

/// Keys that are overwritten, in every commit.
const KEYS: [&str; 3] = ["hot-a", "hot-b", "hot-c"];
const OVERWRITES: u64 = 2_000;

pub(super) fn reads(backend: &dyn Backend) -> Result<(), Fault> {
    let commit = |n: u64| {
        let all = KEYS.iter().map(|key| keyed(key, live_of(n))).collect::<Result<Vec<_>, _>>()?;
        put(backend, &all)
    };
    commit(1)?;
    let write = |stop: &dyn Fn() -> bool| {
        for n in (2..=OVERWRITES).take_while(|_| !stop()) {
            commit(n)?;
            // The writer's own thread sees its commit at once.
            same("a read after a commit", &backend.get("hot-c")?, &Some(live_of(n)))?;
        }
        Ok(())
    };
    beside(write, |is_over| {
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let over = is_over();
            for key in KEYS {
                forward(&mut newest, key, backend.get(key)?.as_ref())?;
            }
            for KeyedRecord { key, record } in backend.list(Bound::Unbounded, 10)?.records {
                forward(&mut newest, key.as_str(), Some(&record))?;
            }
            for KeyedRecord { key, record } in backend.page(None, 10)?.records {
                forward(&mut newest, key.as_str(), Some(&record))?;
            }
            if over {
                return KEYS.iter().try_for_each(|key| {
                    same("the last version", &newest.get(*key), &Some(&OVERWRITES))
                });
            }
        }
    })
}

/// Demands that a record is whole, and no older than what this reader saw of the key before.
fn forward(
    newest: &mut BTreeMap<String, u64>,
    key: &str,
    record: Option<&Record>,
) -> Result<(), Fault> {
    let Some(record) = record else {
        return Err(Fault::Wrong(format!("{key:?} is gone for a moment")));
    };
    let n = record.version.hlc.bits();
    demand(*record == live_of(n), || format!("{key:?} is torn: {record:?}"))?;
    let before = newest.insert(key.to_owned(), n).unwrap_or(0);
    demand(before <= n, || format!("{key:?} went back from {before} to {n}"))
}

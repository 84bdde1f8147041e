//! The clauses on walks by one thread.

use std::collections::BTreeSet;
use std::ops::Bound;

use gridkv_protocol::limits::MAX_CURSOR_BYTES;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::PageCursor;
use gridkv_protocol::{Key, State};

use super::records::EDGES;
use super::sample::{
    expected, keyed, list_all, live, many, origin, page_all, put, put_one, record,
};
use super::threads::complete;
use super::{Fault, demand, same};
use crate::backend::{Backend, BackendError, Commit};

fn keys(records: &[KeyedRecord]) -> Vec<&str> {
    records.iter().map(|keyed| keyed.key.as_str()).collect()
}

pub(super) fn bounds(backend: &dyn Backend) -> Result<(), Fault> {
    // Put out of order: the order must be the backend's own.
    for (key, n) in EDGES.iter().rev().zip(1..) {
        put_one(backend, key, live(n, b"v"))?;
    }
    let absent = ["", "\0\0\0", "a.", "a/a", "a00", "b", "z", "\u{10ffff}a"];
    for from in EDGES.into_iter().chain(absent) {
        for bound in [Bound::Unbounded, Bound::Included(from), Bound::Excluded(from)] {
            let wanted: Vec<&str> = EDGES
                .into_iter()
                .filter(|key| match bound {
                    Bound::Unbounded => true,
                    Bound::Included(from) => *key >= from,
                    Bound::Excluded(from) => *key > from,
                })
                .collect();
            for limit in [1, 2, wanted.len().max(1), wanted.len() + 1, 1_000_000] {
                let (listed, _) = list_all(backend, bound, limit)?;
                let what = format!("a list from {bound:?} by {limit}");
                same(&what, &keys(&listed), &wanted)?;
            }
        }
    }
    Ok(())
}

pub(super) fn dead(backend: &dyn Backend) -> Result<(), Fault> {
    let mut all = many("k", 1, 20)?;
    put(backend, &all)?;
    // What was listed before may be another record now.
    list_all(backend, Bound::Unbounded, 3)?;
    for (keyed, n) in all.iter_mut().zip(100..) {
        keyed.record = record(n, State::Deleted);
    }
    put(backend, &all)?;
    let (listed, _) = list_all(backend, Bound::Unbounded, 3)?;
    same("the list", &expected(&listed), &expected(&all))
}

pub(super) fn pages(backend: &dyn Backend) -> Result<(), Fault> {
    let all = many("k", 1, 100)?;
    put(backend, &all)?;
    for limit in [1, 2, 3, 99, 100, 101, 1_000_000] {
        let (paged, _) = page_all(backend, limit)?;
        same("records in the pages", &paged.len(), &all.len())?;
        same("the pages", &expected(&paged), &expected(&all))?;
    }
    // The same cursor goes on at the same place, however often it is used.
    let first = backend.page(None, 10)?;
    let (once, again) =
        (backend.page(first.next.as_ref(), 10)?, backend.page(first.next.as_ref(), 10)?);
    same("a page that is asked for twice", &once.records, &again.records)
}

/// Records of a long walk, and how many of them one call is asked for.
const LONG: u64 = 10_000;
const STEP: usize = 100;

/// Twice the calls that full pages would take, and the last, empty one.
const CALLS: usize = 2 * 10_000 / STEP + 2;

pub(super) fn list_calls(backend: &dyn Backend) -> Result<(), Fault> {
    put(backend, &many("k", 1, LONG)?)?;
    let (listed, calls) = list_all(backend, Bound::Unbounded, STEP)?;
    long_walk(&listed, calls)?;
    demand(listed.is_sorted_by_key(|keyed| &keyed.key), || "the list is out of order".to_owned())
}

pub(super) fn page_calls(backend: &dyn Backend) -> Result<(), Fault> {
    put(backend, &many("k", 1, LONG)?)?;
    let (paged, calls) = page_all(backend, STEP)?;
    long_walk(&paged, calls)
}

fn long_walk(records: &[KeyedRecord], calls: usize) -> Result<(), Fault> {
    let distinct: BTreeSet<&Key> = records.iter().map(|keyed| &keyed.key).collect();
    same("records of the walk", &(records.len() as u64), &LONG)?;
    same("keys of the walk", &(distinct.len() as u64), &LONG)?;
    demand(calls <= CALLS, || format!("{calls} calls of {STEP} for {LONG} records"))
}

pub(super) fn garbage(backend: &dyn Backend) -> Result<(), Fault> {
    let all = [keyed("a", live(1, b"1"))?, keyed("b", live(2, b"2"))?];
    put(backend, &all)?;
    for bytes in [&[][..], &[0xff, 0xfe], &[0xff; MAX_CURSOR_BYTES]] {
        let Some(cursor) = PageCursor::new(bytes) else { continue };
        match backend.page(Some(&cursor), 10) {
            Err(BackendError::BadCursor) => {}
            Err(other) => return Err(other.into()),
            Ok(_) => return Err(Fault::Wrong(format!("{bytes:?} was taken for a cursor"))),
        }
    }
    let (paged, _) = page_all(backend, 1)?;
    same("the pages after that", &expected(&paged), &expected(&all))
}

/// Records that are there throughout a walk between whose calls others are written.
const STANDING: u64 = 300;

pub(super) fn between(backend: &dyn Backend) -> Result<(), Fault> {
    let standing = many("k", 1, STANDING)?;
    put(backend, &standing)?;
    let mut passers = Passers { backend, turn: STANDING, last: None };
    for limit in [1, 7, 64] {
        let (mut listed, mut from): (_, Option<Key>) = (Vec::new(), None);
        loop {
            let bound = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
            let walk = backend.list(bound, limit)?;
            listed.extend(walk.records);
            from = walk.next;
            if from.is_none() {
                break;
            }
            passers.turn()?;
        }
        complete(&standing, &listed)?;
        let ordered = listed.is_sorted_by_key(|keyed| &keyed.key);
        demand(ordered, || format!("a list by {limit} is out of order"))?;

        let (mut paged, mut cursor): (_, Option<PageCursor>) = (Vec::new(), None);
        loop {
            let walk = backend.page(cursor.as_ref(), limit)?;
            paged.extend(walk.records);
            cursor = walk.next;
            if cursor.is_none() {
                break;
            }
            passers.turn()?;
        }
        complete(&standing, &paged)?;
    }
    Ok(())
}

/// Writes that go on beside a walk: a record that stands is overwritten, one comes, and the last that came goes.
struct Passers<'a> {
    backend: &'a dyn Backend,
    turn: u64,
    last: Option<KeyedRecord>,
}

impl Passers<'_> {
    fn turn(&mut self) -> Result<(), Fault> {
        self.turn += 1;
        // A stride that nothing divides: they fall before a walk, where it stands, and where it will come.
        let place = 1 + self.turn * 617 % STANDING;
        let overwrite = keyed(&format!("k{place:06}"), live(self.turn, b"w"))?;
        let comes = keyed(&format!("k{place:06}-{}", self.turn % 3), live(self.turn, b"p"))?;
        // Nobody asks a cache to let something go.
        let goes =
            self.last.take().filter(|last| !self.backend.promises().cache && last.key != comes.key);
        let moved = [(origin(), comes.record.version.hlc)];
        self.backend.put_batch(&Commit {
            records: &[overwrite, comes.clone()],
            removed: goes.as_slice(),
            moved: &moved,
            ..Commit::default()
        })?;
        self.last = Some(comes);
        Ok(())
    }
}

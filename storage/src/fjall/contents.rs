//! What a database says beside its records when it is opened, and what of that can be believed.
//!
//! When commits are missing in the middle, the frontier claims what is not there: it is forgotten, and
//! peers send everything again. Counts and deadlines are then made again from the records, before anything
//! is committed on top of them. Records are read here, and not later, whenever the index does not speak for
//! all of them: one that is damaged is then damage of the database, and not a store that never starts.

use std::ops::Bound;

use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::{Frontier, Hlc};

use super::engine::Engine;
use super::rows::{self, StateRow};
use crate::account::Account;
use crate::backend::{BackendError, Counts, Index, Recovered};
use crate::durability::Durability;
use crate::map::WALK_CHUNK;
use crate::schedule::{deadline, ripe};

/// The frontier and the state that the rows say.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) frontier: Frontier,
    pub(super) state: StateRow,
}

/// Reads them, and mends what depends on commits that are missing; `gap` says why some may be.
///
/// # Errors
/// [`BackendError`] when rows can not be read or written.
pub(super) fn read(
    engine: &Engine,
    gap: Option<&str>,
) -> Result<(Contents, Recovered), BackendError> {
    let mut contents = Contents::default();
    for row in engine.range(rows::FRONTIER, Bound::Unbounded) {
        let (row_key, row) = row?;
        let (origin, upto) = rows::read_frontier(&row_key, &row)?;
        contents.frontier.advance(origin, upto);
    }
    if let Some(row) = engine.get(&rows::STATE_KEY)? {
        contents.state = rows::read_state(&row)?;
    }
    let mut warnings = Vec::new();
    if let Some(gap) = gap {
        forget_frontier(engine, &mut contents)?;
        warnings.push(format!(
            "commits may be missing ({gap}); the records that are there are kept, and peers send \
             everything again. Without peers, what was written last may be older than it was"
        ));
    }
    let index = match index(engine, &contents.state)? {
        Some(index) if !index.counts.loose => Some(index),
        kept => {
            let found = walk(engine, &contents.frontier)?;
            if kept.is_none_or(|kept| kept.deadlines != found.deadlines) {
                rebuild(engine, &mut contents.state, &found)?;
            }
            // Which records are loose is more than an index says.
            Some(found).filter(|found| !found.counts.loose)
        }
    };
    let recovered = Recovered {
        frontier: contents.frontier.clone(),
        floor: contents.state.floor,
        index,
        warnings,
    };
    Ok((contents, recovered))
}

/// The index as of the last commit, unless it was not kept or contradicts itself.
fn index(engine: &Engine, state: &StateRow) -> Result<Option<Index>, BackendError> {
    let Some(counts) = state.counts else { return Ok(None) };
    let mut deadlines = Vec::new();
    for row in engine.range(rows::DEADLINES, Bound::Unbounded) {
        deadlines.push(rows::read_deadline_key(&row?.0)?);
    }
    let is_possible = u64::try_from(deadlines.len()).is_ok_and(|length| length <= counts.keys);
    Ok(is_possible.then_some(Index { counts, deadlines, graves: None }))
}

/// Nothing is claimed any more, and no floor: above the frontier it would keep out what peers give back.
fn forget_frontier(engine: &Engine, contents: &mut Contents) -> Result<(), BackendError> {
    contents.state = StateRow::default();
    drop_frontier(engine, contents.state)?;
    contents.frontier = Frontier::default();
    Ok(())
}

/// In one commit: no row of the frontier, and this state.
fn drop_frontier(engine: &Engine, state: StateRow) -> Result<(), BackendError> {
    let mut changes = engine.changes();
    for row in engine.range(rows::FRONTIER, Bound::Unbounded) {
        changes.remove(engine, row?.0.to_vec());
    }
    changes.put(engine, rows::STATE_KEY.to_vec(), rows::write_state(&state));
    engine.commit(changes, Durability::Fsync)
}

/// Removes every row. The frontier goes first, and without counts: what is left when this is cut short claims
/// nothing, and is counted again.
///
/// # Errors
/// [`BackendError`]: the engine takes nothing more.
pub(super) fn clear(engine: &Engine) -> Result<(), BackendError> {
    drop_frontier(engine, StateRow::default())?;
    for kind in [rows::RECORDS, rows::DEADLINES] {
        let all = engine.range(kind, Bound::Unbounded).map(|row| Ok(row?.0.to_vec()));
        in_commits(engine, all, |changes, row_key| changes.remove(engine, row_key))?;
    }
    put_state(engine, StateRow { floor: Hlc::ZERO, counts: Some(Counts::default()) })
}

/// The index that the records say.
fn walk(engine: &Engine, frontier: &Frontier) -> Result<Index, BackendError> {
    let (mut account, mut loose) = (Account::default(), LooseSet::default());
    let (mut greatest, mut deadlines, mut graves) = (Hlc::ZERO, Vec::new(), Vec::new());
    for row in engine.range(rows::RECORDS, Bound::Unbounded) {
        let (row_key, row) = row?;
        let key = rows::read_record_key(&row_key)?;
        let record = rows::read_record(&row_key, &row)?;
        account.add(&key, &record);
        loose.hold(record.version, frontier);
        greatest = greatest.max(record.version.hlc);
        match (deadline(&record), ripe(&record)) {
            (Some(at), _) => deadlines.push((at, key)),
            (None, Some(at)) => graves.push((at, key)),
            (None, None) => {}
        }
    }
    deadlines.sort_unstable();
    graves.sort_unstable();
    let counts = Counts { greatest, loose: !loose.is_empty(), ..account.counts() };
    Ok(Index { counts, deadlines, graves: Some(graves) })
}

/// Makes the rows of deadlines, and the counts, what the records say. Until it ends the state row says
/// that there are no counts, so that a rebuild that does not end is begun again.
fn rebuild(engine: &Engine, state: &mut StateRow, found: &Index) -> Result<(), BackendError> {
    put_state(engine, StateRow { counts: None, ..*state })?;
    let old = engine.range(rows::DEADLINES, Bound::Unbounded).map(|row| Ok(row?.0.to_vec()));
    in_commits(engine, old, |changes, row_key| changes.remove(engine, row_key))?;
    in_commits(engine, found.deadlines.iter().map(Ok), |changes, (at, key)| {
        changes.put(engine, rows::deadline_key(*at, key), Vec::new());
    })?;
    state.counts = Some(found.counts);
    put_state(engine, *state)
}

fn put_state(engine: &Engine, state: StateRow) -> Result<(), BackendError> {
    let mut changes = engine.changes();
    changes.put(engine, rows::STATE_KEY.to_vec(), rows::write_state(&state));
    engine.commit(changes, Durability::Os)
}

/// Changes rows by commits of a bounded size.
fn in_commits<T>(
    engine: &Engine,
    rows: impl Iterator<Item = Result<T, BackendError>>,
    change: impl Fn(&mut super::engine::Changes, T),
) -> Result<(), BackendError> {
    let (mut changes, mut pending) = (engine.changes(), 0);
    for row in rows {
        change(&mut changes, row?);
        pending += 1;
        if pending == WALK_CHUNK {
            engine.commit(std::mem::replace(&mut changes, engine.changes()), Durability::Os)?;
            pending = 0;
        }
    }
    if pending > 0 { engine.commit(changes, Durability::Os) } else { Ok(()) }
}

#[cfg(test)]
#[path = "contents_test.rs"]
mod tests;

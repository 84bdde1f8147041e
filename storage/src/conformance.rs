//! What every backend must do, as numbered clauses that a program can run on its own.
//!
//! [`run`] is for all backends: each clause gets a fresh, empty store. [`run_persistent`] adds what a
//! restart must keep. A [`Failure`] names the clause; nothing here panics, so that a node may run the
//! suite on a backend that it was handed.

mod records;
mod restart;
mod sample;
mod threads;
mod walks;

use std::sync::Arc;

use gridkv_protocol::key::KeyError;

use crate::backend::{Backend, BackendError, CommitError, Index, Recovered};
use crate::registry::OpenError;

/// Opens a store. For [`run`] each call gives a new, empty one; for [`run_persistent`] each call opens
/// the same one, after the last one was dropped.
pub type Open<'a> = dyn Fn() -> Result<(Arc<dyn Backend>, Recovered), OpenError> + 'a;

/// A clause that did not hold.
#[derive(Debug, thiserror::Error)]
#[error("clause {number}, {clause}")]
pub struct Failure {
    /// The clause's number.
    pub number: usize,
    /// What it demands.
    pub clause: &'static str,
    /// What happened instead.
    #[source]
    pub fault: Fault,
}

/// What happened instead of what a clause demands.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The backend answered, and wrongly.
    #[error("{0}")]
    Wrong(String),
    /// The backend failed.
    #[error("the backend failed")]
    Backend(#[from] BackendError),
    /// The backend did not commit.
    #[error("the backend did not commit")]
    Commit(#[from] CommitError),
    /// The store could not be opened.
    #[error("the store can not be opened")]
    Open(#[from] OpenError),
    /// The suite made a key that is none.
    #[error("the suite is wrong")]
    Suite(#[from] KeyError),
}

/// Clauses on a fresh store, in the order of their numbers, from 1.
type Clause = (&'static str, fn(&dyn Backend) -> Result<(), Fault>);

const CLAUSES: [Clause; 22] = [
    ("a new store is empty", records::empty),
    ("a live record comes back whole", records::whole),
    ("expired records and tombstones come back", records::dead),
    ("an overwrite replaces the record", records::overwrite),
    ("a batch puts every record", records::batch),
    ("an empty batch changes nothing", records::empty_batch),
    ("an empty value is a value", records::empty_value),
    ("a value of one MiB comes back", records::large_value),
    ("the longest key is a key", records::longest_key),
    ("keys at the edges of byte order stay apart", records::edges),
    ("a list has byte order from every bound at every limit", walks::bounds),
    ("a list has dead records too, as they are now", walks::dead),
    ("a page walk visits every record once", walks::pages),
    ("a list takes no more calls than its length asks for", walks::list_calls),
    ("a page walk takes no more calls than its length asks for", walks::page_calls),
    ("a cursor of somebody else is refused", walks::garbage),
    ("walks are complete beside a writer", threads::walks),
    ("readers never see a torn or an older record", threads::reads),
    ("a flush succeeds and changes nothing", records::flush),
    ("promises and footprint agree, and promises stay", records::promises),
    ("a commit reaches what it asks for", records::durability),
    ("walks are complete when others come and go between their calls", walks::between),
];

/// Runs every clause that holds for all backends. A cache must be opened large enough for 32 MiB:
/// what it forgets is missed.
///
/// # Errors
/// The first clause that does not hold.
pub fn run(open: &Open<'_>) -> Result<(), Failure> {
    for (at, (clause, holds)) in CLAUSES.into_iter().enumerate() {
        let outcome = open().map_err(Fault::from).and_then(|(backend, recovered)| {
            let index = recovered.index.clone().unwrap_or_default();
            let graves = index.graves.filter(|graves| !graves.is_empty());
            let index = Some(Index { graves, ..index });
            let nothing = Recovered { index: Some(Index::default()), ..Recovered::default() };
            same("what was recovered", &Recovered { index, ..recovered }, &nothing)?;
            holds(backend.as_ref())
        });
        outcome.map_err(|fault| Failure { number: at + 1, clause, fault })?;
    }
    Ok(())
}

/// A clause on a store that is opened again and again.
type RestartClause = (&'static str, fn(&Open<'_>) -> Result<(), Fault>);

const RESTART_CLAUSES: [RestartClause; 5] = [
    ("a restart keeps what was flushed", restart::flushed),
    ("a restart keeps the last of several flushes", restart::last_flush),
    ("a restart claims no more than it kept", restart::claims),
    ("a restart keeps values and keys of every size", restart::sizes),
    ("a restart keeps what was written to the system", restart::written),
];

/// Runs the clauses for persistent backends, numbered after the others. `open` opens one store, empty
/// at first, which the clauses fill one after the other.
///
/// # Errors
/// The first clause that does not hold.
pub fn run_persistent(open: &Open<'_>) -> Result<(), Failure> {
    for (at, (clause, holds)) in RESTART_CLAUSES.into_iter().enumerate() {
        let number = CLAUSES.len() + at + 1;
        holds(open).map_err(|fault| Failure { number, clause, fault })?;
    }
    Ok(())
}

fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Wrong(otherwise())) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), Fault> {
    demand(got == wanted, || format!("{what}: got {got:?}, wanted {wanted:?}"))
}

// CAVEATS: that a commit is all or nothing across a power cut can not be seen from inside the process;
// backends with a journal test it with their own files. Calls are counted, not what a call touches.

//! A load: several writers that keep a node busy, each with its own connection and its own keys.

use std::collections::BTreeMap;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::durability::Durability;
use crate::finding::Finding;
use crate::ledger::Note;
use crate::tally::Tally;
use crate::writer::Writer;

/// How many write what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Writers, each with its own connection and its own keys.
    pub(crate) writers: u64,
    /// Keys of each writer.
    pub(crate) keys: u64,
    /// Bytes of a value that is not one of the small ones, at most.
    pub(crate) large: usize,
    /// How many requests of ten carry a large value.
    pub(crate) large_of_ten: u8,
    /// How many writes of ten are deletions.
    pub(crate) deletes_of_ten: u8,
    /// Requests after which a writer ends by itself.
    pub(crate) requests: u64,
    /// What every acknowledgement must promise.
    pub(crate) promise: Durability,
    /// The seed of all choices.
    pub(crate) seed: u64,
    /// Which of the loads of this seed.
    pub(crate) cycle: u64,
}

/// What writers are told while they write.
#[derive(Debug)]
pub(crate) struct Signals {
    /// It is over.
    pub(crate) stop: AtomicBool,
    /// Answers count.
    pub(crate) answers: AtomicBool,
}

/// What the writers know at the end.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// What they wrote and what became of it.
    pub(crate) notes: Vec<Note>,
    /// Acknowledgements that promise too little.
    pub(crate) findings: Vec<Finding>,
    /// Acknowledged writes.
    pub(crate) acked: Tally,
    /// Writes that were refused, by the code of the problem.
    pub(crate) refused: BTreeMap<String, u64>,
}

impl Load {
    /// Writes to the node until `fault` returns. Once that sets its flag to false, answers count for nothing any more:
    /// they come from a node that would not have lived to give them.
    pub(crate) fn during<T>(
        &self,
        base_url: &str,
        fault: impl FnOnce(&AtomicBool) -> T,
    ) -> (Loaded, T) {
        self.run(base_url, |Signals { stop, answers }| {
            let result = fault(answers);
            stop.store(true, Ordering::Relaxed);
            result
        })
    }

    /// Writes to the node until all writers have ended by themselves.
    #[must_use]
    pub(crate) fn until_done(&self, base_url: &str) -> Loaded {
        self.run(base_url, |_| ()).0
    }

    fn run<T>(&self, base_url: &str, meanwhile: impl FnOnce(&Signals) -> T) -> (Loaded, T) {
        let signals = Signals { stop: AtomicBool::new(false), answers: AtomicBool::new(true) };
        thread::scope(|scope| {
            let writers: Vec<_> = (0..self.writers)
                .map(|number| {
                    let (writer, signals) = (Writer::new(self, base_url, number), &signals);
                    scope.spawn(move || writer.run(signals))
                })
                .collect();
            let result = meanwhile(&signals);
            let mut all = Loaded::default();
            for writer in writers {
                match writer.join() {
                    Ok(one) => all.merge(one),
                    Err(panic) => panic::resume_unwind(panic),
                }
            }
            (all, result)
        })
    }
}

impl Loaded {
    /// Adds what another writer knows, or what was found out in another load.
    pub(crate) fn merge(&mut self, other: Self) {
        self.notes.extend(other.notes);
        self.findings.extend(other.findings);
        self.acked.merge(&other.acked);
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
    }
}

//! The load: several callers that keep all nodes busy while things happen to them, and what they know at the end.

use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gridkv_cluster::Stopwatch;

use crate::caller::Caller;
use crate::history::{Micros, Op, StoreClass};

/// Keys of a store that all callers fight over.
pub(crate) const HOT_KEYS: u64 = 12;
/// Keys of a store that are met now and then.
pub(crate) const WIDE_KEYS: u64 = 400;
/// No value lives longer, if it does not live for ever.
pub(crate) const LONGEST_TTL: Duration = Duration::from_secs(3);
/// Bytes of a large value, at most.
pub(crate) const LARGE: usize = 20_000;

/// Who calls whom.
#[derive(Debug)]
pub(crate) struct Load {
    /// Callers, each with connections of its own.
    pub(crate) callers: u16,
    /// The base URLs of the nodes, the first node's first.
    pub(crate) nodes: Vec<String>,
    /// The stores and what they promise.
    pub(crate) stores: Vec<(String, StoreClass)>,
    /// Whether nodes know the parameter `acks`.
    pub(crate) acks: bool,
    /// A caller rests no longer between two requests.
    pub(crate) rest: Duration,
    /// The seed of all choices.
    pub(crate) seed: u64,
    /// The clock of the run.
    pub(crate) clock: Stopwatch,
    /// It is over.
    pub(crate) over: AtomicBool,
    /// Operations that came back so far.
    pub(crate) done: AtomicU64,
}

impl Load {
    /// Calls until `meanwhile` returns.
    pub(crate) fn during<T>(&self, meanwhile: impl FnOnce() -> T) -> (Vec<Op>, T) {
        thread::scope(|scope| {
            let callers: Vec<_> = (1..=self.callers)
                .map(|number| scope.spawn(move || Caller::new(self, number).call()))
                .collect();
            let result = panic::catch_unwind(panic::AssertUnwindSafe(meanwhile));
            self.over.store(true, Ordering::Relaxed);
            let mut ops = Vec::new();
            for caller in callers {
                match caller.join() {
                    Ok(known) => ops.extend(known),
                    Err(panic) => panic::resume_unwind(panic),
                }
            }
            match result {
                Ok(result) => (ops, result),
                Err(panic) => panic::resume_unwind(panic),
            }
        })
    }

    /// The time of the run.
    pub(crate) fn now(&self) -> Micros {
        micros(&self.clock)
    }
}

/// The time of a run, as histories have it.
pub(crate) fn micros(clock: &Stopwatch) -> Micros {
    Micros::try_from(clock.elapsed().as_micros()).unwrap_or(Micros::MAX)
}

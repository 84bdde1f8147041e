//! The intake of a store: client writes on their way to its actor, which is called once for a group.
//!
//! A message to an actor on another thread wakes that thread, which costs more than the write itself.
//! So writes queue here; the first one calls the actor, after every other task that is ready on its
//! thread has had its turn, and the actor takes all that is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::storage_messages::ClientWrite;

/// Writes that wait for the actor. Bounded by the gate: each holds a permit.
#[derive(Default)]
pub(crate) struct Intake {
    waiting: Mutex<Waiting>,
    called: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    writes: Vec<ClientWrite>,
    /// The actor is gone: nobody would take what is added.
    closed: bool,
}

impl Intake {
    /// Adds a write. Says whether its caller must call the actor: nobody else has, since the last take.
    /// Once the actor is gone the write is dropped, and with it the sender that its caller listens to.
    #[must_use]
    pub(crate) fn add(&self, write: ClientWrite) -> bool {
        let mut waiting = self.waiting();
        if waiting.closed {
            return false;
        }
        waiting.writes.push(write);
        drop(waiting);
        !self.called.swap(true, Ordering::AcqRel)
    }

    /// Takes all that waits, in order. Whoever adds from now on calls again.
    pub(crate) fn take(&self) -> Vec<ClientWrite> {
        // First: a write that is added between the two is taken now, and called for once more.
        self.called.store(false, Ordering::Release);
        std::mem::take(&mut self.waiting().writes)
    }

    /// Gives the emptied buffer back, so that the next group need not grow its own.
    pub(crate) fn give_back(&self, emptied: Vec<ClientWrite>) {
        let mut waiting = self.waiting();
        if waiting.writes.capacity() == 0 {
            waiting.writes = emptied;
        }
    }

    /// The actor is gone: drops what waits and what comes.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        let writes = std::mem::take(&mut waiting.writes);
        drop(waiting);
        drop(writes);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gridkv_protocol::Key;
    use gridkv_storage::write::{Action, Condition, Write, Written};
    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;
    use crate::error::WriteError;
    use crate::gate::{Gate, GateLimits};

    type Answer = oneshot::Receiver<Result<Written, WriteError>>;

    fn delete(key: &str) -> (ClientWrite, Answer) {
        let gate = Arc::new(Gate::new(GateLimits { ops: 1, bytes: 1 }));
        let key = Key::new(key).unwrap();
        let write = Write { key, action: Action::Delete, condition: Condition::default() };
        let (reply, answer) = oneshot::channel();
        let permit = gate.enter(1, 1).unwrap();
        (ClientWrite { write, durability: None, reply, permit }, answer)
    }

    #[test]
    fn the_first_of_a_group_calls_and_order_is_kept() {
        let intake = Intake::default();
        assert!(intake.add(delete("a").0));
        assert!(!intake.add(delete("b").0));
        let mut group = intake.take();
        let keys: Vec<&str> = group.iter().map(|write| write.write.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        group.clear();
        intake.give_back(group);
        assert!(intake.add(delete("c").0), "the next group calls again");
        assert!(intake.waiting().writes.capacity() > 1, "in the buffer of the one before");
    }
    #[test]
    fn nobody_waits_for_an_actor_that_is_gone() {
        let intake = Intake::default();
        let (write, mut before) = delete("a");
        assert!(intake.add(write));
        intake.close();
        let (write, mut after) = delete("b");
        assert!(!intake.add(write));
        assert!(matches!(before.try_recv(), Err(TryRecvError::Closed)), "it was dropped");
        assert!(matches!(after.try_recv(), Err(TryRecvError::Closed)), "it was never taken in");
    }
}

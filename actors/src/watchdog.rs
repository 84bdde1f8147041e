//! The watchdog: no port outlives a dead actor.
//!
//! A panic ends an actor for good and leaves the rest of the process alive. This thread looks at every
//! actor several times a second; when one is gone the node stops being ready and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::ClockSource;
use crate::cluster_actor::ClusterActor;
use crate::cluster_board::ClusterBoard;
use crate::mail::Mail;
use crate::mailbox::Mailbox;
use crate::node_state::{NodeState, Phase};
use crate::store_ends::{ConvergenceEnd, StoreEnds};

/// How often the watchdog looks: a dead actor is to be noticed within a second.
const PERIOD: Duration = Duration::from_millis(200);

/// What the watchdog looks at.
#[derive(Clone)]
pub(crate) struct Watchdog {
    pub(crate) cluster: Mail<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) board: Arc<ClusterBoard>,
    /// An actor that shows no sign of life for so many milliseconds is stuck.
    pub(crate) stuck_ms: u64,
    /// When it looked last, in milliseconds since the node started.
    pub(crate) looked_ms: Arc<AtomicU64>,
}

impl Watchdog {
    /// Looks until the node stops, on a thread of its own.
    pub(crate) fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            while self.state.phase() != Phase::Stopping {
                self.looked_ms.store(self.clock.elapsed_ms(), Ordering::Relaxed);
                if let Some(actor) = self.dead().into_iter().next() {
                    tracing::error!(actor, "an actor died; the node ends");
                    self.state.enter(Phase::Stopping);
                    self.board.fail(format!("{actor} died"));
                }
                std::thread::sleep(PERIOD);
            }
        })?;
        Ok(())
    }

    /// Actors that are gone.
    pub(crate) fn dead(&self) -> Vec<String> {
        let mut dead = Vec::new();
        if !self.cluster.connected() {
            dead.push("the cluster actor".to_owned());
        }
        for (name, store) in self.stores.all().iter() {
            let ends = [
                ("storage actor", store.storage.connected()),
                ("sync publisher", store.publisher.connected()),
                ("catch-up", store.catch_up.connected()),
            ];
            let compares = |end: &ConvergenceEnd| ("convergence", end.actor.connected());
            let ends: Vec<_> =
                ends.into_iter().chain(store.convergence.as_ref().map(compares)).collect();
            let gone = ends.iter().filter(|(_, connected)| !connected);
            // One that was dropped since is no loss.
            let gone = gone.filter(|_| self.stores.get(name.as_str()).is_some());
            dead.extend(gone.map(|(actor, _)| format!("the {actor} of store {name}")));
        }
        dead
    }

    /// Actors that are there and have not turned for too long.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let is_silent = |mailbox: &&Arc<Mailbox>| mailbox.silent_ms() >= self.stuck_ms;
        let cluster = [self.cluster.mailbox()].into_iter().filter(is_silent);
        let mut stuck: Vec<String> = cluster.map(|_| "the cluster actor".to_owned()).collect();
        for (name, store) in self.stores.all().iter() {
            let silent = store.mailboxes().filter(is_silent);
            stuck.extend(silent.map(|it| format!("the {} of store {name}", it.role().in_words())));
        }
        stuck
    }

    /// Milliseconds since it last looked.
    pub(crate) fn since_ms(&self) -> u64 {
        self.clock.elapsed_ms().saturating_sub(self.looked_ms.load(Ordering::Relaxed))
    }
}

//! The watchdog: no port outlives a dead actor.
//!
//! A panic ends an actor for good and leaves the rest of the process alive. This thread looks at every
//! actor several times a second; when one is gone the node stops being ready and ends.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use gridkv_protocol::limits::STUCK_MS;

use crate::clock::ClockSource;
use crate::cluster_actor::ClusterActor;
use crate::cluster_board::ClusterBoard;
use crate::node_state::{NodeState, Phase};
use crate::store_ends::StoreEnds;

/// How often the watchdog looks: a dead actor is to be noticed within a second.
const PERIOD: Duration = Duration::from_millis(200);

/// What the watchdog looks at.
#[derive(Clone)]
pub(crate) struct Watchdog {
    pub(crate) cluster: Addr<ClusterActor>,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) board: Arc<ClusterBoard>,
}

impl Watchdog {
    /// Looks until the node stops, on a thread of its own.
    pub(crate) fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            while self.state.phase() != Phase::Stopping {
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
            let gone = ends.iter().filter(|(_, connected)| !connected);
            // One that was dropped since is no loss.
            let gone = gone.filter(|_| self.stores.get(name.as_str()).is_some());
            dead.extend(gone.map(|(actor, _)| format!("the {actor} of store {name}")));
        }
        dead
    }

    /// Actors that are there and have not turned for too long.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let now = self.clock.elapsed_ms();
        let stores = self.stores.all();
        let silent = stores.iter().filter(|(_, s)| s.turns.silent_ms(now) >= STUCK_MS);
        silent.map(|(name, _)| format!("the storage actor of store {name}")).collect()
    }
}

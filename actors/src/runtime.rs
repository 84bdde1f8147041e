//! The start and the stop of a node: which actor runs where, and in which order they end.
//!
//! Each store's storage actor has a thread of its own. Publishers, catch-ups, links and the cluster
//! actor share one. HTTP workers are none of this room's business.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_rt::Arbiter;
use gridkv_protocol::StoreName;
use gridkv_protocol::limits::{LAST_WAITS_MS, MAX_SNAPSHOTS};
use gridkv_storage::flusher::StoreFlusher;
use gridkv_storage::registry::{OpenError, OpenRequest, Progress, Registry};
use gridkv_storage::store::{self, Store};
use tokio::sync::{Semaphore, oneshot};

use crate::clock::ClockSource;
pub use crate::cluster_board::Failure;
use crate::gate::Gate;
use crate::handle::{self, StoreHandle};
use crate::identity::{Identity, IdentityError};
use crate::node::{self, NodeHandle};
pub use crate::node_config::{NodeConfig, StoreSetup};
use crate::node_state::Phase;
use crate::operations::Operations;
use crate::persist;
use crate::post::post;
use crate::spool;
use crate::storage_messages::Drain;
use crate::store_ends::{StoreEnd, StoreEnds};
use crate::watchdog::Watchdog;
use crate::wiring::{Wiring, ms};

/// Why a node does not start. What it opened is closed again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its identity can not be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A store can not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A thread can not be started.
    #[error("can not start a thread")]
    Thread(#[source] std::io::Error),
}

/// A running node.
pub struct Node {
    handle: NodeHandle,
    arbiters: Vec<Arbiter>,
    warnings: Vec<String>,
}

impl Node {
    /// Opens the stores and starts everything, on the actix system that runs. Blocks while stores are
    /// read.
    ///
    /// # Errors
    /// [`StartError`] when the node can not run; nothing runs then.
    pub fn start(
        config: NodeConfig,
        registry: &Registry,
        listener: TcpListener,
    ) -> Result<Self, StartError> {
        let clock = Arc::new(ClockSource::start());
        let identity = Identity::take(config.data_dir.as_deref(), clock.now())?;
        spool::sweep(&config.spool_dir);
        let mut opened = Vec::new();
        for setup in &config.stores {
            let name = setup.config.name.clone();
            let dir = config.data_dir.as_ref().map(|dir| dir.join("stores").join(name.as_str()));
            let request = OpenRequest {
                settings: setup.settings.clone(),
                progress: told(name.clone(), &clock),
                ..OpenRequest::new(name, dir)
            };
            opened.push(store::open(registry, setup.config.clone(), identity.origin(), &request)?);
        }
        let wiring = Wiring::new(clock, identity.origin());
        Self::run(config, identity, wiring, opened, listener)
    }

    fn run(
        config: NodeConfig,
        identity: Identity,
        wiring: Wiring,
        opened: Vec<Store>,
        listener: TcpListener,
    ) -> Result<Self, StartError> {
        let (mut arbiters, mut warnings) = (Vec::new(), Vec::new());
        let (mut ends, mut handles) = (BTreeMap::new(), BTreeMap::new());
        for (setup, store) in config.stores.iter().zip(opened) {
            let (name, thread) = (setup.config.name.clone(), Arbiter::new());
            let end = wiring.store(&config, setup, (store.writer, store.reader), &thread);
            if let Some(interval) = setup.persist_interval {
                let (flusher, clock) = (store.flusher.clone(), Arc::clone(&wiring.clock));
                wiring.sync.spawn(persist::every(interval, flusher, clock, name.clone()));
            }
            handles.insert(name.clone(), open_door(&config, &wiring, &end, store.flusher));
            ends.insert(name, end);
            warnings.extend(store.warnings);
            arbiters.push(thread);
        }
        let ends = Arc::new(ends);
        let cluster = wiring.cluster(&config, identity, &ends);
        wiring.serve(&config, &cluster, &ends, listener);
        let Wiring { clock, state, links, board, origin, sync } = wiring;
        let watchdog = Watchdog {
            cluster: cluster.clone(),
            stores: Arc::clone(&ends),
            clock: Arc::clone(&clock),
            state: Arc::clone(&state),
            board: Arc::clone(&board),
        };
        watchdog.clone().start().map_err(StartError::Thread)?;
        arbiters.push(sync);
        let handle = NodeHandle::new(node::Inner {
            started_at: clock.now(),
            name: config.name,
            cluster: config.cluster,
            addr: config.advertise,
            suspect_after_ms: ms(config.suspect_after),
            down_after_ms: ms(config.down_after),
            origin,
            handles,
            ends,
            links,
            clock,
            state,
            board,
            watchdog,
            actor: cluster,
            operations: Operations::default(),
        });
        Ok(Self { handle, arbiters, warnings })
    }

    /// The node as others see it.
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// What an operator should know of the way the stores were opened.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Waits until the node can not go on, and says why.
    pub async fn failed(&self) -> Failure {
        self.handle.inner().board.wait_for_failure().await
    }

    /// Takes no more writes from now on; `/readyz` says so. Who waits for peers, or for a version, is
    /// answered within a second, and who waits for a change at once, so that HTTP can end.
    pub fn drain(&self) {
        self.handle.inner().state.enter(Phase::Stopping);
        self.handle.inner().state.drain();
        let ends = Arc::clone(&self.handle.inner().ends);
        ends.values().for_each(|store| store.watches.close());
        actix_rt::spawn(async move {
            tokio::time::sleep(Duration::from_millis(LAST_WAITS_MS)).await;
            end_waits(&ends);
        });
    }

    /// Ends the node: commits and closes time for good, waits, at most for `grace`, until peers cover
    /// what it minted (so that the next start needs nothing from them), then brings every store to the
    /// disk. Says what could not be saved.
    pub async fn stop(self, grace: Duration) -> Vec<String> {
        self.drain();
        let mut unsaved = Vec::new();
        for store in self.handle.inner().ends.values() {
            let (reply, done) = oneshot::channel();
            post(&store.storage, Drain(reply));
            if !matches!(tokio::time::timeout(DRAIN_LIMIT, done).await, Ok(Ok(()))) {
                unsaved.push(format!("store {}: its actor does not answer", store.reader.name()));
            }
        }
        if tokio::time::timeout(grace, self.handle.wait_for_peers()).await.is_err() {
            tracing::warn!(
                "not every peer has what this node wrote; it gives the rest after its restart"
            );
        }
        end_waits(&self.handle.inner().ends);
        unsaved.extend(self.handle.save().await);
        for store in self.handle.stores() {
            store.inner().flusher.close();
        }
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        unsaved
    }
}

/// Tells the log how far the opening of a store is, when that takes long.
fn told(store: StoreName, clock: &Arc<ClockSource>) -> Progress {
    const SILENCE_MS: u64 = 1_000;
    let (clock, last_ms) = (Arc::clone(clock), AtomicU64::new(clock.elapsed_ms()));
    Progress::to(move |done, total| {
        let now_ms = clock.elapsed_ms();
        if now_ms.saturating_sub(last_ms.load(Ordering::Relaxed)) >= SILENCE_MS {
            last_ms.store(now_ms, Ordering::Relaxed);
            let percent = done.saturating_mul(100) / total.max(1);
            tracing::info!(%store, percent, bytes = done, of = total, "opening");
        }
    })
}

/// Lets everyone go who waits for what others do.
fn end_waits(ends: &StoreEnds) {
    for store in ends.values() {
        store.acks.close();
        store.version_waits.close();
    }
}

/// The longest that a stopping node waits for the last commit of a store.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// The gated door to a store.
fn open_door(
    config: &NodeConfig,
    wiring: &Wiring,
    end: &StoreEnd,
    flusher: StoreFlusher,
) -> StoreHandle {
    StoreHandle::new(handle::Inner {
        reader: end.reader.clone(),
        flusher,
        snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
        restores: Arc::new(Semaphore::new(1)),
        spool_dir: config.spool_dir.clone(),
        storage: end.storage.clone(),
        intake: Arc::clone(&end.intake),
        gate: Arc::new(Gate::new(config.gate)),
        clock: Arc::clone(&wiring.clock),
        state: Arc::clone(&wiring.state),
        catch_up: Arc::clone(&end.catch_up_counters),
        acks: Arc::clone(&end.acks),
        version_waits: Arc::clone(&end.version_waits),
        watches: Arc::clone(&end.watches),
        convergence: end.convergence.as_ref().map(|end| end.actor.clone()),
    })
}

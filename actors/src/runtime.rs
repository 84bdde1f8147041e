//! The start and the stop of a node: which actor runs where, and in which order they end.
//!
//! Each store's storage actor has a thread of its own. Publishers, catch-ups, links and the cluster
//! actor share one. HTTP workers are none of this room's business.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use gridkv_protocol::limits::{LAST_WAITS_MS, STUCK_MS};
use gridkv_storage::registry::{OpenError, Registry};
use gridkv_storage::store::Store;
use tokio::sync::{Mutex, oneshot};

use crate::clock::ClockSource;
pub use crate::cluster_board::Failure;
use crate::identity::{Identity, IdentityError};
use crate::node::{self, NodeHandle};
pub use crate::node_config::{NodeConfig, StoreSetup};
use crate::node_state::Phase;
use crate::operations::Operations;
use crate::post::post;
use crate::spool;
use crate::storage_messages::Drain;
use crate::store_ends::StoreEnds;
use crate::store_maker::StoreMaker;
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
        let wiring = Wiring::new(clock, identity.origin());
        let (config, registry) = (Arc::new(config), registry.clone());
        let maker = StoreMaker { wiring, config, registry };
        let mut warnings = maker.finish_drops();
        let setups = &maker.config.stores;
        let opened: Vec<Store> = setups.iter().map(|s| maker.open(s)).collect::<Result<_, _>>()?;
        warnings.extend(opened.iter().flat_map(|store| store.warnings.iter().cloned()));
        let handle = Self::run(maker, identity, opened, listener)?;
        Ok(Self { handle, warnings })
    }

    fn run(
        maker: StoreMaker,
        identity: Identity,
        opened: Vec<Store>,
        listener: TcpListener,
    ) -> Result<NodeHandle, StartError> {
        let (mut ends, mut doors, mut runs) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (setup, store) in maker.config.stores.iter().zip(opened) {
            let (name, store) = (setup.config.name.clone(), maker.start(setup, store));
            ends.push((name.clone(), store.end));
            doors.push((name.clone(), store.door));
            runs.insert(name, store.run);
        }
        let StoreMaker { wiring, config, .. } = &maker;
        let ends: Arc<StoreEnds> = Arc::new(ends.into_iter().collect());
        let cluster = wiring.cluster(config, identity, &ends);
        wiring.serve(config, &cluster, &ends, listener);
        let watchdog = Watchdog {
            cluster: cluster.clone(),
            stores: Arc::clone(&ends),
            clock: Arc::clone(&wiring.clock),
            state: Arc::clone(&wiring.state),
            board: Arc::clone(&wiring.board),
            stuck_ms: STUCK_MS.max(MISSED_BEATS * ms(config.heartbeat)),
            looked_ms: Arc::new(AtomicU64::new(wiring.clock.elapsed_ms())),
        };
        watchdog.clone().start().map_err(StartError::Thread)?;
        Ok(NodeHandle::new(node::Inner {
            started_at: wiring.clock.now(),
            name: config.name.clone(),
            cluster: config.cluster.clone(),
            addr: config.advertise.clone(),
            suspect_after_ms: ms(config.suspect_after),
            down_after_ms: ms(config.down_after),
            origin: Arc::clone(&wiring.origin),
            doors: doors.into_iter().collect(),
            ends,
            runs: Mutex::new(runs),
            links: Arc::clone(&wiring.links),
            clock: Arc::clone(&wiring.clock),
            state: Arc::clone(&wiring.state),
            board: Arc::clone(&wiring.board),
            maker,
            watchdog,
            actor: cluster,
            operations: Operations::default(),
        }))
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
        self.handle.inner().operations.let_go();
        let ends = Arc::clone(&self.handle.inner().ends);
        ends.all().values().for_each(|store| store.watches.close());
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
        let runs = self.handle.inner().runs.lock().await; // no store comes or goes any more
        for store in self.handle.inner().ends.all().values() {
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
        for run in runs.values() {
            run.thread.stop();
        }
        self.handle.inner().maker.wiring.sync.stop();
        unsaved
    }
}

/// Lets everyone go who waits for what others do.
fn end_waits(ends: &StoreEnds) {
    for store in ends.all().values() {
        store.acks.close();
        store.version_waits.close();
    }
}

/// Heartbeats after which who lives by them is stuck, if that is longer than for the others.
const MISSED_BEATS: u64 = 3;

/// The longest that a stopping node waits for the last commit of a store.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

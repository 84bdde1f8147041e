//! Stores that are made and dropped while the node runs. They are this node's affair: peers keep theirs, and learn
//! which ones this node holds.
//!
//! What was asked for is done to its end, also when who asked stops waiting. A store that is made is kept before it
//! runs; one that is dropped is handed over to the peers first, then not kept any more, and then ends. Its files
//! go last, once nothing has them open, and at the next start if the process ends before.

use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::limits::{MAX_SNAPSHOTS, MAX_STORES};
use gridkv_protocol::{Frontier, StoreName, UnixMs};
use gridkv_storage::backend::BackendError;
pub use gridkv_storage::registry::OpenError;
use gridkv_storage::store::Store;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::cluster_board::Neighbour;
use crate::cluster_messages::{DropStore, MakeStore};
use crate::handle::StoreHandle;
use crate::node::NodeHandle;
use crate::node_config::StoreSetup;
use crate::node_state::Phase;
use crate::post::post;
use crate::storage_messages::{Drain, Retire};
use crate::store_ends::StoreEnd;
use crate::store_ledger::{DefinitionError, StoreLedger};
use crate::store_maker::StoreRun;
use crate::views::PeerState;
use crate::wiring::ms;

/// Between two looks at what is awaited.
const LOOK: Duration = Duration::from_millis(5);
/// How long peers are given to take what was written here, before a store is dropped.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long the end of a store is waited for. Then who asked is answered, and its files go later.
const END: Duration = Duration::from_secs(5);

/// Why a store is not made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MakeStoreError {
    /// This node keeps no stores but those it was started with.
    #[error("this node makes no stores")]
    NotSupported,
    /// There is one of this name.
    #[error("there is a store of this name")]
    Exists,
    /// One of this name was dropped, and its files are still in use.
    #[error("a store of this name was dropped, and its files are still in use")]
    Leaving,
    /// The node holds as many stores as it can.
    #[error("the node holds {MAX_STORES} stores, and no more")]
    TooMany,
    /// The definition is not one.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A member holds a store of this name, which is a cache on one side only.
    #[error("on {member} the store is a cache, or here it would be one")]
    CacheMismatch {
        /// The member's name.
        member: String,
    },
    /// It can not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can not be kept.
    #[error("can not keep which stores there are")]
    Keep(#[source] BackendError),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// Why a store is not dropped. It goes on as it was.
#[derive(Debug, thiserror::Error)]
pub enum DropStoreError {
    /// There is none of this name.
    #[error("there is no store of this name")]
    NotFound,
    /// The configuration names it.
    #[error("the configuration names the store")]
    Configured,
    /// Something is done to all of it that has to end first.
    #[error("the store is in use: {0} is under way")]
    Busy(&'static str),
    /// Peers may lack what is here, and would have nobody left to get it from.
    #[error("{} may lack what is here", .0.join(", "))]
    PeersBehind(Vec<String>),
    /// That it is dropped can not be kept.
    #[error("can not keep which stores there are")]
    Keep(#[source] BackendError),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

impl NodeHandle {
    /// Makes a store that is defined as [`StoreLedger::plan`] reads it, and keeps it across restarts. Peers that
    /// hold a store of this name give what they have; it takes writes at once.
    ///
    /// # Errors
    /// [`MakeStoreError`]: nothing was changed.
    pub async fn make_store(
        &self,
        name: StoreName,
        definition: String,
    ) -> Result<StoreHandle, MakeStoreError> {
        let node = self.clone();
        let made = actix_rt::spawn(async move { node.make(name, definition).await });
        made.await.map_err(|_| MakeStoreError::Stopping)?
    }

    /// Drops a store that was made while a node ran: all that this node has of it goes, and its peers keep what
    /// they have. They are given first what is here, as far as they are up; if none of them is that could have all of it, the store
    /// goes on.
    ///
    /// # Errors
    /// [`DropStoreError`]: the store goes on as it was.
    pub async fn drop_store(&self, name: StoreName) -> Result<(), DropStoreError> {
        let node = self.clone();
        let dropped = actix_rt::spawn(async move { node.drop_it(name).await });
        dropped.await.map_err(|_| DropStoreError::Stopping)?
    }

    async fn make(
        &self,
        name: StoreName,
        definition: String,
    ) -> Result<StoreHandle, MakeStoreError> {
        let inner = self.inner();
        let ledger = inner.maker.config.ledger.clone().ok_or(MakeStoreError::NotSupported)?;
        let mut runs = inner.runs.lock().await;
        if inner.state.phase() == Phase::Stopping {
            return Err(MakeStoreError::Stopping);
        }
        if runs.contains_key(&name) {
            return Err(MakeStoreError::Exists);
        }
        if ledger.unfinished().contains(&name) {
            return Err(MakeStoreError::Leaving);
        }
        if runs.len() >= MAX_STORES {
            return Err(MakeStoreError::TooMany);
        }
        let setup = ledger.plan(&name, &definition)?;
        let (store, setup) = self.open_and_keep(setup, ledger, definition).await?;
        let started = inner.maker.start(&setup, store);
        let (reply, answer) = oneshot::channel();
        post(&inner.actor, MakeStore { end: started.end, reply });
        // If it is not told, the node ends: the store is kept, and there at the next start.
        answer.await.map_err(|_| MakeStoreError::Stopping)?;
        inner.doors.insert(&name, &started.door);
        runs.insert(name.clone(), started.run);
        tracing::info!(store = %name, backend = started.door.backend(), "a store was made");
        Ok(started.door)
    }

    /// Opens a store and keeps its definition, or leaves nothing behind.
    async fn open_and_keep(
        &self,
        setup: StoreSetup,
        ledger: Arc<dyn StoreLedger>,
        definition: String,
    ) -> Result<(Store, StoreSetup), MakeStoreError> {
        let (node, maker) = (self.clone(), self.inner().maker.clone());
        on_blocking_thread(move || {
            let name = setup.config.name.clone();
            let was_there =
                maker.dir_of(&name).is_none_or(|dir| !matches!(dir.try_exists(), Ok(false)));
            let kept = maker.open(&setup).map_err(MakeStoreError::from).and_then(|store| {
                node.fits_members(&name, store.reader.promises().cache)?;
                ledger.keep(&name, &definition).map_err(MakeStoreError::Keep)?;
                Ok(store)
            });
            if kept.is_err() && !was_there {
                drop(maker.remove_files(&name)); // if they stay, the store that is made next has them
            }
            Ok((kept?, setup))
        })
        .await
        .ok_or(MakeStoreError::Stopping)?
    }

    /// A cache on one member is a cache on all.
    fn fits_members(&self, name: &StoreName, cache: bool) -> Result<(), MakeStoreError> {
        let board = self.inner().board.read();
        let differs = board.neighbours.iter().map(|neighbour| &neighbour.member).find(|member| {
            member.stores.iter().any(|theirs| theirs.name == *name && theirs.cache != cache)
        });
        match differs {
            Some(member) => Err(MakeStoreError::CacheMismatch { member: member.name.clone() }),
            None => Ok(()),
        }
    }

    async fn drop_it(&self, name: StoreName) -> Result<(), DropStoreError> {
        let inner = self.inner();
        let mut runs = inner.runs.lock().await;
        if inner.state.phase() == Phase::Stopping {
            return Err(DropStoreError::Stopping);
        }
        let door = inner.doors.get(name.as_str()).ok_or(DropStoreError::NotFound)?;
        let end = inner.ends.get(name.as_str()).ok_or(DropStoreError::NotFound)?;
        let ledger = inner.maker.config.ledger.clone().filter(|_| !door.is_configured());
        let ledger = ledger.ok_or(DropStoreError::Configured)?;
        self.hand_over(&door, &end).await?;
        inner.doors.remove(name.as_str());
        if let Err(error) = self.may_go(&door, &end, &ledger).await {
            inner.doors.insert(&name, &door);
            return Err(error);
        }
        let (maker, trace) = (inner.maker.clone(), door.inner().flusher.trace());
        drop(door);
        self.end(end, runs.remove(&name)).await;
        drop(runs);
        tracing::info!(store = %name, "a store was dropped");
        let gone = actix_rt::spawn(async move {
            while trace.is_open() {
                tokio::time::sleep(LOOK).await;
            }
            let files = name.clone();
            let remove = move || maker.finish_drop(ledger.as_ref(), &files);
            if let Some(Err(why)) = on_blocking_thread(remove).await {
                tracing::error!(store = %name, why, "the files of a dropped store stay until the next start");
            }
        });
        if timeout(END, gone).await.is_err() {
            tracing::warn!("a request still uses a store that was dropped; its files go after it");
        }
        Ok(())
    }

    /// Whether nothing is lost with a store, and that it is dropped can be kept. Nobody reaches it any more.
    async fn may_go(
        &self,
        door: &StoreHandle,
        end: &StoreEnd,
        ledger: &Arc<dyn StoreLedger>,
    ) -> Result<(), DropStoreError> {
        let name = door.name().clone();
        if self.inner().operations.is_busy(&name) || end.catch_up_counters.is_bootstrapping() {
            return Err(DropStoreError::Busy("an operation on it"));
        }
        // Held until all is decided: none begins meanwhile.
        let (restores, snapshots) = (&door.inner().restores, &door.inner().snapshots);
        let _restores =
            restores.try_acquire().map_err(|_| DropStoreError::Busy("an upload into it"))?;
        let all = u32::try_from(MAX_SNAPSHOTS).unwrap_or(u32::MAX);
        let _snapshots = snapshots
            .try_acquire_many(all)
            .map_err(|_| DropStoreError::Busy("a download of it"))?;
        self.hand_over(door, end).await?; // what came in since
        let ledger = Arc::clone(ledger);
        let begun = on_blocking_thread(move || ledger.begin_drop(&name)).await;
        let begun = begun.ok_or(DropStoreError::Stopping)?;
        begun.map_err(DropStoreError::Keep)
    }

    /// Waits until nothing would be lost with a store.
    async fn hand_over(&self, door: &StoreHandle, end: &StoreEnd) -> Result<(), DropStoreError> {
        let stops = || self.inner().state.phase() == Phase::Stopping;
        let heard = self.now().plus(ms(self.inner().maker.config.heartbeat));
        let here = end.reader.applied();
        let handed_over = async {
            while !stops()
                && (door.in_flight().0 > 0 || !self.in_need_of(end, (&here, heard)).is_empty())
            {
                tokio::time::sleep(LOOK).await;
            }
        };
        if timeout(HAND_OVER, handed_over).await.is_err() {
            let behind = self.in_need_of(end, (&here, heard));
            return Err(if behind.is_empty() {
                DropStoreError::Busy("a write to it")
            } else {
                DropStoreError::PeersBehind(behind)
            });
        }
        if stops() { Err(DropStoreError::Stopping) } else { Ok(()) }
    }

    /// Peers for whose sake a store stays, of which this node had `here` when it was to go.
    ///
    /// Those that are up and lack what this node minted. Those that are up and were not heard of since `heard`: one may have
    /// made the store a moment ago, to take it over, and its report be on its way. And, unless one that is up has all
    /// that is here, those that hold the store too: one that is down may lack some of it, also of what others wrote that are
    /// down, and nobody else could give it. What nobody else holds goes, because that was asked for.
    fn in_need_of(&self, end: &StoreEnd, (here, heard): (&Frontier, UnixMs)) -> Vec<String> {
        let (board, now) = (self.inner().board.read(), self.now());
        let is_up = |of: &&Neighbour| self.state_of(&of.contact, now) == PeerState::Up;
        let names = |all: &[&Neighbour]| -> Vec<String> {
            all.iter().map(|one| one.member.name.clone()).collect()
        };
        let unheard =
            |of: &&Neighbour| is_up(of) && of.contact.last.is_none_or(|last| last < heard);
        let unheard: Vec<_> = board.neighbours.iter().filter(unheard).collect();
        let mut first = self.lacking(end);
        first.extend(names(&unheard));
        first.sort_unstable();
        first.dedup();
        if !first.is_empty() {
            return first;
        }
        let holds = |of: &&Neighbour| of.member.holds(end.reader.name());
        let holders: Vec<_> = board.neighbours.iter().filter(holds).collect();
        let has_all =
            |of: &&Neighbour| is_up(of) && end.acks.has_all(of.member.origin.node(), here);
        if end.reader.promises().cache || holders.iter().any(has_all) {
            return Vec::new();
        }
        names(&holders)
    }

    /// Peers that are up, hold the store, and lack what this node minted in it.
    fn lacking(&self, end: &StoreEnd) -> Vec<String> {
        let (board, now) = (self.inner().board.read(), self.now());
        let lacks = board.neighbours.iter().filter(|neighbour| {
            let member = &neighbour.member;
            member.holds(end.reader.name())
                && self.state_of(&neighbour.contact, now) == PeerState::Up
                && !end.publishing.is_covered_by(member.origin.node())
        });
        lacks.map(|neighbour| neighbour.member.name.clone()).collect()
    }

    /// Ends the actors of a store, and lets everyone go who waits for it.
    async fn end(&self, end: Arc<StoreEnd>, run: Option<StoreRun>) {
        end.watches.close();
        let (reply, drained) = oneshot::channel();
        post(&end.storage, Drain(reply));
        let covered = async {
            drop(drained.await);
            while !self.lacking(&end).is_empty() {
                tokio::time::sleep(LOOK).await; // the last moment that was closed
            }
        };
        if timeout(HAND_OVER, covered).await.is_err() {
            tracing::warn!(store = %end.reader.name(), "a peer takes the end of a dropped store from others");
        }
        let (reply, told) = oneshot::channel();
        post(&self.inner().actor, DropStore { name: end.reader.name().clone(), reply });
        drop(told.await);
        end.acks.close();
        end.version_waits.close();
        post(&end.publisher, Retire);
        post(&end.catch_up, Retire);
        if let Some(convergence) = &end.convergence {
            post(&convergence.actor, Retire);
        }
        if let Some(run) = run {
            run.thread.stop();
        }
    }
}

/// What may wait for a disk; `None` when the thread died.
async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

//! Operations: what an operator started and that takes a while, kept so that it can be asked about.
//!
//! One runs per store. What has ended is remembered until newer ones need the place; a restart forgets all.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use gridkv_protocol::limits::MAX_OPERATIONS;
use gridkv_protocol::{NodeId, StoreName, UnixMs};
use tokio::sync::Notify;
use tokio::time::timeout;

pub use crate::cluster_messages::FullSyncRefusal;

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) store: StoreName,
    pub(crate) task: Task,
    /// Live keys of the peer that it is filled from, or of the store.
    pub(crate) keys: u64,
    pub(crate) at: UnixMs,
}

/// What is done to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// It is filled from a peer, and emptied first if it is a rebuild.
    FullSync { peer: NodeId, peer_name: String, rebuild: bool },
    /// All that it keeps is rewritten.
    Compaction,
}

impl Task {
    fn is_like(&self, other: &Self) -> bool {
        matches!(self, Self::Compaction) == matches!(other, Self::Compaction)
    }
}

/// What an operator asked for, and how far it is.
#[derive(Debug)]
pub(crate) struct Operation {
    id: u64,
    asked: Asked,
    records: AtomicU64,
    waits_for: ArcSwap<Vec<String>>,
    end: OnceLock<Result<(), String>>,
    /// Rings when it is over, and when nobody is to wait for that any more.
    bell: Notify,
}

/// An operation as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationView {
    /// Its number in this run of the node.
    pub id: u64,
    /// The store that it is done to.
    pub store: StoreName,
    /// What is done.
    pub kind: OperationKind,
    /// When it was asked for.
    pub started_at: UnixMs,
    /// `None` while it runs; then whether it came to its end, or why it did not.
    pub end: Option<Result<(), String>>,
    /// What it waits for before the store is emptied, one line each.
    pub waits_for: Vec<String>,
    /// Records that came so far; of a compaction all at once, at its end.
    pub done: u64,
    /// Live keys that the peer had at the start; tombstones come on top. At the end, all that came. Of a
    /// compaction, the live keys of the store.
    pub total: u64,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A store is filled from a peer.
    FullSync {
        /// The peer's name.
        peer: String,
        /// Whether the store is emptied first.
        rebuild: bool,
    },
    /// All that a store keeps is rewritten.
    Compaction,
}

/// Why an operation is not begun. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// One of its kind runs on the same store.
    #[error("one of its kind runs on the store")]
    Running,
    /// So many operations run that no other can be remembered.
    #[error("too many operations run")]
    TooMany,
}

impl From<BeginError> for FullSyncError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Running => FullSyncRefusal::Running.into(),
            BeginError::TooMany => Self::TooMany,
        }
    }
}

/// Why a full sync is not begun. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullSyncError {
    /// There is no such member.
    #[error("there is no such member")]
    NoPeer,
    /// So many operations run that no other can be remembered.
    #[error("too many operations run")]
    TooMany,
    /// The store or the peer does not fit.
    #[error(transparent)]
    Refused(#[from] FullSyncRefusal),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// The operations of this run of the node.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    by_id: BTreeMap<u64, Arc<Operation>>,
}

impl Operation {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whom the store is filled from; of a compaction, which no catch-up works for, nobody.
    pub(crate) fn peer(&self) -> NodeId {
        match &self.asked.task {
            Task::FullSync { peer, .. } => *peer,
            Task::Compaction => NodeId(0),
        }
    }

    pub(crate) fn peer_name(&self) -> &str {
        match &self.asked.task {
            Task::FullSync { peer_name, .. } => peer_name,
            Task::Compaction => "",
        }
    }

    pub(crate) fn is_rebuild(&self) -> bool {
        matches!(self.asked.task, Task::FullSync { rebuild: true, .. })
    }

    /// So many records more have come.
    pub(crate) fn brought(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// What it waits for, one line each, for people.
    pub(crate) fn wait_for(&self, what: Vec<String>) {
        self.waits_for.store(Arc::new(what));
    }

    /// It is over. The first word stands.
    pub(crate) fn end(&self, how: Result<(), String>) {
        drop(self.end.set(how));
        self.bell.notify_waiters();
    }

    /// Waits until it is over, or nobody waits any more.
    async fn ended(&self) {
        let mut rung = pin!(self.bell.notified());
        rung.as_mut().enable(); // before the look: one that ends in between is heard
        if self.is_running() {
            rung.await;
        }
    }

    fn is_running(&self) -> bool {
        self.end.get().is_none()
    }

    pub(crate) fn view(&self) -> OperationView {
        let end = self.end.get().cloned(); // before what has come: at the end nothing comes any more
        let done = self.records.load(Ordering::Relaxed);
        let total = if end == Some(Ok(())) { done } else { self.asked.keys.max(done) };
        let waits_for = self.waits_for.load().iter().filter(|_| end.is_none()).cloned().collect();
        let Asked { store, task, at, .. } = self.asked.clone();
        let kind = match task {
            Task::FullSync { peer_name: peer, rebuild, .. } => {
                OperationKind::FullSync { peer, rebuild }
            }
            Task::Compaction => OperationKind::Compaction,
        };
        OperationView { id: self.id, store, kind, started_at: at, end, waits_for, done, total }
    }
}

impl Operations {
    /// Notes what is asked, unless one of its kind runs on the same store.
    pub(crate) fn begin(&self, asked: Asked) -> Result<Arc<Operation>, BeginError> {
        let mut kept = self.kept();
        let running = kept.by_id.values().filter(|operation| operation.is_running());
        let mut of_store = running.filter(|operation| operation.asked.store == asked.store);
        if of_store.any(|operation| operation.asked.task.is_like(&asked.task)) {
            return Err(BeginError::Running);
        }
        if kept.by_id.len() >= MAX_OPERATIONS {
            let over = kept.by_id.values().find(|operation| !operation.is_running());
            let oldest = over.map(|operation| operation.id).ok_or(BeginError::TooMany)?;
            kept.by_id.remove(&oldest);
        }
        kept.last += 1;
        let (records, waits_for, end, bell) = Default::default();
        let operation = Arc::new(Operation { id: kept.last, asked, records, waits_for, end, bell });
        kept.by_id.insert(operation.id, Arc::clone(&operation));
        Ok(operation)
    }

    /// Whether one runs on a store.
    pub(crate) fn is_busy(&self, store: &StoreName) -> bool {
        let kept = self.kept();
        let mut running = kept.by_id.values().filter(|operation| operation.is_running());
        running.any(|operation| operation.asked.store == *store)
    }

    /// It was not begun after all.
    pub(crate) fn withdraw(&self, id: u64) {
        self.kept().by_id.remove(&id);
    }

    pub(crate) fn get(&self, id: u64) -> Option<OperationView> {
        self.kept().by_id.get(&id).map(|operation| operation.view())
    }

    /// Waits, at most for `patience`, until an operation is over.
    pub(crate) async fn wait(&self, id: u64, patience: Duration) {
        let found = self.kept().by_id.get(&id).cloned();
        if let Some(operation) = found {
            drop(timeout(patience, operation.ended()).await); // how it stands is seen by who asked
        }
    }

    /// Lets everyone go who waits for the end of one.
    pub(crate) fn let_go(&self) {
        self.kept().by_id.values().for_each(|operation| operation.bell.notify_waiters());
    }

    /// What becomes of a store that is to be emptied, for people.
    pub(crate) fn announce(&self, store: &StoreName) -> String {
        let all = self.all();
        let running = all.iter().filter(|view| view.end.is_none() && view.store == *store);
        for OperationView { id, kind, waits_for, .. } in running {
            if let OperationKind::FullSync { peer, rebuild: true } = kind {
                let waits_for = waits_for.join(", ");
                return format!(
                    "waits to be emptied and filled from {peer}, see operation {id}: {waits_for}"
                );
            }
        }
        "waits to be emptied and filled from a peer".to_owned() // it ended this moment
    }

    /// All that are remembered, oldest first.
    pub(crate) fn all(&self) -> Vec<OperationView> {
        self.kept().by_id.values().map(|operation| operation.view()).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operation that a catch-up works for.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    operation: Option<Arc<Operation>>,
    /// Its session runs.
    started: bool,
}

impl Tracked {
    /// An operator asked for it.
    pub(crate) fn follow(&mut self, operation: Arc<Operation>) {
        *self = Self { operation: Some(operation), started: false };
    }

    /// A session with this peer began: any that fills an emptied store, or the one that was asked for.
    pub(crate) fn began(&mut self, peer: NodeId) {
        let is_its =
            |operation: &Arc<Operation>| operation.is_rebuild() || operation.peer() == peer;
        self.started = self.operation.as_ref().is_some_and(is_its);
    }

    /// What it waits for now.
    pub(crate) fn wait_for(&self, what: Vec<String>) {
        if let Some(operation) = &self.operation {
            operation.wait_for(what);
        }
    }

    pub(crate) fn brought(&self, records: u64) {
        if let Some(operation) = self.operation.as_ref().filter(|_| self.started) {
            operation.brought(records);
        }
    }

    /// The session ended. An emptied store goes on until one is complete.
    pub(crate) fn ended(&mut self, complete: bool) {
        let started = std::mem::take(&mut self.started);
        let Some(operation) = self.operation.as_ref().filter(|_| started) else { return };
        if complete {
            operation.end(Ok(()));
        } else if operation.is_rebuild() {
            return;
        } else {
            operation.end(Err("the peer gave no more pages; what came is merged".into()));
        }
        self.operation = None;
    }

    /// The link to a peer is gone, before its session began.
    pub(crate) fn lost(&mut self, peer: NodeId) {
        let waits = |o: &&Arc<Operation>| !self.started && !o.is_rebuild() && o.peer() == peer;
        if let Some(operation) = self.operation.as_ref().filter(waits) {
            operation.end(Err("the link to the peer is gone".into()));
            self.operation = None;
        }
    }

    /// It can not be done.
    pub(crate) fn fail(&mut self, why: &str) {
        if let Some(operation) = self.operation.take() {
            operation.end(Err(why.to_owned()));
        }
    }
}

#[cfg(test)]
#[path = "operations_test.rs"]
mod tests;

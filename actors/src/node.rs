//! A node as the HTTP layer sees it: its stores, its health, and the mesh around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gridkv_protocol::contacts::Contact;
use gridkv_protocol::fence::Standing;
use gridkv_protocol::{NodeId, Origin, StoreName, UnixMs, Version};

use crate::by_store::ByStore;
use crate::clock::ClockSource;
use crate::cluster_actor::ClusterActor;
use crate::cluster_board::{ClusterBoard, Neighbour};
use crate::cluster_messages::{AddPeer, ForgetPeer, FullSync};
use crate::handle::StoreHandle;
use crate::links::Links;
use crate::mail::Mail;
use crate::member_change::{AddError, ForgetError, PeerAdded, PeerForgotten};
use crate::node_state::{NodeState, Phase};
use crate::operations::{Asked, FullSyncError, OperationView, Operations, Task};
use crate::post::post;
use crate::store_ends::{StoreEnd, StoreEnds};
use crate::store_maker::{StoreMaker, StoreRun};
use crate::views::{
    Check, ClockView, ClusterView, PeerState, PeerStoreView, PeerView, Readiness, SelfView,
    StableView,
};
use crate::watchdog::Watchdog;
use tokio::sync::{Mutex, oneshot};

/// The node as the HTTP layer sees it. Cheap to clone.
#[derive(Clone)]
pub struct NodeHandle {
    inner: Arc<Inner>,
}

/// What a node handle is made of.
pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) addr: String,
    pub(crate) origin: Arc<AtomicU64>,
    pub(crate) doors: ByStore<StoreHandle>,
    pub(crate) ends: Arc<StoreEnds>,
    /// Held by who makes or drops a store.
    pub(crate) runs: Mutex<BTreeMap<StoreName, StoreRun>>,
    pub(crate) maker: StoreMaker,
    pub(crate) links: Arc<Links>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) board: Arc<ClusterBoard>,
    pub(crate) watchdog: Watchdog,
    pub(crate) actor: Mail<ClusterActor>,
    pub(crate) operations: Operations,
    pub(crate) suspect_after_ms: u64,
    pub(crate) down_after_ms: u64,
    pub(crate) started_at: UnixMs,
}

impl NodeHandle {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its identity and epoch.
    pub fn origin(&self) -> Origin {
        Origin::from_bits(self.inner.origin.load(Ordering::Acquire))
    }

    /// A store by name.
    pub fn store(&self, name: &str) -> Option<StoreHandle> {
        self.inner.doors.get(name)
    }

    /// Every store, in order of name.
    pub fn stores(&self) -> Vec<StoreHandle> {
        self.inner.doors.all().values().cloned().collect()
    }

    /// The node's physical time.
    pub fn now(&self) -> UnixMs {
        self.inner.clock.now()
    }

    /// When the node started, in its physical time.
    pub fn started_at(&self) -> UnixMs {
        self.inner.started_at
    }

    /// What the node's clock is worth, and how far it is off.
    pub fn clock(&self) -> ClockView {
        ClockView {
            standing: self.inner.state.clock(),
            ahead_of_wall_ms: self.inner.clock.wall_ahead_ms().saturating_neg(),
            ahead_of_peers_ms: self.inner.board.read().ahead_ms,
            corrected_ms: self.inner.clock.corrected_ms(),
            hybrid_ahead_ms: self.inner.clock.observed().physical().since(self.now()),
        }
    }

    /// Whether the node takes clients, and why not: the node itself and its clock, then each store.
    pub fn readiness(&self) -> Readiness {
        let mut checks = vec![self.check_cluster(), self.check_clock()];
        checks.extend(self.inner.ends.all().iter().map(|(name, store)| {
            let wrong = if store.reader.is_poisoned() {
                Some("a commit failed; look into the log, then restart the node".to_owned())
            } else if store.reader.is_damaged() {
                Some(format!(
                    "a read found damage on the disk; stop the node, rename stores/{name} in its data directory, and peers fill the store again"
                ))
            } else if store.catch_up_counters.rebuilding.load(Ordering::Acquire) {
                Some(self.inner.operations.announce(name))
            } else if store.catch_up_counters.is_bootstrapping() {
                let records = store.catch_up_counters.view().records;
                Some(format!(
                    "filled from a peer, because it may hold what was deleted meanwhile; {records} records so far"
                ))
            } else if store.catch_up_counters.filling.load(Ordering::Acquire) {
                Some("was just made, and is given what peers have of it".to_owned())
            } else {
                None
            };
            let name = format!("store:{name}");
            Check { name, ok: wrong.is_none(), detail: wrong.unwrap_or_default() }
        }));
        checks.extend(self.check_drain());
        let dead = self.inner.watchdog.dead();
        checks.push(Check { name: "actors".into(), ok: dead.is_empty(), detail: dead.join(", ") });
        Readiness { ready: checks.iter().all(|check| check.ok), checks }
    }

    fn check_cluster(&self) -> Check {
        let board = self.inner.board.read();
        let phase = self.inner.state.phase();
        let detail = match phase {
            Phase::Starting => "starting: stores are being opened".to_owned(),
            Phase::Joining if board.waits_for.is_empty() => "joining".to_owned(),
            Phase::Joining => format!(
                "joining: {}. Start the silent seeds, or form a new cluster here with --bootstrap (only ever on a cluster's first node)",
                board.waits_for.join("; ")
            ),
            Phase::CatchingUp if !board.refused_by.is_empty() => {
                format!("catching_up: refused by {}", board.refused_by.join("; "))
            }
            Phase::CatchingUp if board.silent_at_boot.is_empty() => {
                "catching_up: fetching what peers have".to_owned()
            }
            Phase::CatchingUp => {
                let silent: Vec<&str> = board
                    .neighbours
                    .iter()
                    .filter(|n| board.silent_at_boot.contains(&n.member.origin.node()))
                    .map(|n| n.member.name.as_str())
                    .collect();
                format!("catching_up: not heard from {} yet", silent.join(", "))
            }
            Phase::Ready => String::new(),
            Phase::Stopping => self
                .inner
                .board
                .failure()
                .map_or("stopping".to_owned(), |why| format!("stopping: {why}")),
        };
        Check { name: "cluster".into(), ok: phase == Phase::Ready, detail }
    }

    fn check_clock(&self) -> Check {
        let clock = self.clock();
        let off_ms = clock.ahead_of_peers_ms.unwrap_or(0).unsigned_abs();
        let detail = match clock.standing {
            Standing::Sound => String::new(),
            Standing::Unjudged => "not compared with any peer's yet".to_owned(),
            Standing::Undecided => format!(
                "{off_ms} ms off its peers', and too few are heard to tell whose is wrong; check the clocks of all nodes"
            ),
            Standing::Behind => format!(
                "{off_ms} ms behind most members', whose newer writes wait until it is right; put this machine's clock right, and the node follows by itself"
            ),
            Standing::Fenced => format!(
                "clock_fenced: {off_ms} ms ahead of most members', so no writes are taken; put this machine's clock right, then restart the node"
            ),
        };
        let ok = matches!(clock.standing, Standing::Sound | Standing::Undecided);
        Check { name: "clock".into(), ok, detail }
    }

    /// Actors that have not turned for ten seconds, or died; empty when all is well.
    pub fn stuck_actors(&self) -> Vec<String> {
        let mut stuck = self.inner.watchdog.dead();
        stuck.extend(self.inner.watchdog.stuck());
        stuck
    }

    /// The mesh as this node sees it.
    pub fn cluster(&self) -> ClusterView {
        let board = self.inner.board.read();
        let now = self.now();
        ClusterView {
            cluster: self.inner.cluster.clone(),
            me: SelfView {
                name: self.inner.name.clone(),
                origin: self.origin(),
                addr: self.inner.addr.clone(),
                joined: board.joined,
            },
            peers: board.neighbours.iter().map(|neighbour| self.peer(neighbour, now)).collect(),
        }
    }

    /// How long ago a peer was heard from, in a word.
    pub(crate) fn state_of(&self, contact: &Contact, now: UnixMs) -> PeerState {
        match contact.last.map(|last| now.since(last)) {
            Some(ms) if ms < self.inner.suspect_after_ms => PeerState::Up,
            Some(ms) if ms < self.inner.down_after_ms => PeerState::Suspect,
            Some(_) | None => PeerState::Down,
        }
    }

    fn peer(&self, neighbour: &Neighbour, now: UnixMs) -> PeerView {
        let Neighbour { member, contact, .. } = neighbour;
        let (id, state) = (member.origin.node(), self.state_of(contact, now));
        let (mut stores, mut missing_stores) = (BTreeMap::new(), Vec::new());
        let mut other_backends = BTreeMap::new();
        for (name, store) in self.inner.ends.all().iter() {
            let Some(theirs) = member.stores.iter().find(|theirs| theirs.name == *name) else {
                missing_stores.push(name.clone());
                continue;
            };
            if theirs.backend != store.reader.backend() {
                other_backends.insert(name.clone(), theirs.backend.clone());
            }
            let key_count = contact.keys.get(name).copied().unwrap_or(0);
            let agreement = store.convergence.as_ref().map(|end| end.agreements.with(id));
            let lag = self.lag(id, store, now);
            stores.insert(name.clone(), PeerStoreView { key_count, agreement, ..lag });
        }
        PeerView {
            name: member.name.clone(),
            origin: member.origin,
            addr: member.addr.clone(),
            state,
            last_contact: contact.last,
            clock_skew_ms: neighbour.skew_ms,
            ready: contact.ready,
            trouble: neighbour.trouble(state),
            stores,
            missing_stores,
            other_backends,
            link: self.inner.links.counts(id),
        }
    }

    /// Begins to fill a store with all that a peer has of it: merged with what is here, or, if it is a
    /// `rebuild`, instead of it, once peers have that. It goes on by itself.
    ///
    /// # Errors
    /// [`FullSyncError`] when it is not begun.
    pub async fn full_sync(
        &self,
        store: &StoreHandle,
        peer: &str,
        rebuild: bool,
    ) -> Result<OperationView, FullSyncError> {
        let board = self.inner.board.read();
        let found = board.neighbours.iter().find(|neighbour| neighbour.member.name == peer);
        let Neighbour { member, contact, .. } = found.ok_or(FullSyncError::NoPeer)?;
        let store = store.name().clone();
        let operation = self.inner.operations.begin(Asked {
            keys: contact.keys.get(&store).copied().unwrap_or(0),
            store: store.clone(),
            task: Task::FullSync {
                peer: member.origin.node(),
                peer_name: member.name.clone(),
                rebuild,
            },
            at: self.now(),
        })?;
        let (reply, answer) = oneshot::channel();
        post(&self.inner.actor, FullSync { store, operation: Arc::clone(&operation), reply });
        let begun = answer.await.map_err(|_| FullSyncError::Stopping);
        if let Err(refused) = begun.and_then(|begun| begun.map_err(FullSyncError::from)) {
            self.inner.operations.withdraw(operation.id());
            return Err(refused);
        }
        Ok(operation.view())
    }

    /// An operation that was begun in this run of the node, unless newer ones took its place.
    pub fn operation(&self, id: u64) -> Option<OperationView> {
        self.inner.operations.get(id)
    }

    /// Waits, at most for `patience`, until an operation is over, or the node stops.
    pub async fn await_operation(&self, id: u64, patience: Duration) {
        if self.inner.state.phase() != Phase::Stopping {
            self.inner.operations.wait(id, patience).await;
        }
    }

    /// All operations that are remembered, oldest first.
    pub fn operations(&self) -> Vec<OperationView> {
        self.inner.operations.all()
    }

    /// How far a peer is behind on what this node minted, in this run and in earlier ones. Those end in no
    /// log: what is known is that the peer lacks something, and that it is no younger than their end.
    fn lag(&self, peer: NodeId, store: &StoreEnd, now: UnixMs) -> PeerStoreView {
        let own = self.origin();
        let mut view = store.publishing.view(peer, now);
        let applied = store.reader.applied();
        let earlier = applied.open().filter(|(o, _)| o.node() == own.node() && *o != own);
        for (_, upto) in earlier.filter(|(origin, upto)| store.acks.upto(peer, *origin) < *upto) {
            view.frontier_covered = false;
            view.lag_ms = view.lag_ms.max(now.since(upto.physical()));
        }
        view
    }

    /// Dials one more address, `host:port`, from now on until the node stops, and says who answers there.
    /// A member that is linked is a member everywhere; nothing need be configured for the next start.
    ///
    /// # Errors
    /// [`AddError`] when nobody is linked there; it is not dialled any more then.
    pub async fn add_peer(&self, addr: String) -> Result<PeerAdded, AddError> {
        let (reply, answer) = oneshot::channel();
        post(&self.inner.actor, AddPeer { addr, reply });
        answer.await.map_err(|_| AddError::Stopping)?
    }

    /// Forgets a member for good, by its name or identity: it is refused from now on, and comes back only
    /// empty, under a new identity. One that is up hands over what it wrote, and ends.
    ///
    /// # Errors
    /// [`ForgetError`] when nothing was changed.
    pub async fn forget_peer(&self, name: String) -> Result<PeerForgotten, ForgetError> {
        let (reply, answer) = oneshot::channel();
        post(&self.inner.actor, ForgetPeer { name, reply });
        answer.await.map_err(|_| ForgetError::Stopping)?
    }

    /// Which members that hold a store have a version of it, this node included, by name.
    pub fn receipts(&self, store: &StoreHandle, version: Version) -> BTreeMap<String, bool> {
        let board = self.inner.board.read();
        let holds = |n: &&Neighbour| n.member.holds(store.name());
        let has = |n: &Neighbour| store.peer_covers(n.member.origin.node(), version);
        let others = board.neighbours.iter().filter(holds);
        let others = others.map(|neighbour| (neighbour.member.name.clone(), has(neighbour)));
        others.chain([(self.inner.name.clone(), store.covers(version))]).collect()
    }

    /// Whether every peer that is up covers all that this node minted, up to the last point closed.
    pub(crate) fn is_covered(&self) -> bool {
        let peers = self.cluster().peers;
        peers.iter().filter(|peer| peer.state == PeerState::Up).all(|peer| {
            let shared = peer.stores.keys();
            let mut shared = shared.filter_map(|name| self.inner.ends.get(name.as_str()));
            shared.all(|store| store.publishing.is_covered_by(peer.origin.node()))
        })
    }

    /// How far a store may forget what is dead; `None` for a cache, which forgets by itself.
    pub fn stable(&self, store: &StoreName) -> Option<StableView> {
        let end = self.inner.ends.get(store.as_str())?;
        if end.reader.promises().cache {
            return None;
        }
        let stable = end.stable.read();
        let board = self.inner.board.read();
        let name_of = |id: NodeId| {
            let others = board.neighbours.iter().map(|neighbour| &neighbour.member);
            let mut names = others.filter(|m| m.origin.node() == id).map(|m| m.name.clone());
            if id == self.origin().node() { Some(self.inner.name.clone()) } else { names.next() }
        };
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let applied = end.reader.applied();
        let open = applied.open().count();
        Some(StableView {
            upto: stable.upto.physical(),
            held_back_by: stable.held_back_by.and_then(name_of),
            open_origins: count(open),
            closed_origins: count(applied.len() - open),
        })
    }
}

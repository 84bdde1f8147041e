//! Which actor gets what: the parts of a store and of the cluster, put together once at the start.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Actor;
use actix_rt::{Arbiter, ArbiterHandle};
use gridkv_protocol::Origin;
use gridkv_protocol::catchup::CatchUp;
use gridkv_protocol::forgetting::Forgetting;
use gridkv_protocol::limits::MAX_STORES;
use gridkv_protocol::membership::{Membership, MembershipConfig};
use gridkv_protocol::publisher::{Publisher, PublisherLimits};
use gridkv_protocol::welcome::Member;
use gridkv_storage::reader::StoreReader;
use gridkv_storage::writer::StoreWriter;

use crate::acks::Acks;
use crate::appliers::Appliers;
use crate::catch_up_actor::{CatchUpActor, CatchUpParts, Machine};
use crate::catch_up_counters::CatchUpCounters;
use crate::clock::ClockSource;
use crate::cluster_actor::{ClusterActor, ClusterParts, ClusterSettings};
use crate::cluster_board::ClusterBoard;
use crate::convergence_actor::{Agreements, ConvergenceActor, ConvergenceParts};
use crate::identity::Identity;
use crate::intake::Intake;
use crate::links::Links;
use crate::mail::Mail;
use crate::mailbox::{ActorRole, Mailbox, Waits};
use crate::node_config::{NodeConfig, StoreSetup};
use crate::node_state::NodeState;
use crate::nudge::Nudge;
use crate::peer_applier::ApplierParts;
use crate::peer_server::{self, ServerParts};
use crate::post::post;
use crate::publisher_actor::{PublisherParts, Publishing, SyncPublisher};
use crate::storage_actor::{StorageActor, StorageParts};
use crate::storage_messages::Tick;
use crate::store_ends::{ConvergenceEnd, StoreEnd, StoreEnds};
use crate::store_meters::StoreMeters;
use crate::version_waits::VersionWaits;
use crate::watches::Watches;
use crate::wire::OutboxLimits;

/// Milliseconds before a peer is sent again what it could not take.
const RETRY_MS: u64 = 50;

/// What all actors of a node share, and the thread that replication runs on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wiring {
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) links: Arc<Links>,
    pub(crate) board: Arc<ClusterBoard>,
    /// The node's present origin.
    pub(crate) origin: Arc<AtomicU64>,
    pub(crate) sync: ArbiterHandle,
    /// How long messages wait for the actors.
    pub(crate) waits: Arc<Waits>,
    pub(crate) appliers: Arc<Appliers>,
}

impl Wiring {
    pub(crate) fn new(clock: Arc<ClockSource>, origin: Origin) -> Self {
        let waits = Arc::<Waits>::default();
        let mailbox = Mailbox::of(ActorRole::PeerApplier, &clock, &waits);
        Self {
            clock,
            state: Arc::new(NodeState::new()),
            links: Arc::default(),
            board: Arc::default(),
            origin: Arc::new(AtomicU64::new(origin.bits())),
            sync: Arbiter::new().handle(),
            waits,
            appliers: Arc::new(Appliers::new(mailbox)),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::from_bits(self.origin.load(Ordering::Acquire))
    }

    /// The mailbox of an actor that starts next.
    fn mailbox(&self, role: ActorRole) -> Arc<Mailbox> {
        Mailbox::of(role, &self.clock, &self.waits)
    }

    /// Starts the actors of a store: the storage actor on `thread`, the others with the rest.
    pub(crate) fn store(
        &self,
        config: &NodeConfig,
        setup: &StoreSetup,
        (writer, reader): (StoreWriter, StoreReader),
        thread: &Arbiter,
    ) -> StoreEnd {
        let nudge = Arc::new(Nudge::default());
        let meters = Arc::<StoreMeters>::default();
        let [to_storage, to_publisher, to_catch_up] =
            [ActorRole::Storage, ActorRole::SyncPublisher, ActorRole::CatchUp]
                .map(|role| self.mailbox(role));
        let max_clock_skew_ms = ms(config.max_clock_skew);
        let limits = publisher_limits(config, setup);
        let publishing =
            Arc::new(Publishing::new(reader.clone(), Publisher::new(self.origin(), limits)));
        let intake = Arc::new(Intake::default());
        let (acks, version_waits) = (Arc::<Acks>::default(), Arc::<VersionWaits>::default());
        let watches = Arc::<Watches>::default();
        let parts = StorageParts {
            writer,
            reader: reader.clone(),
            intake: Arc::clone(&intake),
            clock: Arc::clone(&self.clock),
            state: Arc::clone(&self.state),
            mailbox: Arc::clone(&to_storage),
            meters: Arc::clone(&meters),
            nudge: Arc::clone(&nudge),
            version_waits: Arc::clone(&version_waits),
            watches: Arc::clone(&watches),
            max_clock_skew_ms,
        };
        let storage =
            StorageActor::start_in_arbiter(&thread.handle(), move |_| StorageActor::new(parts));
        let storage = Mail::new(storage, &to_storage);
        let parts = PublisherParts {
            publishing: Arc::clone(&publishing),
            acks: Arc::clone(&acks),
            clock: Arc::clone(&self.clock),
            links: Arc::clone(&self.links),
            nudge,
            mailbox: Arc::clone(&to_publisher),
            flush_interval: setup.flush_interval,
        };
        let publisher =
            SyncPublisher::start_in_arbiter(&self.sync, move |_| SyncPublisher::new(parts));
        let counters = Arc::new(CatchUpCounters::default());
        let parts = CatchUpParts {
            machine: self.behind_a_gap(&reader, max_clock_skew_ms),
            reader: reader.clone(),
            storage: storage.clone(),
            clock: Arc::clone(&self.clock),
            links: Arc::clone(&self.links),
            board: Arc::clone(&self.board),
            counters: Arc::clone(&counters),
            mailbox: Arc::clone(&to_catch_up),
        };
        let catch_up =
            CatchUpActor::start_in_arbiter(&self.sync, move |_| CatchUpActor::new(parts));
        let convergence = self.convergence(&reader, &storage, &counters);
        StoreEnd {
            reader,
            storage,
            intake,
            publisher: Mail::new(publisher, &to_publisher),
            catch_up: Mail::new(catch_up, &to_catch_up),
            convergence,
            publishing,
            acks,
            version_waits,
            watches,
            catch_up_counters: counters,
            meters,
            stable: Arc::default(),
        }
    }

    /// What compares a store with those of the peers; a cache is compared with nothing.
    fn convergence(
        &self,
        reader: &StoreReader,
        storage: &Mail<StorageActor>,
        catch_up: &Arc<CatchUpCounters>,
    ) -> Option<ConvergenceEnd> {
        let agreements = Arc::new(Agreements::default());
        let mailbox = self.mailbox(ActorRole::Convergence);
        let parts = ConvergenceParts {
            reader: reader.clone(),
            storage: storage.clone(),
            clock: Arc::clone(&self.clock),
            links: Arc::clone(&self.links),
            board: Arc::clone(&self.board),
            catch_up: Arc::clone(catch_up),
            agreements: Arc::clone(&agreements),
            mailbox: Arc::clone(&mailbox),
        };
        (!reader.promises().cache).then(|| {
            let actor = ConvergenceActor::start_in_arbiter(&self.sync, move |_| {
                ConvergenceActor::new(parts)
            });
            ConvergenceEnd { actor: Mail::new(actor, &mailbox), agreements }
        })
    }

    /// What a store does behind a gap: no cache is ever caught up.
    fn behind_a_gap(&self, reader: &StoreReader, max_clock_skew_ms: u64) -> Machine {
        if reader.promises().cache {
            Machine::Forgetting(Forgetting::new(self.origin(), max_clock_skew_ms))
        } else {
            let store = reader.name().clone();
            Machine::CatchUp(Box::new(CatchUp::new(store, self.origin(), max_clock_skew_ms)))
        }
    }

    /// Starts the cluster actor.
    pub(crate) fn cluster(
        &self,
        config: &NodeConfig,
        identity: Identity,
        ends: &Arc<StoreEnds>,
    ) -> Mail<ClusterActor> {
        let stores = ends.all().values().map(|store| store.info()).collect();
        let me = Member {
            origin: self.origin(),
            revision: 0,
            name: config.name.clone(),
            addr: config.advertise.clone(),
            stores,
        };
        let membership = MembershipConfig {
            cluster: config.cluster.clone(),
            me,
            seeds: config.seeds.clone(),
            bootstrap: config.bootstrap,
        };
        let mailbox = self.mailbox(ActorRole::Cluster);
        let parts = ClusterParts {
            membership: Membership::new(membership, identity.roster().clone()),
            identity,
            stores: Arc::clone(ends),
            links: Arc::clone(&self.links),
            clock: Arc::clone(&self.clock),
            state: Arc::clone(&self.state),
            board: Arc::clone(&self.board),
            origin: Arc::clone(&self.origin),
            security: config.security.clone(),
            mailbox: Arc::clone(&mailbox),
            settings: ClusterSettings {
                heartbeat: config.heartbeat,
                silence: config.down_after,
                suspect_ms: ms(config.suspect_after),
                max_clock_skew_ms: ms(config.max_clock_skew),
                outbox: outbox_limits(config),
            },
        };
        let actor = ClusterActor::start_in_arbiter(&self.sync, move |_| ClusterActor::new(parts));
        Mail::new(actor, &mailbox)
    }

    /// Starts the server that peers dial, and the ticks of the storage actors.
    pub(crate) fn serve(
        &self,
        config: &NodeConfig,
        cluster: &Mail<ClusterActor>,
        ends: &Arc<StoreEnds>,
        listener: TcpListener,
    ) {
        let parts = ServerParts {
            cluster: cluster.clone(),
            applier: ApplierParts {
                cluster: cluster.clone(),
                stores: Arc::clone(ends),
                links: Arc::clone(&self.links),
                appliers: Arc::clone(&self.appliers),
                origin: Arc::clone(&self.origin),
            },
            limits: outbox_limits(config),
            silence: config.down_after,
            security: config.security.clone(),
        };
        let board = Arc::clone(&self.board);
        self.sync.spawn(async move {
            if let Err(error) = peer_server::serve(listener, parts).await {
                board.fail(format!("peers can not be served: {error}"));
            }
        });
        self.sync.spawn(tick(Arc::clone(ends), config.heartbeat));
    }
}

/// Ticks every storage actor each heartbeat, one tick at a time.
async fn tick(ends: Arc<StoreEnds>, heartbeat: Duration) {
    let mut beat = tokio::time::interval(heartbeat);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        for store in ends.all().values().filter(|store| store.storage.mailbox().may_tick()) {
            post(&store.storage, Tick);
        }
    }
}

/// Half of what may be on its way to a peer is shared by the stores that are configured, and the other half by
/// those that are made, however many that may be.
fn publisher_limits(config: &NodeConfig, setup: &StoreSetup) -> PublisherLimits {
    let configured = config.stores.iter().filter(|store| !store.made).count();
    let sharers = if setup.made { MAX_STORES } else { configured.max(1) };
    let queue_bytes = config.max_queue_bytes / sharers / 2;
    let most = if setup.made { queue_bytes } else { usize::MAX };
    PublisherLimits {
        log_bytes: setup.log_bytes,
        batch_max_ops: setup.batch_max_ops,
        batch_max_bytes: setup.batch_max_bytes.min(most),
        queue_bytes,
        retry_ms: RETRY_MS,
    }
}

/// Every store may have a batch on its way whatever its window, and reports go between.
fn outbox_limits(config: &NodeConfig) -> OutboxLimits {
    let configured = config.stores.iter().filter(|store| !store.made);
    let batches: usize = configured.map(|store| store.batch_max_bytes).sum();
    let queue_bytes = config.max_queue_bytes.max(2 * batches + config.max_frame_bytes);
    OutboxLimits { frame_bytes: config.max_frame_bytes, queue_bytes }
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

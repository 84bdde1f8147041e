//! A cluster actor beside peers that the test plays: what it makes of who comes, goes and reports.

use std::net::TcpListener;

use actix_rt::Arbiter;
use futures_util::FutureExt as _;
use gridkv_protocol::report::StoreReport;
use gridkv_protocol::welcome::{Hello, Member, Members, ProtocolRange, RefusalReason, StoreInfo};
use gridkv_protocol::{Epoch, Frontier};
use gridkv_storage::registry::{OpenRequest, Registry};
use gridkv_storage::settings::Settings;
use gridkv_storage::store::{self, StoreConfig};
use tokio::sync::oneshot;

use super::*;
use crate::cluster_messages::{
    Arrived, Dialled, ForgetPeer, FullSync, Knock, Left, LinkEnded, PeerReported, ReportTo,
    SayHello, Silent, Verdict,
};
use crate::credentials::Credentials;
use crate::gate::GateLimits;
use crate::mail::Mail;
use crate::node_config::{NodeConfig, StoreSetup};
use crate::operations::{Asked, Operations, Task};
use crate::post::post;
use crate::trouble::Trouble;
use crate::views::PeerState;
use crate::wire::{OutboxReceiver, outbox};
use crate::wiring::Wiring;

const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const LIMITS: OutboxLimits = OutboxLimits { frame_bytes: 1 << 20, queue_bytes: 1 << 20 };

/// A member of a cluster with two others, just started. Its heart does not beat: what happens, the test does.
struct Stage {
    wiring: Wiring,
    ends: Arc<StoreEnds>,
    cluster: Mail<ClusterActor>,
    members: Members,
    /// Where the others are dialled; nobody answers there.
    _mute: [TcpListener; 2],
}

fn run(node: NodeId, epoch: u32) -> Origin {
    Origin::new(node, Epoch(epoch))
}

fn main_store() -> StoreName {
    StoreName::new("main").unwrap()
}

fn member(origin: Origin, name: &str, addr: &str) -> Member {
    let (name, addr) = (name.to_owned(), addr.to_owned());
    Member { origin, revision: 0, name, addr, stores: Vec::new() }
}

fn addr(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

fn config() -> NodeConfig {
    let config = StoreConfig {
        name: main_store(),
        backend: "memory".to_owned(),
        default_ttl_ms: None,
        memory_limit_bytes: None,
        refuse_over_limit: false,
        ring_slots: 16,
    };
    NodeConfig {
        name: "n1".to_owned(),
        cluster: "test".to_owned(),
        data_dir: None,
        spool_dir: std::env::temp_dir(),
        advertise: "n1.test:7500".to_owned(),
        seeds: Vec::new(),
        bootstrap: false,
        heartbeat: Duration::from_hours(1),
        suspect_after: Duration::from_hours(1),
        down_after: Duration::from_hours(1),
        max_clock_skew: Duration::from_millis(500),
        max_frame_bytes: LIMITS.frame_bytes,
        max_queue_bytes: LIMITS.queue_bytes,
        security: PeerSecurity::Plain,
        gate: GateLimits { ops: 10, bytes: 1 << 20 },
        stores: vec![StoreSetup {
            config,
            made: false,
            settings: Settings::default(),
            persist_interval: None,
            log_bytes: 1 << 20,
            batch_max_ops: 512,
            batch_max_bytes: 1 << 16,
            flush_interval: Duration::from_millis(10),
        }],
        ledger: None,
    }
}

impl Stage {
    fn set() -> Self {
        let (config, clock) = (config(), Arc::new(ClockSource::start()));
        let mute = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let mut identity = Identity::take(None, clock.now()).unwrap();
        let mut members = Members::default();
        members.add(member(identity.origin(), "n1", &config.advertise));
        members.add(member(run(N2, 5), "n2", &addr(&mute[0])));
        members.add(member(run(N3, 5), "n3", &addr(&mute[1])));
        identity.keep_roster(Roster { joined: true, members: members.clone() }).unwrap();
        let wiring = Wiring::new(clock, identity.origin());
        let (setup, registry) = (&config.stores[0], Registry::with_built_in());
        let request = OpenRequest::new(main_store(), None);
        let opened =
            store::open(&registry, setup.config.clone(), identity.origin(), &request).unwrap();
        let (parts, thread) = ((opened.writer, opened.reader), Arbiter::new());
        let end = wiring.store(&config, setup, parts, &thread);
        let ends: Arc<StoreEnds> = Arc::new([(main_store(), Arc::new(end))].into_iter().collect());
        let cluster = wiring.cluster(&config, identity, &ends);
        Self { wiring, ends, cluster, members, _mute: mute }
    }

    fn own(&self) -> Origin {
        Origin::from_bits(self.wiring.origin.load(Ordering::Acquire))
    }

    /// Waits until the actor has dealt with all that it was told.
    async fn done(&self) {
        let (reply, hello) = oneshot::channel();
        post(&self.cluster, SayHello(reply));
        hello.await.unwrap();
    }

    async fn reports(&self, origin: Origin, applied: Frontier, members: &Members) {
        self.report_comes(self.wiring.clock.now(), origin, applied, members).await;
    }

    /// A report comes that was sent at a moment.
    async fn report_comes(
        &self,
        now: UnixMs,
        origin: Origin,
        applied: Frontier,
        members: &Members,
    ) {
        let (clock, members) = (Hlc::ZERO, members.clone());
        let store = StoreReport {
            store: main_store(),
            durable: applied.clone(),
            applied,
            floor: Hlc::ZERO,
            loose: BTreeMap::new(),
            durable_loose: BTreeMap::new(),
            proof: None,
            keys: 0,
        };
        let report = Report { origin, now, clock, ready: true, members, stores: vec![store] };
        post(&self.cluster, PeerReported(report));
        self.done().await;
    }

    /// Whether the node that knocks is taken in.
    async fn knocks(&self, origin: Origin, name: &str) -> Result<bool, RefusalReason> {
        let hello = Hello {
            protocol: ProtocolRange::OWN,
            cluster: "test".to_owned(),
            member: member(origin, name, &format!("{}.test:7500", origin.node())),
            joined: false,
            now: self.wiring.clock.now(),
        };
        let (reply, answer) = oneshot::channel();
        post(&self.cluster, Knock { hello, credentials: Credentials::default(), reply });
        let answer = answer.await.unwrap();
        answer.map(|welcome| welcome.takes_in(origin.node())).map_err(|refusal| refusal.reason)
    }

    /// What becomes of a link to n2, which answers with this member set.
    async fn dials(&self, members: &Members) -> (Verdict, OutboxReceiver) {
        let (outbox, queue) = outbox(LIMITS);
        let member = self.members.get(N2).unwrap().clone();
        let (now, clock, members) = (self.wiring.clock.now(), Hlc::ZERO, members.clone());
        let (addr, protocol) = (member.addr.clone(), ProtocolRange::OWN);
        let welcome = Welcome { protocol, member, joined: true, members, now, clock };
        let (reply, verdict) = oneshot::channel();
        let credentials = Credentials::default();
        post(&self.cluster, Dialled { addr, welcome, credentials, outbox, reply });
        (verdict.await.unwrap(), queue)
    }

    /// Links the node to n2. What it is sent waits at the other end.
    async fn link(&self) -> OutboxReceiver {
        let (verdict, queue) = self.dials(&self.members).await;
        assert_eq!(verdict, Verdict::Serve);
        queue
    }

    /// Nothing listens at an address.
    async fn does_not_reach(&self, addr: &str) {
        let (addr, reason) = (addr.to_owned(), "refused".to_owned());
        let trouble = Trouble::ConnectionRefused;
        post(&self.cluster, Silent { addr, reason, trouble });
        self.done().await;
    }

    /// Why a peer that is in this state is not reached, as is shown.
    fn trouble(&self, peer: NodeId, state: PeerState) -> Option<Trouble> {
        let board = self.wiring.board.read();
        let neighbour = board.neighbours.iter().find(|one| one.member.origin.node() == peer);
        neighbour.unwrap().trouble(state).map(|trouble| trouble.what)
    }

    /// What the node shows of the mesh.
    async fn board(&self) -> Arc<Board> {
        self.does_not_reach("elsewhere:1").await; // it looks around at each event
        self.wiring.board.read()
    }

    /// Whom a node that has just started has not heard from, as it shows.
    async fn silent(&self) -> Vec<NodeId> {
        self.board().await.silent_at_boot.clone()
    }
}

#[actix_rt::test]
async fn a_boot_does_not_wait_for_a_peer_that_only_dialled_this_node_and_left() {
    let stage = Stage::set();
    let only_there: Frontier = [(run(N2, 5), Hlc::from_bits(7))].into_iter().collect();
    stage.reports(run(N3, 5), Frontier::default(), &stage.members).await;
    post(&stage.cluster, Arrived(run(N2, 5)));
    post(&stage.cluster, Arrived(run(N2, 5)));
    stage.reports(run(N2, 5), only_there, &stage.members).await;
    assert_eq!(stage.silent().await, []);
    assert_eq!(stage.wiring.state.phase(), Phase::CatchingUp, "it lacks what n2 has");
    post(&stage.cluster, Left(run(N2, 5)));
    assert_eq!(stage.silent().await, [], "its other connection is there");
    post(&stage.cluster, Left(run(N2, 5)));
    assert_eq!(stage.silent().await, [N2], "it counts as one that never answered");
}

#[actix_rt::test]
async fn who_was_heard_of_a_moment_ago_is_up_but_not_beside_its_own_next_run() {
    let stage = Stage::set();
    stage.reports(run(N2, 5), Frontier::default(), &stage.members).await;
    let other = run(NodeId(9), 1);
    let refused = stage.knocks(other, "n2").await;
    assert_eq!(refused, Err(RefusalReason::NameInUse), "its restart is not its absence");
    assert_eq!(stage.knocks(run(N2, 6), "n2").await, Ok(true), "that is its restart");
    post(&stage.cluster, Arrived(run(N2, 6)));
    let refused = stage.knocks(run(N2, 7), "n2").await;
    assert_eq!(refused, Err(RefusalReason::IdentityInUse), "a copy of its disk");
    post(&stage.cluster, Left(run(N2, 6)));
    assert_eq!(stage.knocks(run(N2, 7), "n2").await, Ok(true));
}

#[actix_rt::test]
async fn a_report_that_comes_late_is_no_skew() {
    let stage = Stage::set();
    let now = stage.wiring.clock.now();
    for late_ms in [20, 2, 3_000] {
        let sent = now.moved(-late_ms);
        stage.report_comes(sent, run(N2, 5), Frontier::default(), &stage.members).await;
    }
    let board = stage.board().await;
    let shown = board.neighbours.iter().map(|neighbour| neighbour.skew_ms);
    let shown: Vec<_> = shown.map(|skew| skew.map(|ms| (-900..=-2).contains(&ms))).collect();
    assert_eq!(shown, [Some(true), None], "the quickest one counts, and n3 was not heard");
}

#[actix_rt::test]
async fn a_node_that_is_not_ready_takes_in_only_members() {
    let stage = Stage::set();
    let newcomer = run(NodeId(9), 1);
    assert_eq!(stage.knocks(newcomer, "n9").await, Ok(false), "it may have been forgotten");
    assert_eq!(stage.knocks(run(N2, 5), "n2").await, Ok(true));
    for peer in [N2, N3] {
        stage.reports(run(peer, 5), Frontier::default(), &stage.members).await;
    }
    assert_eq!(stage.wiring.state.phase(), Phase::Ready);
    assert_eq!(stage.knocks(newcomer, "n9").await, Ok(true));
}

#[actix_rt::test]
async fn a_peer_that_does_not_take_this_node_in_is_dialled_again_and_sent_nothing() {
    let stage = Stage::set();
    let n2 = stage.members.get(N2).unwrap().clone();
    let mut without = Members::default();
    without.add(n2);
    let (verdict, _) = stage.dials(&without).await;
    assert_eq!(verdict, Verdict::NotYet);
    assert_eq!(stage.dials(&stage.members).await.0, Verdict::Serve);
}

#[actix_rt::test]
async fn why_a_peer_is_not_reached_is_shown_until_it_is() {
    let stage = Stage::set();
    let addr = stage.members.get(N2).unwrap().addr.clone();
    stage.done().await;
    assert_eq!(stage.trouble(N2, PeerState::Down), None, "nothing came of it yet");
    stage.does_not_reach(&addr).await;
    assert_eq!(stage.trouble(N2, PeerState::Down), Some(Trouble::ConnectionRefused));
    assert_eq!(stage.trouble(N2, PeerState::Up), Some(Trouble::ConnectionRefused), "one way only");
    assert_eq!(stage.trouble(N3, PeerState::Down), None);
    let _queue = stage.link().await;
    stage.does_not_reach("elsewhere:1").await; // it looks around
    assert_eq!(stage.trouble(N2, PeerState::Up), None);
    assert_eq!(stage.trouble(N2, PeerState::Suspect), Some(Trouble::Silent), "its link is open");
    post(&stage.cluster, LinkEnded { peer: N2, addr, trouble: Trouble::Cut });
    stage.done().await;
    assert_eq!(stage.trouble(N2, PeerState::Up), Some(Trouble::Cut));
}

#[actix_rt::test]
async fn a_peer_whose_store_turns_out_to_be_a_cache_is_cut_on_both_connections() {
    let stage = Stage::set();
    let dialled = stage.link().await;
    stage.reports(run(N2, 5), Frontier::default(), &stage.members).await;
    let (back, taken) = outbox(LIMITS);
    let peer = N2;
    post(&stage.cluster, ReportTo { peer, outbox: back.clone() });
    stage.done().await;
    for queue in [&dialled, &taken] {
        assert!(queue.cut.notified().now_or_never().is_none(), "all is well");
    }
    let stores = vec![StoreInfo { name: main_store(), cache: true, backend: "moka".to_owned() }];
    let mut members = stage.members.clone();
    members.add(Member { revision: 1, stores, ..members.get(N2).unwrap().clone() });
    stage.reports(run(N2, 5), Frontier::default(), &members).await;
    post(&stage.cluster, ReportTo { peer, outbox: back });
    stage.done().await;
    for queue in [dialled, taken] {
        assert!(queue.cut.notified().now_or_never().is_some());
    }
}

#[actix_rt::test]
async fn an_epoch_that_others_only_count_is_left_too() {
    let stage = Stage::set();
    let own = stage.own();
    stage.reports(run(N2, 5), Frontier::default(), &stage.members).await;
    assert_eq!(stage.own(), own, "nobody knows a higher one");
    // A copy of this node's disk was let in for a moment, and wrote nothing.
    let copy = run(own.node(), own.epoch().0 + 3);
    let mut members = stage.members.clone();
    members.add(member(copy, "n1", "copy.test:7500"));
    stage.reports(run(N2, 5), Frontier::default(), &members).await;
    assert_eq!(stage.own(), run(own.node(), own.epoch().0 + 4));
}

#[actix_rt::test]
async fn a_rebuild_from_a_peer_that_is_forgotten_ends_and_leaves_the_store_as_it_was() {
    let stage = Stage::set();
    let _queue = stage.link().await;
    stage.reports(run(N2, 5), Frontier::default(), &stage.members).await;
    let (store, operations) = (main_store(), Operations::default());
    let asked = Asked {
        store: store.clone(),
        task: Task::FullSync { peer: N2, peer_name: "n2".to_owned(), rebuild: true },
        keys: 0,
        at: stage.wiring.clock.now(),
    };
    let operation = operations.begin(asked).unwrap();
    let (reply, begun) = oneshot::channel();
    let request = FullSync { store: store.clone(), operation: Arc::clone(&operation), reply };
    post(&stage.cluster, request);
    assert_eq!(begun.await.unwrap(), Ok(()));
    let addr = stage.members.get(N2).unwrap().addr.clone();
    post(&stage.cluster, LinkEnded { peer: N2, addr, trouble: Trouble::Cut });
    stage.reports(run(N3, 5), Frontier::default(), &stage.members).await;
    assert_eq!(operation.view().waits_for, ["n2 is not connected"]);
    let said = operations.announce(&store);
    assert!(said.ends_with("from n2, see operation 1: n2 is not connected"), "{said}");
    let is_ready = || !stage.ends.get(store.as_str()).unwrap().catch_up_counters.is_bootstrapping();
    assert!(!is_ready());

    let (reply, forgotten) = oneshot::channel();
    post(&stage.cluster, ForgetPeer { name: "n2".to_owned(), reply });
    forgotten.await.unwrap().unwrap();
    stage.reports(run(N3, 5), Frontier::default(), &stage.members).await;
    let view = operation.view();
    assert!(is_ready() && view.waits_for.is_empty());
    let why = view.end.unwrap().unwrap_err();
    assert!(why.starts_with("n2 was forgotten before the store was emptied; nothing"), "{why}");
}

//! Two nodes in one process: they know that they hold the same, and when they do not although they have seen
//! the same, they find out and mend it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use gridkv_actors::gate::GateLimits;
use gridkv_actors::node_config::{NodeConfig, StoreSetup};
use gridkv_actors::peer_security::PeerSecurity;
use gridkv_actors::runtime::Node;
use gridkv_actors::settings::Settings;
use gridkv_actors::write::{Action, Condition, Ttl, Write};
use gridkv_actors::{Registry, StoreConfig};
use gridkv_protocol::convergence::Agreement;
use gridkv_protocol::differing::{Differing, DifferingKey};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{
    Epoch, Frontier, Hlc, Key, Live, NodeId, Origin, Record, State, StoreName, UnixMs, Value,
    Version,
};
use gridkv_storage::backend::{Backend, Commit, Recovered};

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// Up to where they say so.
const UPTO: UnixMs = UnixMs(1_000);

/// The writer of what both nodes say that they hold when they start.
fn writer() -> Origin {
    Origin::new(NodeId(99), Epoch(1))
}

struct Running {
    node: Node,
    address: SocketAddr,
}

/// A node whose store holds these records when it starts, and claims to hold everything of their writer.
fn start(name: &str, seed: Option<&Running>, held: &[(&str, u64, State)]) -> Running {
    let mut registry = Registry::with_built_in();
    let (memory, held) = (registry.clone(), held.iter().map(keyed).collect::<Vec<_>>());
    registry.register(
        "flawed",
        Arc::new(move |request| {
            let (_, backend, _) = memory.open("memory", request)?;
            let commit = Commit { records: &held, ..Commit::default() };
            Backend::put_batch(backend.as_ref(), &commit).unwrap();
            let frontier: Frontier = [(writer(), Hlc::at(UPTO))].into_iter().collect();
            Ok((backend, Recovered { frontier, ..Recovered::default() }))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = NodeConfig {
        name: name.to_owned(),
        cluster: "test".to_owned(),
        data_dir: None,
        spool_dir: std::env::temp_dir(),
        advertise: address.to_string(),
        seeds: seed.map(|seed| seed.address.to_string()).into_iter().collect(),
        bootstrap: false,
        heartbeat: Duration::from_millis(50),
        suspect_after: Duration::from_secs(5),
        down_after: Duration::from_secs(10),
        max_clock_skew: Duration::from_millis(500),
        max_frame_bytes: 4_194_304,
        max_queue_bytes: 16_777_216,
        security: PeerSecurity::Plain,
        gate: GateLimits { ops: 10_000, bytes: 64 << 20 },
        stores: vec![StoreSetup {
            config: StoreConfig {
                name: StoreName::new("main").unwrap(),
                backend: "flawed".to_owned(),
                default_ttl_ms: None,
                memory_limit_bytes: None,
                refuse_over_limit: false,
                ring_slots: 1_024,
            },
            made: false,
            settings: Settings::default(),
            persist_interval: None,
            log_bytes: 1 << 20,
            batch_max_ops: 512,
            batch_max_bytes: 1 << 20,
            flush_interval: Duration::from_millis(10),
        }],
        ledger: None,
    };
    Running { node: Node::start(config, &registry, listener).unwrap(), address }
}

fn keyed((key, ms, state): &(&str, u64, State)) -> KeyedRecord {
    let version = Version { hlc: Hlc::at(UnixMs(*ms)), origin: writer() };
    let record = Record { version, state: state.clone() };
    KeyedRecord { key: Key::new(key).unwrap(), record }
}

fn live(value: &str) -> State {
    let value = Value::copied(value.as_bytes());
    State::Live(Live { value, content_type: None, expires_at: None })
}

impl Running {
    /// How its store stands beside that of the only peer.
    fn agreement(&self) -> Agreement {
        let mesh = self.node.handle().cluster();
        let mut stores = mesh.peers.iter().flat_map(|peer| peer.stores.values());
        stores.find_map(|view| view.agreement).unwrap_or_default()
    }

    async fn is_ready(&self) {
        until("a node to be ready", async || self.node.handle().readiness().ready).await;
    }

    async fn put(&self, key: &str, value: &str) {
        let value = Value::copied(value.as_bytes());
        let action = Action::Put { value, content_type: None, ttl: Ttl::Unlimited };
        let write = Write { key: Key::new(key).unwrap(), action, condition: Condition::default() };
        self.node.handle().store("main").unwrap().write(write, None).await.unwrap();
    }

    /// The keys in which it differed from the only peer when it was last repaired from there.
    async fn differing(&self) -> Differing {
        let handle = self.node.handle();
        let peer = handle.cluster().peers.first().map(|peer| peer.origin.node());
        handle.store("main").unwrap().differing(peer.unwrap()).await.unwrap()
    }

    async fn value(&self, key: &str) -> Option<String> {
        let store = self.node.handle().store("main").unwrap();
        let record = store.get(&Key::new(key).unwrap()).await.unwrap()?;
        let live = record.live_at(self.node.handle().now())?;
        Some(String::from_utf8(live.value.to_vec()).unwrap())
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let came = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(came.await.is_ok(), "{what}: it takes too long");
}

async fn until_identical(nodes: [&Running; 2]) {
    until("both to know that they are the same", async || {
        nodes.iter().all(|node| {
            let Agreement { identical_since, diverged_buckets } = node.agreement();
            identical_since.is_some() && diverged_buckets == 0
        })
    })
    .await;
}

#[actix_rt::test]
async fn two_nodes_know_that_they_hold_the_same() {
    let held = [("k", 500, live("v")), ("j", 600, live("v"))];
    let a = start("a", None, &held);
    a.is_ready().await;
    let b = start("b", Some(&a), &held);
    b.is_ready().await;
    until_identical([&a, &b]).await;
    let since = [&a, &b].map(|node| node.agreement().identical_since);
    for n in 0..50 {
        a.put(&format!("a{n}"), "v").await;
        b.put(&format!("b{n}"), "v").await;
    }
    until("the last write to arrive", async || b.value("a49").await.is_some()).await;
    until_identical([&a, &b]).await;
    assert!([&a, &b].map(|node| node.agreement().identical_since) >= since);
    let [a, b] = [a, b].map(|running| running.node);
    b.stop(Duration::ZERO).await;
    a.stop(Duration::ZERO).await;
}

#[actix_rt::test]
async fn what_differs_at_one_frontier_is_found_and_mended() {
    let both = ("both", 400, live("v"));
    let a = start(
        "a",
        None,
        &[both.clone(), ("only-a", 500, live("a")), ("older-in-b", 700, live("new"))],
    );
    a.is_ready().await;
    let b =
        start("b", Some(&a), &[both, ("only-b", 550, live("b")), ("older-in-b", 600, live("old"))]);
    b.is_ready().await;
    until("the alarm", async || [&a, &b].iter().any(|node| node.agreement().diverged_buckets > 0))
        .await;
    until_identical([&a, &b]).await;
    for node in [&a, &b] {
        let held = [("both", "v"), ("only-a", "a"), ("only-b", "b"), ("older-in-b", "new")];
        for (key, value) in held {
            assert_eq!(node.value(key).await.as_deref(), Some(value), "{key}");
        }
    }
    let [a, b] = [a, b].map(|running| running.node);
    b.stop(Duration::ZERO).await;
    a.stop(Duration::ZERO).await;
}

#[actix_rt::test]
async fn which_keys_differed_is_told_after_they_are_mended() {
    let both = ("both", 400, live("v"));
    let held = [both.clone(), ("only-a", 500, live("a")), ("older-in-b", 700, live("new"))];
    let a = start("a", None, &held);
    a.is_ready().await;
    let b = start("b", Some(&a), &[both, ("older-in-b", 600, live("old"))]);
    b.is_ready().await;
    until("b to be mended", async || b.value("only-a").await.is_some()).await;
    until_identical([&a, &b]).await;
    let version = |ms| Version { hlc: Hlc::at(UnixMs(ms)), origin: writer() };
    let differed = |key: &str, here: Option<u64>, there| DifferingKey {
        key: Key::new(key).unwrap(),
        here: here.map(version),
        there: version(there),
    };
    let Differing { found_at, mut keys, more } = b.differing().await;
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    let expected = [differed("older-in-b", Some(600), 700), differed("only-a", None, 500)];
    assert_eq!((keys.as_slice(), more), (expected.as_slice(), 0));
    assert!(found_at.is_some());
    // A may have compared itself with b before that was mended, and what b lacked was in none of its pages.
    let at_a = a.differing().await.keys;
    assert!(at_a.is_empty() || at_a == [differed("older-in-b", Some(700), 600)], "{at_a:?}");
    let [a, b] = [a, b].map(|running| running.node);
    b.stop(Duration::ZERO).await;
    a.stop(Duration::ZERO).await;
}

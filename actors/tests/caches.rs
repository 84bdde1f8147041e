//! Nodes with a cache store, in one process, over links that can be cut: behind a gap they forget all and
//! go on, a fresh one becomes ready, and a store that is no cache is not let in.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod cable;

use std::net::TcpListener;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use gridkv_actors::Registry;
use gridkv_actors::gate::GateLimits;
use gridkv_actors::handle::StoreHandle;
use gridkv_actors::node::NodeHandle;
use gridkv_actors::node_config::{NodeConfig, StoreSetup};
use gridkv_actors::peer_security::PeerSecurity;
use gridkv_actors::runtime::Node;
use gridkv_actors::write::{Action, Condition, Ttl, Write};

use gridkv_actors::StoreConfig;
use gridkv_actors::settings::Settings;
use gridkv_protocol::{Key, StoreName, Value};

use cable::Cable;

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// Slots of the ring and bytes of the log: a hundred writes overflow both.
const RING_SLOTS: usize = 16;
const LOG_BYTES: usize = 2_048;

/// A node whose peers reach it by a cable.
struct Wired {
    node: Node,
    cable: Cable,
}

impl Wired {
    fn start(name: &str, backend: &str, seed: Option<&Self>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Cable::lay(listener.local_addr().unwrap());
        let config = NodeConfig {
            name: name.to_owned(),
            cluster: "test".to_owned(),
            data_dir: None,
            spool_dir: std::env::temp_dir(),
            advertise: cable.address().to_string(),
            seeds: seed.map(|seed| seed.cable.address().to_string()).into_iter().collect(),
            bootstrap: false,
            heartbeat: Duration::from_millis(50),
            suspect_after: Duration::from_secs(1),
            down_after: Duration::from_secs(2),
            max_clock_skew: Duration::from_millis(500),
            max_frame_bytes: 4_194_304,
            max_queue_bytes: 16_777_216,
            security: PeerSecurity::Plain,
            gate: GateLimits { ops: 10_000, bytes: 64 << 20 },
            stores: vec![StoreSetup {
                config: StoreConfig {
                    name: StoreName::new("main").unwrap(),
                    backend: backend.to_owned(),
                    default_ttl_ms: None,
                    memory_limit_bytes: None,
                    refuse_over_limit: false,
                    ring_slots: RING_SLOTS,
                },
                made: false,
                settings: Settings::default(),
                persist_interval: None,
                log_bytes: LOG_BYTES,
                batch_max_ops: 512,
                batch_max_bytes: 1 << 20,
                flush_interval: Duration::from_millis(10),
            }],
            ledger: None,
        };
        let node = Node::start(config, &Registry::with_built_in(), listener).unwrap();
        Self { node, cable }
    }

    fn handle(&self) -> &NodeHandle {
        self.node.handle()
    }

    fn store(&self) -> StoreHandle {
        self.handle().store("main").unwrap()
    }

    fn cut(&self) {
        self.cable.cut();
    }

    fn mend(&self) {
        self.cable.mend();
    }

    async fn ready(&self) {
        until("a node to be ready", async || self.handle().readiness().ready).await;
    }

    async fn put(&self, key: &str, value: &str) {
        let value = Value::copied(value.as_bytes());
        let action = Action::Put { value, content_type: None, ttl: Ttl::Unlimited };
        let write = Write { key: Key::new(key).unwrap(), action, condition: Condition::default() };
        self.store().write(write, None).await.unwrap();
    }

    async fn value(&self, key: &str) -> Option<String> {
        let record = self.store().get(&Key::new(key).unwrap()).await.unwrap()?;
        let live = record.live_at(self.handle().now())?;
        Some(String::from_utf8(live.value.to_vec()).unwrap())
    }

    fn forgot(&self) -> u64 {
        self.store().catch_up().forgot
    }

    async fn holds(&self, key: &str, value: &str) {
        until("a write to arrive", async || self.value(key).await.as_deref() == Some(value)).await;
    }

    async fn hears(&self, other: &Self, key: &str, value: &str) {
        other.put(key, value).await;
        self.holds(key, value).await;
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let came = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(came.await.is_ok(), "{what}: it takes too long");
}

#[actix_rt::test]
async fn behind_a_gap_that_nobody_fills_a_cache_forgets_and_goes_on() {
    let a = Wired::start("a", "moka", None);
    a.ready().await;
    let b = Wired::start("b", "moka", Some(&a));
    b.ready().await;
    a.hears(&b, "from-b", "1").await;
    b.hears(&a, "from-a", "1").await;
    sleep(Duration::from_secs(7)).await; // grown up: nothing is forgotten lightly any more
    let before = [a.forgot(), b.forgot()];

    // A short cut, which the logs bridge.
    [&a, &b].into_iter().for_each(Wired::cut);
    a.put("short", "1").await;
    sleep(Duration::from_millis(300)).await;
    [&a, &b].into_iter().for_each(Wired::mend);
    b.holds("short", "1").await;
    assert_eq!(b.value("from-b").await.as_deref(), Some("1"));
    assert_eq!([a.forgot(), b.forgot()], before, "what the log has is no reason to forget");

    // A long one: `a` writes more than its ring and log hold.
    [&a, &b].into_iter().for_each(Wired::cut);
    for n in 0..200 {
        a.put(&format!("k{}", n % 50), &n.to_string()).await;
    }
    a.put("from-a", "2").await;
    assert_eq!(b.value("from-a").await.as_deref(), Some("1"), "cut off, it serves what it has");
    [&a, &b].into_iter().for_each(Wired::mend);
    until("b to forget", async || b.forgot() > before[1]).await;
    assert_ne!(b.value("from-a").await.as_deref(), Some("1"), "a newer one was missed");
    b.hears(&a, "from-a", "3").await;
    a.hears(&b, "from-b", "2").await;
    for n in 0..20 {
        b.hears(&a, &format!("k{n}"), "new").await;
    }
    assert_eq!(a.forgot(), before[0], "nothing was missing there");
    assert_eq!(a.value("k49").await.as_deref(), Some("199"));

    // One that starts now adopts what the others have seen, and is told what comes.
    let c = Wired::start("c", "moka", Some(&b));
    c.ready().await;
    c.hears(&a, "late", "1").await;
    a.hears(&c, "from-c", "1").await;
    assert_eq!(a.store().catch_up().pages_served + b.store().catch_up().pages_served, 0);
    for node in [a, b, c] {
        assert!(node.node.stop(Duration::ZERO).await.is_empty());
    }
}

#[actix_rt::test]
async fn a_store_is_a_cache_on_every_member_or_on_none() {
    let a = Wired::start("a", "moka", None);
    a.ready().await;
    let b = Wired::start("b", "memory", Some(&a));
    let refused = async || {
        let checks = b.handle().readiness().checks;
        checks.iter().any(|check| check.detail.contains("is a cache on one node"))
    };
    until("the mix to be refused", refused).await;
    assert!(!b.handle().readiness().ready);
    for node in [a, b] {
        node.node.stop(Duration::ZERO).await;
    }
}

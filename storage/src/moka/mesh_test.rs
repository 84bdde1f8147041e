//! A mesh of caches in one thread: real stores and the protocol's machines, over links that keep order but
//! may break at any point and lose what was on the way. Rings and logs are small: gaps that nobody can
//! fill are the rule.
//!
//! Whatever happens, no node reads an older version than it has read or than its frontier covers; and
//! once all is well again all go on with the same.

use std::collections::{BTreeMap, VecDeque};

use gridkv_protocol::applier::{self, Applier};
use gridkv_protocol::forgetting::{self, Forgetting};
use gridkv_protocol::message::BatchOutcome;
use gridkv_protocol::publisher::{self, Publisher, PublisherLimits};
use gridkv_protocol::{Epoch, Frontier, Hlc, Key, NodeId, OpBatch, Origin, UnixMs, Version};

use super::test_cache::cache_with;
use crate::durability::Durability;
use crate::settings::{CachePolicy, CacheSettings};
use crate::store::StoreConfig;
use crate::test_store::{Dice, NOW, TestStore, all_records, config, delete, key, put};

const KEYS: u64 = 30;
const STEPS: u32 = 3_000;
const SKEW_MS: u64 = 500;
const NODES: u32 = 3;

const LIMITS: PublisherLimits = PublisherLimits {
    log_bytes: 600,
    batch_max_ops: 4,
    batch_max_bytes: 400,
    queue_bytes: 600,
    retry_ms: 20,
};

enum Packet {
    Batch(OpBatch),
    Answer { origin: Origin, bounds: (Hlc, Hlc), outcome: BatchOutcome },
    Report(Origin, Frontier),
}

struct Node {
    store: TestStore,
    applier: Applier,
    publisher: Publisher,
    forgetting: Forgetting,
    /// The newest version that was read here of each key.
    seen: BTreeMap<Key, Version>,
}

impl Node {
    fn start(origin: Origin, max_bytes: u64) -> Self {
        let settings = CacheSettings { max_bytes, policy: CachePolicy::Lru, time_to_idle_ms: None };
        let config = StoreConfig { ring_slots: 4, ..config("small") };
        let mut store = cache_with(settings, config);
        store.writer.take_origin(origin).unwrap();
        Self {
            store,
            applier: Applier::new(origin.node(), SKEW_MS),
            publisher: Publisher::new(origin, LIMITS),
            forgetting: Forgetting::new(origin, SKEW_MS),
            seen: BTreeMap::new(),
        }
    }
}

struct Mesh {
    now: UnixMs,
    dice: Dice,
    max_bytes: u64,
    nodes: Vec<Node>,
    /// One queue per direction, while the link is up.
    links: BTreeMap<(usize, usize), VecDeque<Packet>>,
    /// Every version ever written.
    written: Vec<(Key, Version)>,
    forgot: u32,
}

fn id(at: usize) -> NodeId {
    NodeId(u32::try_from(at).unwrap())
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    let size = usize::try_from(NODES).unwrap();
    (0..size).flat_map(move |a| (0..size).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

impl Mesh {
    fn new(seed: u64, max_bytes: u64) -> Self {
        let node = |n| Node::start(Origin::new(NodeId(n), Epoch(1)), max_bytes);
        Self {
            now: NOW,
            dice: Dice(seed),
            max_bytes,
            nodes: (0..NODES).map(node).collect(),
            links: BTreeMap::new(),
            written: Vec::new(),
            forgot: 0,
        }
    }

    fn send(&mut self, from: usize, to: usize, packet: Packet) {
        if let Some(queue) = self.links.get_mut(&(from, to)) {
            queue.push_back(packet);
        }
    }

    fn write(&mut self, at: usize, name: &str) {
        let value = self.dice.below(u64::MAX).to_string();
        let write = if self.dice.below(5) == 0 { delete(name) } else { put(name, &value) };
        let store = &mut self.nodes[at].store;
        let written = store.writer.stage(write, self.now).unwrap();
        store.commit();
        self.written.push((key(name), written.version));
    }

    fn publish(&mut self, at: usize) {
        let store = &mut self.nodes[at].store;
        store.writer.close_time(self.now);
        store.commit();
        let drained = store.reader.ring().drain();
        let (ops, closed, floor) = (drained.ops, drained.closed, drained.floor);
        self.publisher(at, publisher::Event::Committed { ops, closed, floor });
    }

    fn report(&mut self, at: usize) {
        for to in 0..self.nodes.len() {
            self.report_to(at, to);
        }
    }

    fn report_to(&mut self, at: usize, to: usize) {
        let store = &self.nodes[at].store;
        let packet = Packet::Report(store.writer.origin(), store.reader.applied());
        self.send(at, to, packet);
    }

    fn tick(&mut self, at: usize) {
        self.publisher(at, publisher::Event::Tick);
        self.forgetting(at, forgetting::Event::Tick);
    }

    fn cut(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            if self.links.remove(&(from, to)).is_some() {
                self.publisher(from, publisher::Event::LinkDown { peer: id(to) });
                self.forgetting(from, forgetting::Event::LinkDown { peer: id(to) });
            }
        }
    }

    fn connect(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            if a != b && !self.links.contains_key(&(from, to)) {
                self.links.insert((from, to), VecDeque::new());
                self.report_to(from, to);
            }
        }
    }

    fn restart(&mut self, at: usize) {
        for other in 0..self.nodes.len() {
            self.cut(at, other);
        }
        let old = self.nodes[at].store.writer.origin();
        let origin = Origin::new(old.node(), old.epoch().next());
        self.nodes[at] = Node::start(origin, self.max_bytes);
    }

    fn publisher(&mut self, at: usize, event: publisher::Event) {
        for send in self.nodes[at].publisher.step(self.now, event) {
            let to = usize::try_from(send.peer.0).unwrap();
            self.send(at, to, Packet::Batch(send.batch));
        }
    }

    fn forgetting(&mut self, at: usize, event: forgetting::Event<'_>) {
        let Node { store, forgetting, .. } = &mut self.nodes[at];
        let applied = store.reader.applied();
        if let Some(forget) = forgetting.step(self.now, event, &applied) {
            store.writer.forget_all(&forget.adopt).unwrap();
            assert_eq!(store.reader.stats().key_count, 0);
            let applied = store.reader.applied();
            assert_eq!(forgetting.step(self.now, forgetting::Event::Done, &applied), None);
            self.forgot += 1;
        }
    }

    fn apply(&mut self, at: usize, batch: OpBatch) -> BatchOutcome {
        let Node { store, applier, .. } = &mut self.nodes[at];
        let (origin, durable) = (batch.origin, Frontier::default());
        let applied = store.writer.others().clone();
        let event = applier::Event::Batch { batch, applied: &applied, durable: &durable };
        match applier.step(self.now, event) {
            applier::Effect::Answer(outcome) => outcome,
            applier::Effect::Merge(stretch) => {
                store.writer.merge(stretch, self.now).unwrap();
                store.writer.commit(Durability::Memory).unwrap();
                let applied = store.reader.applied();
                let event = applier::Event::Merged { origin, applied: &applied, durable: &durable };
                match applier.step(self.now, event) {
                    applier::Effect::Answer(outcome) => outcome,
                    applier::Effect::Merge(_) => panic!("merged already"),
                }
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let packet = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        let peer = id(from);
        match packet {
            None => {}
            Some(Packet::Batch(batch)) => {
                let (origin, bounds) = (batch.origin, (batch.after, batch.upto));
                let outcome = self.apply(to, batch);
                self.send(to, from, Packet::Answer { origin, bounds, outcome });
            }
            Some(Packet::Answer { origin, bounds: (after, upto), outcome }) => {
                let event = publisher::Event::Answered { peer, origin, after, upto, outcome };
                self.publisher(to, event);
            }
            Some(Packet::Report(from, applied)) => {
                let have = applied.get(self.nodes[to].store.writer.origin());
                self.publisher(to, publisher::Event::Reported { peer, have });
                self.forgetting(to, forgetting::Event::Reported { from, applied: &applied });
            }
        }
    }

    /// Demands that nothing is older than what was read here, or than what the frontier claims.
    fn assert_honest(&mut self, at: usize, step: &str) {
        let node = &mut self.nodes[at];
        let (records, applied) = (all_records(&node.store.reader), node.store.reader.applied());
        for (key, version) in self.written.iter().filter(|(_, version)| applied.covers(*version)) {
            let held = records.get(key).map(|record| record.version);
            assert!(
                held.is_none_or(|held| held >= *version),
                "{step}: {key:?} of {at} is {held:?}"
            );
        }
        for (key, record) in records {
            let seen = node.seen.entry(key.clone()).or_insert(record.version);
            assert!(*seen <= record.version, "{step}: {key:?} of {at} went back");
            *seen = record.version;
        }
    }

    fn disturb(&mut self) {
        let (a, b) = (self.dice.index(self.nodes.len()), self.dice.index(self.nodes.len()));
        match self.dice.below(1_000) {
            0..200 => {
                let name = format!("k{}", self.dice.below(KEYS));
                self.write(a, &name);
            }
            200..320 => self.publish(a),
            320..370 => self.report(a),
            370..420 => self.tick(a),
            420..424 => self.cut(a, b),
            424..440 => self.connect(a, b),
            440 => self.restart(a),
            // Away for long enough to be forgotten for, or given up.
            441 => self.now = self.now.plus(self.dice.below(3_000)),
            _ => self.deliver(a, b),
        }
        self.now = self.now.plus(self.dice.below(5));
    }

    /// All links are up, everybody goes on for ten seconds, and nobody writes.
    fn heal(&mut self) {
        pairs().for_each(|(a, b)| self.connect(a, b));
        for _ in 0..100 {
            for at in 0..self.nodes.len() {
                self.publish(at);
                self.report(at);
                self.tick(at);
            }
            for _ in 0..12 {
                pairs().for_each(|(a, b)| self.deliver(a, b));
            }
            self.now = self.now.plus(100);
        }
    }
}

fn run(seed: u64, max_bytes: u64) -> Mesh {
    let mut mesh = Mesh::new(seed, max_bytes);
    for step in 0..STEPS {
        mesh.disturb();
        let at = mesh.dice.index(mesh.nodes.len());
        mesh.assert_honest(at, &format!("seed {seed}, step {step}"));
    }
    mesh.heal();
    let forgot = mesh.forgot;
    for n in 0..KEYS {
        let at = mesh.dice.index(mesh.nodes.len());
        mesh.write(at, &format!("k{n}"));
        mesh.publish(at);
        for _ in 0..8 {
            pairs().for_each(|(a, b)| mesh.deliver(a, b)); // rings and logs are small
        }
    }
    mesh.heal();
    assert_eq!(mesh.forgot, forgot, "seed {seed}: well again, and forgets");
    // All have closed time at a moment of their own; beyond it they are level.
    let level: Vec<Frontier> = mesh
        .nodes
        .iter()
        .map(|node| node.store.reader.applied().up_to(Hlc::at(mesh.now)))
        .collect();
    let least = |origin| level.iter().map(|frontier| frontier.get(origin)).min();
    for (origin, upto) in level.iter().flat_map(Frontier::iter) {
        let behind = upto.physical().since(least(origin).unwrap_or_default().physical());
        assert!(behind <= 200, "seed {seed}: {origin:?} is {behind} ms behind");
    }
    mesh
}

/// The newest version of each key, by all that was ever written.
fn newest(mesh: &Mesh) -> BTreeMap<Key, Version> {
    let mut newest = BTreeMap::new();
    for (key, version) in &mesh.written {
        let at = newest.entry(key.clone()).or_insert(*version);
        *at = version.max(at).to_owned();
    }
    newest
}

#[test]
fn caches_with_room_enough_hold_what_is_written_once_all_is_well() {
    let mut forgot = 0;
    for seed in 0..8 {
        let mut mesh = run(seed, 1 << 20);
        for at in 0..mesh.nodes.len() {
            mesh.assert_honest(at, &format!("seed {seed}, healed"));
            let held: BTreeMap<Key, Version> = all_records(&mesh.nodes[at].store.reader)
                .into_iter()
                .map(|(key, record)| (key, record.version))
                .collect();
            assert_eq!(held, newest(&mesh), "seed {seed}, node {at}");
        }
        forgot += mesh.forgot;
    }
    assert!(forgot > 16, "forgot {forgot} times");
}

#[test]
fn caches_that_evict_hold_what_is_written_or_miss_it() {
    for seed in 100..106 {
        let mut mesh = run(seed, 10 << 10);
        for at in 0..mesh.nodes.len() {
            mesh.assert_honest(at, &format!("seed {seed}, healed"));
            let held = all_records(&mesh.nodes[at].store.reader);
            assert!(!held.is_empty());
            let newest = newest(&mesh);
            for (key, record) in held {
                assert_eq!(Some(&record.version), newest.get(&key), "seed {seed}, node {at}");
            }
        }
    }
}

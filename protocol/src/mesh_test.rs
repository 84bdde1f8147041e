//! A mesh in one thread: nodes of publishers, appliers and catch-ups over links that keep order but
//! may break at any point and lose what was on the way. The state is a map, merged by the one law.
//!
//! After every step it is checked that no frontier covers an op whose effect is missing: a frontier
//! that lies is how replicas diverge for good.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::applier::{self, Applier};
use crate::catchup::{self, CatchUp, View};
use crate::fixture::main_store;
use crate::loose::LooseSet;
use crate::message::BatchOutcome;
use crate::op::KeyedRecord;
use crate::op_log::LoggedOp;
use crate::page::{Page, PageCursor, PageRequest};
use crate::publisher::{self, Publisher, PublisherLimits};
use crate::random_test::Random;
use crate::report::StoreReport;
use crate::{
    Epoch, Frontier, Hlc, HlcClock, Key, Live, NodeId, Op, OpBatch, Origin, Record, State, UnixMs,
    Value, Version,
};

pub(crate) const SKEW_MS: u64 = 50;
/// Few, so that pages follow on each other while writes go on.
const PAGE_RECORDS: usize = 3;

enum Packet {
    Batch(OpBatch),
    Answer { origin: Origin, bounds: (Hlc, Hlc), outcome: BatchOutcome },
    Report(Origin, StoreReport),
    Request(PageRequest),
    Page(Page),
}

struct Node {
    origin: Origin,
    /// Milliseconds that its clock is ahead of the mesh's time.
    skew: u64,
    clock: HlcClock,
    records: BTreeMap<Key, Record>,
    applied: Frontier,
    loose: LooseSet,
    publisher: Publisher,
    catch_up: CatchUp,
    ring: Vec<LoggedOp>,
}

impl Node {
    fn start(origin: Origin, limits: PublisherLimits, skew: u64) -> Self {
        Self {
            origin,
            skew,
            clock: HlcClock::default(),
            records: BTreeMap::new(),
            applied: Frontier::default(),
            loose: LooseSet::default(),
            publisher: Publisher::new(origin, limits),
            catch_up: CatchUp::new(main_store(), origin, SKEW_MS),
            ring: Vec::new(),
        }
    }

    fn merge(&mut self, key: Key, record: Record) {
        self.clock.observe(record.version.hlc);
        let before = self.records.remove(&key);
        let merged = match &before {
            Some(before) => before.clone().merge(record),
            None => record,
        };
        if let Some(before) = before.filter(|before| before.version != merged.version) {
            self.loose.release(before.version);
        }
        self.loose.hold(merged.version, &self.applied);
        self.records.insert(key, merged);
    }

    fn advance(&mut self, origin: Origin, upto: Hlc) {
        self.applied.advance(origin, upto);
        self.loose.settle(origin, self.applied.get(origin));
    }

    fn report(&self) -> StoreReport {
        StoreReport {
            store: main_store(),
            applied: self.applied.clone(),
            durable: self.applied.clone(),
            floor: Hlc::ZERO,
            loose: self.loose.hashes(),
            durable_loose: BTreeMap::new(),
            proof: None,
            keys: 0,
        }
    }

    /// A page in order of keys, with the frontier as it was before the page was read.
    fn page(&self, request: PageRequest) -> Page {
        let PageRequest { store, session, frontier, cursor, .. } = request;
        let from = cursor.as_ref().map_or(&[][..], PageCursor::bytes);
        let mut rest = self.records.iter().filter(|(key, record)| {
            key.as_str().as_bytes() >= from && !frontier.covers(record.version)
        });
        let one = |(key, record): (&Key, &Record)| KeyedRecord {
            key: key.clone(),
            record: record.clone(),
        };
        let records = rest.by_ref().take(PAGE_RECORDS).map(one).collect();
        let next = rest.next().and_then(|(key, _)| PageCursor::new(key.as_str().as_bytes()));
        let (donor, frontier) = (self.origin, self.applied.clone());
        Page { store, session, cursor, donor, frontier, floor: Hlc::ZERO, records, next }
    }
}

/// The nodes, the links between them, and every op that was ever written.
pub(crate) struct Mesh {
    pub(crate) now: u64,
    pub(crate) random: Random,
    limits: PublisherLimits,
    nodes: Vec<Node>,
    /// One queue per direction; `None` while the link is down.
    links: BTreeMap<(usize, usize), Option<VecDeque<Packet>>>,
    written: BTreeMap<Origin, Vec<(Hlc, Key)>>,
    pub(crate) installs: u64,
    pub(crate) merged_batches: u64,
}

fn id(at: usize) -> NodeId {
    NodeId(u32::try_from(at).unwrap())
}

fn place(id: NodeId) -> usize {
    usize::try_from(id.0).unwrap()
}

impl Mesh {
    pub(crate) fn new(seed: u64, nodes: usize, limits: PublisherLimits) -> Self {
        let mut random = Random::from_seed(seed);
        let node = |at| Node::start(Origin::new(id(at), Epoch(1)), limits, random.below(160));
        let nodes: Vec<Node> = (0..nodes).map(node).collect();
        let pairs = (0..nodes.len()).flat_map(|a| (0..nodes.len()).map(move |b| (a, b)));
        let links = pairs.filter(|(a, b)| a != b).map(|pair| (pair, None)).collect();
        let written = BTreeMap::new();
        let (installs, merged_batches) = (0, 0);
        Self { now: 1_000, random, limits, nodes, links, written, installs, merged_batches }
    }

    pub(crate) fn size(&self) -> usize {
        self.nodes.len()
    }

    fn time_at(&self, at: usize) -> UnixMs {
        UnixMs(self.now + self.nodes[at].skew)
    }

    fn send(&mut self, from: usize, to: usize, packet: Packet) {
        if let Some(Some(queue)) = self.links.get_mut(&(from, to)) {
            queue.push_back(packet);
        }
    }

    /// A client writes at a node: into its state, and into the ring that the publisher drains later.
    pub(crate) fn write(&mut self, at: usize) {
        let now = self.time_at(at);
        let key = Key::new(&format!("k{}", self.random.below(12))).unwrap();
        let value = Value::copied(&self.random.below(u64::MAX).to_be_bytes());
        let live = Live { value, content_type: None, expires_at: None };
        let state = if self.random.one_in(4) { State::Deleted } else { State::Live(live) };
        let node = &mut self.nodes[at];
        let version = Version { hlc: node.clock.mint(now), origin: node.origin };
        let seen = Arc::new(node.applied.without(node.origin));
        let record = Record { version, state };
        node.merge(key.clone(), record.clone());
        node.advance(version.origin, version.hlc);
        node.ring.push(LoggedOp { op: Op { key: key.clone(), record }, seen });
        self.written.entry(version.origin).or_default().push((version.hlc, key));
    }

    /// The publisher drains the ring, and time is closed.
    pub(crate) fn publish(&mut self, at: usize) {
        let now = self.time_at(at);
        let node = &mut self.nodes[at];
        let closed = node.clock.mint(now);
        node.advance(node.origin, closed);
        let ops = std::mem::take(&mut node.ring);
        self.publisher(at, publisher::Event::Committed { ops, closed, floor: Hlc::ZERO });
    }

    /// The node tells all its peers what it has.
    pub(crate) fn report(&mut self, at: usize) {
        for to in 0..self.size() {
            let packet = Packet::Report(self.nodes[at].origin, self.nodes[at].report());
            self.send(at, to, packet);
        }
    }

    pub(crate) fn tick(&mut self, at: usize) {
        self.publisher(at, publisher::Event::Tick);
        self.catch_up(at, catchup::Event::Tick);
    }

    /// A link breaks in both directions, with all that is on it.
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let Some(link) = self.links.get_mut(&(from, to)) else { return };
            if link.take().is_some() {
                self.publisher(from, publisher::Event::LinkDown { peer: id(to) });
                self.catch_up(from, catchup::Event::LinkDown { peer: id(to) });
            }
        }
    }

    /// A link is made anew; each side says at once what it has.
    pub(crate) fn connect(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let Some(link @ None) = self.links.get_mut(&(from, to)) else { continue };
            *link = Some(VecDeque::new());
            let packet = Packet::Report(self.nodes[from].origin, self.nodes[from].report());
            self.send(from, to, packet);
        }
    }

    /// The node starts again without its state: a new epoch, and what only it had is gone.
    pub(crate) fn restart_empty(&mut self, at: usize) {
        for other in 0..self.size() {
            self.cut(at, other);
        }
        let Node { origin, skew, .. } = self.nodes[at];
        let origin = Origin::new(origin.node(), origin.epoch().next());
        self.nodes[at] = Node::start(origin, self.limits, skew);
    }

    /// The node goes on under a new epoch; its ring may still hold ops of the one before.
    pub(crate) fn new_epoch(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.origin = Origin::new(node.origin.node(), node.origin.epoch().next());
        let origin = node.origin;
        self.publisher(at, publisher::Event::NewOrigin(origin));
        self.catch_up(at, catchup::Event::NewOrigin(origin));
    }

    fn publisher(&mut self, at: usize, event: publisher::Event) {
        let now = self.time_at(at);
        for send in self.nodes[at].publisher.step(now, event) {
            self.send(at, place(send.peer), Packet::Batch(send.batch));
        }
    }

    fn catch_up(&mut self, at: usize, event: catchup::Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.time_at(at);
            let node = &mut self.nodes[at];
            let loose = node.loose.hashes();
            let view = View { applied: &node.applied, loose: &loose };
            for effect in node.catch_up.step(now, event, view) {
                events.extend(self.perform(at, effect));
            }
        }
    }

    fn perform(&mut self, at: usize, effect: catchup::Effect) -> Option<catchup::Event> {
        let node = &mut self.nodes[at];
        match effect {
            catchup::Effect::Request { peer, request } => {
                self.send(at, place(peer), Packet::Request(request));
            }
            catchup::Effect::Replace(_)
            | catchup::Effect::Empty { .. }
            | catchup::Effect::RebuildGivenUp { .. } => unreachable!("nothing is purged here"),
            catchup::Effect::Merge(records) => {
                for KeyedRecord { key, record } in records {
                    node.merge(key, record);
                }
                return Some(catchup::Event::Merged);
            }
            catchup::Effect::Install { frontier, .. } => {
                for (origin, upto) in frontier.without(node.origin).iter() {
                    node.advance(origin, upto);
                }
                self.installs += 1;
            }
            catchup::Effect::Started { .. } | catchup::Effect::Ended { .. } => {}
        }
        None
    }

    /// The oldest packet on a link arrives.
    pub(crate) fn deliver(&mut self, from: usize, to: usize) {
        let Some(Some(queue)) = self.links.get_mut(&(from, to)) else { return };
        let Some(packet) = queue.pop_front() else { return };
        let peer = id(from);
        match packet {
            Packet::Batch(batch) => {
                let (origin, bounds) = (batch.origin, (batch.after, batch.upto));
                let outcome = self.apply(to, batch);
                if matches!(outcome, BatchOutcome::Gap { .. }) {
                    self.catch_up(to, catchup::Event::Gap { peer });
                }
                self.send(to, from, Packet::Answer { origin, bounds, outcome });
            }
            Packet::Answer { origin, bounds: (after, upto), outcome } => {
                let event = publisher::Event::Answered { peer, origin, after, upto, outcome };
                self.publisher(to, event);
            }
            Packet::Report(from, report) => {
                let have = report.applied.get(self.nodes[to].origin);
                self.publisher(to, publisher::Event::Reported { peer, have });
                self.catch_up(to, catchup::Event::Reported { from, report });
            }
            Packet::Request(request) => {
                let page = self.nodes[to].page(request);
                self.send(to, from, Packet::Page(page));
            }
            Packet::Page(page) => self.catch_up(to, catchup::Event::Page { peer, page }),
        }
    }

    fn apply(&mut self, at: usize, batch: OpBatch) -> BatchOutcome {
        if self.random.one_in(20) {
            return BatchOutcome::Unavailable;
        }
        let now = self.time_at(at);
        let node = &mut self.nodes[at];
        let frontier = node.applied.clone();
        let event = applier::Event::Batch { batch, applied: &frontier, durable: &frontier };
        let stretch = match Applier::new(id(at), SKEW_MS).step(now, event) {
            applier::Effect::Answer(outcome) => return outcome,
            applier::Effect::Merge(stretch) => stretch,
        };
        for Op { key, record } in stretch.ops {
            node.merge(key, record);
        }
        node.advance(stretch.origin, stretch.upto);
        self.merged_batches += 1;
        let applied = self.nodes[at].applied.get(stretch.origin);
        BatchOutcome::Applied { applied, durable: applied }
    }

    /// No frontier covers an op whose effect is missing.
    pub(crate) fn assert_honest(&self, context: &str) {
        for (at, node) in self.nodes.iter().enumerate() {
            for (origin, upto) in node.applied.iter() {
                let ops = self.written.get(&origin).map_or(&[][..], Vec::as_slice);
                for (hlc, key) in ops.iter().take_while(|(hlc, _)| *hlc <= upto) {
                    let held = node.records.get(key).map(|record| record.version);
                    let effect = held >= Some(Version { hlc: *hlc, origin });
                    assert!(
                        effect,
                        "{context}: node {at} covers {key:?} {hlc}-{origin}, has {held:?}"
                    );
                }
            }
        }
    }

    /// All hold the same, and cover each other's ops.
    pub(crate) fn assert_converged(&self, context: &str) {
        let first = &self.nodes[0];
        for (at, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.records, first.records, "{context}: nodes 0 and {at} differ");
            // Records of a run whose origin lost the rest of it stay loose, everywhere.
            let loose = [node.loose.hashes(), first.loose.hashes()];
            assert_eq!(loose[0], loose[1], "{context}: loose records of nodes {at} and 0");
            for other in &self.nodes {
                let minted = self.written.get(&other.origin).and_then(|ops| ops.last());
                let covered = minted.is_none_or(|(hlc, _)| *hlc <= node.applied.get(other.origin));
                assert!(covered, "{context}: node {at} lacks ops of {}", other.origin);
            }
        }
    }

    /// Whether every key holds the greatest version that was ever written under it.
    pub(crate) fn assert_nothing_lost(&self, context: &str) {
        let mut greatest: BTreeMap<&Key, Version> = BTreeMap::new();
        for (origin, ops) in &self.written {
            for (hlc, key) in ops {
                let version = Version { hlc: *hlc, origin: *origin };
                let known = greatest.entry(key).or_insert(version);
                *known = version.max(*known);
            }
        }
        let held = self.nodes[0].records.iter().map(|(key, record)| (key, record.version));
        assert_eq!(held.collect::<BTreeMap<_, _>>(), greatest, "{context}");
    }
}

//! Random operations on a store, beside a model that is a map and the merge law.

use std::collections::BTreeMap;

use gridkv_protocol::digest::Proof;
use gridkv_protocol::loose::LooseSet;
use gridkv_protocol::{Frontier, Hlc, Key, Op, Origin, Record, State, UnixMs};

use crate::digest_keeper::DigestKeeper;
use crate::list::{ListQuery, Listed};
use crate::test_store::{
    Dice, NOW, TestStore, all_records, assert_counts, delete, hlc, key, keyed, live, op, origin,
    put_for, stretch, touch,
};
use crate::write::{Rejection, Ttl};
use crate::writer::PutError;

const STEPS: u32 = 2_000;
const KEYS: u64 = 40;
const PEERS: [u32; 3] = [2, 3, 4];

/// What a store must hold: the map, the frontier, and nothing clever.
#[derive(Default)]
struct Model {
    records: BTreeMap<Key, Record>,
    frontier: Frontier,
}

impl Model {
    fn merge(&mut self, op: Op, now: UnixMs) {
        let record = op.record.expired_at(now).unwrap_or(op.record);
        let merged = match self.records.remove(&op.key) {
            Some(standing) => standing.merge(record),
            None => record,
        };
        self.records.insert(op.key, merged);
    }

    fn expire(&mut self, now: UnixMs) {
        for record in self.records.values_mut() {
            if let Some(expired) = record.expired_at(now) {
                *record = expired;
            }
        }
    }

    fn live(&self, now: UnixMs) -> Vec<(Key, Record)> {
        let live = self.records.iter().filter(|(_, record)| record.live_at(now).is_some());
        live.map(|(key, record)| (key.clone(), record.clone())).collect()
    }

    /// What it all amounts to, counted anew.
    fn digest(&self) -> Option<(Proof, Vec<u64>)> {
        let mut digest = DigestKeeper::at(self.frontier.clone());
        self.records.iter().for_each(|(key, record)| digest.hold(key, record));
        self.loose().is_empty().then(|| (digest.proof(), digest.buckets().to_vec()))
    }

    /// Hashes of what the frontier does not cover.
    fn loose(&self) -> BTreeMap<Origin, u64> {
        let mut loose = LooseSet::default();
        self.records.values().for_each(|record| loose.hold(record.version, &self.frontier));
        loose.hashes()
    }
}

/// A peer that writes on its own; its ops come in stretches, and in pages ahead of them.
struct Peer {
    origin: Origin,
    ops: Vec<Op>,
    sent: usize,
}

struct Run {
    store: TestStore,
    model: Model,
    peers: Vec<Peer>,
    dice: Dice,
    now: UnixMs,
    last: Hlc,
    /// The store knows all that it was opened with.
    is_surveyed: bool,
}

impl Run {
    fn new(store: TestStore, seed: u64) -> Self {
        let peer = |node| Peer { origin: origin(node), ops: Vec::new(), sent: 0 };
        let peers = PEERS.into_iter().map(peer).collect();
        let (model, dice) = (Model::default(), Dice(seed));
        Self { store, model, peers, dice, now: NOW, last: Hlc::ZERO, is_surveyed: true }
    }

    fn key(&mut self) -> String {
        format!("k{}", self.dice.below(KEYS))
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..40 => self.write(),
            40..60 => self.peer_writes(),
            60..75 => self.stretch(),
            75..82 => self.page(),
            82..90 => self.now = self.now.plus(self.dice.below(20)),
            90..94 => self.expire(),
            94..96 => self.close_time(),
            96..97 => self.is_surveyed = !self.store.writer.survey().unwrap(),
            _ => self.store.commit(),
        }
    }

    fn write(&mut self) {
        let (name, value) = (self.key(), "x".repeat(self.dice.index(50)));
        let ttl = match self.dice.below(4) {
            0 => Ttl::Keep,
            1 => Ttl::Ms(self.dice.below(60)),
            _ => Ttl::Unlimited,
        };
        let write = match self.dice.below(10) {
            0..6 => put_for(&name, &value, ttl),
            6..8 => delete(&name),
            _ => touch(&name, ttl),
        };
        let (now, is_touch) =
            (self.now, matches!(write.action, crate::write::Action::Touch { .. }));
        let is_delete = matches!(write.action, crate::write::Action::Delete);
        let before = self.model.records.get(&key(&name)).and_then(|r| r.live_at(now)).cloned();
        let written = match self.store.writer.stage(write, now) {
            Err(PutError::Rejected(Rejection::KeyNotFound)) if is_touch && before.is_none() => {
                return;
            }
            outcome => outcome.unwrap(),
        };
        assert_eq!(written.existed, before.is_some());
        assert!(written.version.hlc > self.last, "versions grow");
        self.last = written.version.hlc;
        let kept = before.as_ref().and_then(|live| live.expires_at);
        let deadline = match ttl {
            Ttl::Keep => kept,
            Ttl::Ms(ms) => Some(now.plus(ms)),
            Ttl::Unlimited | Ttl::StoreDefault => None,
            Ttl::Until(deadline) => Some(deadline),
        };
        let state = match before {
            _ if is_delete => State::Deleted,
            Some(live) if is_touch => {
                State::Live(gridkv_protocol::Live { expires_at: deadline, ..live })
            }
            _ => live(&value, deadline),
        };
        self.model.frontier.advance(written.version.origin, written.version.hlc);
        let record = Record { version: written.version, state };
        self.model.merge(Op { key: key(&name), record }, now);
    }

    /// A peer's clock is anywhere near ours.
    fn peer_writes(&mut self) {
        let at = self.dice.index(self.peers.len());
        for _ in 0..=self.dice.below(4) {
            let name = self.key();
            let deadline = (self.dice.below(3) == 0).then(|| self.now.plus(self.dice.below(60)));
            let state = match self.dice.below(4) {
                0 => State::Deleted,
                _ => live(&"y".repeat(self.dice.index(50)), deadline),
            };
            let physical = Hlc::at(UnixMs(self.now.0 - 10 + self.dice.below(20))).bits();
            let peer = &mut self.peers[at];
            let last = peer.ops.last().map_or(0, |op| op.record.version.hlc.bits());
            let bits = physical.max(last) + 1 + self.dice.below(3);
            peer.ops.push(op(peer.origin, bits, &name, state));
        }
    }

    /// The next ops of a peer, with some that came before.
    fn stretch(&mut self) {
        let peer = &mut self.peers[self.dice.index(PEERS.len())];
        let from = peer.sent - self.dice.index(peer.sent.min(5) + 1);
        let to = peer.sent + self.dice.index(peer.ops.len() - peer.sent + 1);
        peer.sent = to;
        let ops = &peer.ops[from..to];
        let Some(upto) = ops.last().map(|op| op.record.version.hlc) else { return };
        let stretch = stretch(peer.origin, upto.bits(), &[], ops);
        self.store.writer.merge(stretch, self.now).unwrap();
        for op in ops {
            self.model.merge(op.clone(), self.now);
        }
        self.model.frontier.advance(peer.origin, upto);
        self.last = self.last.max(upto);
    }

    /// Any records of any peer, also such as lie ahead of its stretches.
    fn page(&mut self) {
        let all: Vec<Op> = self.peers.iter().flat_map(|peer| peer.ops.iter().cloned()).collect();
        if all.is_empty() {
            return;
        }
        let ops: Vec<Op> =
            (0..self.dice.below(8)).map(|_| all[self.dice.index(all.len())].clone()).collect();
        self.store.writer.merge_page(keyed(&ops), self.now).unwrap();
        let greatest = ops.iter().map(|op| op.record.version.hlc).max();
        self.last = self.last.max(greatest.unwrap_or(Hlc::ZERO));
        for op in ops {
            self.model.merge(op, self.now);
        }
    }

    fn expire(&mut self) {
        self.store.commit(); // deadlines that were staged come due from the next commit on
        while self.store.writer.expire(self.now).unwrap() {
            self.store.commit();
        }
        self.model.expire(self.now);
    }

    fn close_time(&mut self) {
        self.store.writer.close_time(self.now);
        self.store.commit();
        let own = self.store.writer.origin();
        let upto = self.store.reader.applied().get(own);
        assert!(upto > self.last);
        self.last = upto;
        self.model.frontier.advance(own, upto);
    }

    /// Commits, and demands that store and model say the same.
    fn compare(&mut self) {
        self.store.commit();
        let (reader, model) = (&self.store.reader, &self.model);
        let records = all_records(reader);
        assert_eq!(records, model.records);
        assert_counts(reader, &records);
        assert_eq!(reader.applied(), model.frontier);
        assert_eq!(*reader.loose(), model.loose());
        assert_eq!(self.store.writer.digest(), model.digest().filter(|_| self.is_surveyed));
        assert_eq!(reader.proof(), self.store.writer.digest().map(|(proof, _)| proof));
        for n in 0..KEYS {
            let key = key(&format!("k{n}"));
            let standing = model.records.get(&key);
            let wanted = standing.filter(|record| record.live_at(self.now).is_some());
            assert_eq!(reader.get(&key, self.now).unwrap().as_ref(), wanted);
        }
        let limit = 1 + self.dice.index(50);
        let value_bytes = Some(self.dice.index(500));
        let mut query = ListQuery { limit, value_bytes, ..ListQuery::default() };
        let mut listed = Vec::new();
        loop {
            let listing = reader.list(&query, self.now).unwrap();
            listed.extend(listing.records.into_iter().map(Listed::into_record));
            query.after = listing.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, model.live(self.now));
        assert_eq!(reader.applies().collision.get(), 0);
        assert_eq!(reader.stats().sync_buffer_overwritten, 0);
    }
}

/// Runs a seed. A persistent store is flushed and opened again on the way.
fn run(store: TestStore, seed: u64) {
    let persistent = store.reader.promises().persistent;
    let mut run = Run::new(store, seed);
    for step in 1..=STEPS {
        run.step();
        if step % 50 == 0 {
            run.compare();
            let published = run.store.reader.ring().drain().ops;
            let own = run.store.writer.origin();
            assert!(published.iter().all(|logged| logged.op.record.version.origin == own));
        }
        if persistent && step % 250 == 0 {
            run.store.flusher.flush().unwrap();
            run.store = run.store.reopen();
            run.is_surveyed = run.store.reader.proof().is_some() || !run.model.loose().is_empty();
            assert!(run.store.writer.clock() >= hlc(run.model.frontier.greatest().bits()));
            run.compare();
        }
    }
}

#[test]
fn memory_is_a_map_with_the_merge_law() {
    (0..8).for_each(|seed| run(TestStore::memory(), seed));
}

#[test]
fn file_is_a_map_with_the_merge_law() {
    (100..104).for_each(|seed| run(TestStore::file(), seed));
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_is_a_map_with_the_merge_law() {
    (200..204).for_each(|seed| run(TestStore::on("fjall"), seed));
}

#[test]
#[cfg(feature = "fjall")]
fn fjall_memory_is_a_map_with_the_merge_law() {
    (300..302).for_each(|seed| run(TestStore::on("fjall-memory"), seed));
}

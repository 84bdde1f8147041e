//! A store to try things on, and short words for what is done to it.

use std::collections::BTreeMap;

use gridkv_protocol::applier::Stretch;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::page::{Page, PageRequest, Scope};
use gridkv_protocol::{
    Epoch, Frontier, Hlc, Key, Live, NodeId, Op, Origin, Record, State, StoreName, UnixMs, Value,
    Version,
};
use tempfile::TempDir;

use crate::account::Account;
use crate::durability::Durability;
use crate::flusher::StoreFlusher;
use crate::reader::StoreReader;
use crate::registry::{OpenRequest, Registry};
use crate::stats::Counter;
use crate::store::{Store, StoreConfig, open};
use crate::write::{Action, Condition, Ttl, Write, Written};
use crate::writer::{PutError, StoreWriter};

/// When the tests happen, unless they say otherwise.
pub(crate) const NOW: UnixMs = UnixMs(1_000_000);

/// The origin of the store under test; others are the peers.
pub(crate) const OWN: u32 = 1;

/// An open store, with the directory it may keep files in.
pub(crate) struct TestStore {
    pub(crate) writer: StoreWriter,
    pub(crate) reader: StoreReader,
    pub(crate) flusher: StoreFlusher,
    dir: TempDir,
    registry: Registry,
    config: StoreConfig,
}

/// The configuration that tests start from.
pub(crate) fn config(backend: &str) -> StoreConfig {
    StoreConfig {
        name: StoreName::new("main").unwrap(),
        backend: backend.to_owned(),
        default_ttl_ms: None,
        memory_limit_bytes: Some(1 << 30),
        refuse_over_limit: false,
        ring_slots: 1 << 12,
    }
}

impl TestStore {
    pub(crate) fn memory() -> Self {
        Self::on("memory")
    }

    /// A store on the backend of this name.
    pub(crate) fn on(backend: &str) -> Self {
        Self::new(config(backend))
    }

    pub(crate) fn file() -> Self {
        Self::new(config("file"))
    }

    pub(crate) fn new(config: StoreConfig) -> Self {
        Self::of(Registry::with_built_in(), config)
    }

    pub(crate) fn of(registry: Registry, config: StoreConfig) -> Self {
        Self::open(registry, config, tempfile::tempdir().unwrap(), origin(OWN))
    }

    fn open(registry: Registry, config: StoreConfig, dir: TempDir, own: Origin) -> Self {
        let main = dir.path().join("main");
        let mut request = OpenRequest::new(config.name.clone(), Some(main));
        // So small that what tests write goes through every part of an engine.
        request.settings.lsm.memtable_bytes = 32 * 1_024;
        request.settings.lsm.table_bytes = 32 * 1_024;
        request.settings.lsm.hot_cache_bytes = 16 * 1_024;
        let Store { writer, reader, flusher, warnings } =
            open(&registry, config.clone(), own, &request).unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        Self { writer, reader, flusher, dir, registry, config }
    }

    /// Closes it without a word, and opens it in the next epoch.
    pub(crate) fn reopen(self) -> Self {
        let Self { writer, reader, flusher, dir, registry, config } = self;
        let own = writer.origin();
        drop((writer, reader, flusher));
        Self::open(registry, config, dir, Origin::new(own.node(), own.epoch().next()))
    }

    /// Commits what was staged.
    pub(crate) fn commit(&mut self) {
        self.writer.commit(Durability::Memory).unwrap();
    }

    /// Stages a write and commits it.
    pub(crate) fn write(&mut self, write: Write) -> Written {
        let written = self.writer.stage(write, NOW).unwrap();
        self.commit();
        written
    }

    /// Merges a stretch whose writer had seen nothing, and commits it.
    pub(crate) fn merge(&mut self, origin: Origin, upto: u64, ops: &[Op]) {
        self.writer.merge(stretch(origin, upto, &[], ops), NOW).unwrap();
        self.commit();
    }

    /// Merges a page, and commits it.
    pub(crate) fn merge_page(&mut self, ops: &[Op]) {
        self.writer.merge_page(keyed(ops), NOW).unwrap();
        self.commit();
    }

    /// What readers see under a key.
    pub(crate) fn value(&self, text: &str) -> Option<Vec<u8>> {
        let record = self.reader.get(&key(text), NOW).unwrap()?;
        record.live_at(NOW).map(|live| live.value.to_vec())
    }

    /// The record under a key, tombstones included.
    pub(crate) fn record(&self, text: &str) -> Option<Record> {
        all_records(&self.reader).remove(&key(text))
    }

    /// Applied, stale, duplicate, collision.
    pub(crate) fn applies(&self) -> [u64; 4] {
        let applies = self.reader.applies();
        [&applies.applied, &applies.stale, &applies.duplicate, &applies.collision].map(Counter::get)
    }

    /// Conflicts that the remote write won, and that the standing one won.
    pub(crate) fn conflicts(&self) -> [u64; 2] {
        let applies = self.reader.applies();
        [&applies.conflict_remote_won, &applies.conflict_local_won].map(Counter::get)
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn origin(node: u32) -> Origin {
    Origin::new(NodeId(node), Epoch(1))
}

/// A point early enough that everything minted at [`NOW`] is above it.
pub(crate) fn hlc(bits: u64) -> Hlc {
    Hlc::from_bits(bits)
}

/// A point above everything minted at [`NOW`].
pub(crate) fn late(bits: u64) -> u64 {
    Hlc::at(NOW.plus(10)).bits() + bits
}

pub(crate) fn frontier(pairs: &[(Origin, u64)]) -> Frontier {
    pairs.iter().map(|(origin, bits)| (*origin, hlc(*bits))).collect()
}

pub(crate) fn put(key: &str, value: &str) -> Write {
    put_for(key, value, Ttl::StoreDefault)
}

pub(crate) fn put_for(text: &str, value: &str, ttl: Ttl) -> Write {
    let value = Value::copied(value.as_bytes());
    let action = Action::Put { value, content_type: None, ttl };
    Write { key: key(text), action, condition: Condition::default() }
}

pub(crate) fn delete(text: &str) -> Write {
    Write { key: key(text), action: Action::Delete, condition: Condition::default() }
}

pub(crate) fn touch(text: &str, ttl: Ttl) -> Write {
    Write { key: key(text), action: Action::Touch { ttl }, condition: Condition::default() }
}

pub(crate) fn live(value: &str, deadline: Option<UnixMs>) -> State {
    State::Live(Live {
        value: Value::copied(value.as_bytes()),
        content_type: None,
        expires_at: deadline,
    })
}

pub(crate) fn op(origin: Origin, bits: u64, text: &str, state: State) -> Op {
    let version = Version { hlc: hlc(bits), origin };
    Op { key: key(text), record: Record { version, state } }
}

/// An op that puts its own point as text.
pub(crate) fn put_op(origin: Origin, bits: u64, text: &str) -> Op {
    op(origin, bits, text, live(&bits.to_string(), None))
}

pub(crate) fn stretch(origin: Origin, upto: u64, seen: &[(Origin, u64)], ops: &[Op]) -> Stretch {
    Stretch { origin, upto: hlc(upto), seen: frontier(seen), ops: ops.to_vec() }
}

pub(crate) fn keyed(ops: &[Op]) -> Vec<KeyedRecord> {
    let split = |Op { key, record }: &Op| KeyedRecord { key: key.clone(), record: record.clone() };
    ops.iter().map(split).collect()
}

/// Every page that a receiver with `frontier` gets, to the end.
pub(crate) fn pages(reader: &StoreReader, frontier: &Frontier) -> Vec<Page> {
    let mut request = PageRequest {
        store: reader.name().clone(),
        session: 1,
        frontier: frontier.clone(),
        scope: Scope::Missing,
        cursor: None,
    };
    let mut pages = Vec::new();
    loop {
        let page = reader.page(&request, origin(OWN)).unwrap();
        request.cursor.clone_from(&page.next);
        pages.push(page);
        if request.cursor.is_none() {
            return pages;
        }
    }
}

/// Every record, tombstones included, each exactly once.
pub(crate) fn all_records(reader: &StoreReader) -> BTreeMap<Key, Record> {
    let mut all = BTreeMap::new();
    for page in pages(reader, &Frontier::default()) {
        for KeyedRecord { key, record } in page.records {
            assert!(all.insert(key.clone(), record).is_none(), "{key:?} came twice");
        }
    }
    all
}

/// Demands that the counts of a store are those of its records.
pub(crate) fn assert_counts(reader: &StoreReader, records: &BTreeMap<Key, Record>) {
    let mut account = Account::default();
    for (key, record) in records {
        account.add(key, record);
    }
    let stats = reader.stats();
    let counted = [stats.key_count, stats.tombstones, reader.record_bytes()];
    let recounted = [account.keys, account.tombstones, account.bytes];
    assert_eq!(counted.map(|n| i64::try_from(n).unwrap()), recounted);
}

/// Numbers from a seed: the same ones in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.index(at + 1));
        }
    }
}

/// Why a write was refused.
pub(crate) fn refusal(outcome: Result<Written, PutError>) -> crate::write::Rejection {
    match outcome {
        Err(PutError::Rejected(rejection)) => rejection,
        other => panic!("not refused: {other:?}"),
    }
}

//! What survives on disk, and whether settings reach the engine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use gridkv_protocol::{Epoch, Live, NodeId, Origin, State, StoreName, UnixMs, Value, Version};
use tempfile::TempDir;

use super::*;
use crate::backend::{Counts, DeadlineChange, Index};

fn origin() -> Origin {
    Origin::new(NodeId(1), Epoch(1))
}

/// Record `n` of a key; every third has a deadline, every seventh is a tombstone.
pub(super) fn keyed(key: u64, n: u64, bytes: usize) -> KeyedRecord {
    let value: Vec<u8> = n.to_be_bytes().iter().copied().cycle().take(bytes).collect();
    let expires_at = n.is_multiple_of(3).then_some(UnixMs(1_000 + n));
    let live = Live { value: Value::copied(&value), content_type: None, expires_at };
    let state = if n.is_multiple_of(7) { State::Deleted } else { State::Live(live) };
    let version = Version { hlc: Hlc::from_bits(n), origin: origin() };
    let key = Key::new(&format!("key-{key:05}")).unwrap();
    KeyedRecord { key, record: Record { version, state } }
}

fn deadline(record: Option<&Record>) -> Option<UnixMs> {
    record.and_then(crate::schedule::deadline)
}

pub(super) fn frontier(upto: u64) -> Frontier {
    [(origin(), Hlc::from_bits(upto))].into_iter().collect()
}

/// A directory for a store, and what was put into it.
pub(super) struct Disk {
    dir: PathBuf,
    _temporary: Option<TempDir>,
    pub(super) request: OpenRequest,
    pub(super) last: u64,
    pub(super) put: BTreeMap<Key, Record>,
}

impl Disk {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        Self { _temporary: Some(dir), ..Self::in_dir(path) }
    }

    /// In a directory that somebody else removes.
    pub(super) fn in_dir(dir: PathBuf) -> Self {
        let mut request = OpenRequest::new(StoreName::new("main").unwrap(), None);
        let lsm = &mut request.settings.lsm;
        (lsm.memtable_bytes, lsm.table_bytes, lsm.hot_cache_bytes) = (16 << 10, 16 << 10, 0);
        Self { dir, _temporary: None, request, last: 0, put: BTreeMap::new() }
    }

    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("main")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.store().join("lsm")
    }

    pub(super) fn try_open(&self) -> Result<(Fjall, Recovered), BackendError> {
        Fjall::open(&self.store(), &self.request)
    }

    pub(super) fn open(&self) -> Fjall {
        let (backend, recovered) = self.try_open().unwrap();
        assert_eq!(recovered.warnings, Vec::<String>::new());
        backend
    }

    /// Commits `count` records of `bytes` each, over `keys` keys, one by one.
    pub(super) fn fill(&mut self, backend: &Fjall, count: u64, keys: u64, bytes: usize) {
        for n in self.last + 1..=self.last + count {
            let keyed = keyed(n % keys, n, bytes);
            let before = deadline(self.put.get(&keyed.key));
            let after = deadline(Some(&keyed.record));
            let change = DeadlineChange { key: keyed.key.clone(), before, after };
            let deadlines = if before == after { Vec::new() } else { vec![change] };
            self.put.insert(keyed.key.clone(), keyed.record.clone());
            let commit = Commit {
                records: std::slice::from_ref(&keyed),
                removed: &[],
                moved: &[(origin(), Hlc::from_bits(n))],
                floor: Hlc::from_bits(n / 2),
                durability: Durability::Os,
                counts: counts(&self.put, n),
                deadlines: &deadlines,
            };
            assert_eq!(backend.put_batch(&commit).unwrap(), backend.promises.durability);
        }
        self.last += count;
    }

    /// What another process has filled it with, up to `last`.
    pub(super) fn pretend(&mut self, last: u64) {
        for n in 1..=last {
            let KeyedRecord { key, record } = keyed(n % 200, n, 100);
            self.put.insert(key, record);
        }
        self.last = last;
    }

    /// Opens again, and demands all that was put, and the index of it, without a warning.
    pub(super) fn comes_back(&self) -> Fjall {
        let (backend, recovered) = self.try_open().unwrap();
        assert_eq!(recovered.warnings, Vec::<String>::new());
        assert_eq!(recovered.frontier, frontier(self.last));
        assert_eq!(recovered.floor.bits(), self.last / 2);
        let index = recovered.index.map(|index| Index { graves: None, ..index });
        assert_eq!(index, Some(self.index()));
        assert_eq!(all(&backend), self.put);
        backend
    }

    /// What reading every record finds.
    pub(super) fn index(&self) -> Index {
        let counts = counts(&self.put, self.last);
        let at = |(key, record): (&Key, &Record)| Some((deadline(Some(record))?, key.clone()));
        let mut deadlines: Vec<_> = self.put.iter().filter_map(at).collect();
        deadlines.sort();
        Index { counts, deadlines, graves: None }
    }

    /// What the disk has now, whatever the process would still do.
    pub(super) fn as_of_now(&self) -> Self {
        let copied = Self { request: self.request.clone(), put: self.put.clone(), ..Self::new() };
        copy(&self.store(), &copied.store());
        Self { last: self.last, ..copied }
    }

    /// Names in the store's directory that say what was put aside.
    pub(super) fn put_aside(&self) -> Vec<String> {
        let names = fs::read_dir(self.store()).unwrap();
        let names = names.map(|found| found.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("damaged")).collect()
    }

    /// Demands that the damage was noticed, put aside, and that the store works.
    pub(super) fn starts_anew(&self) {
        let (backend, recovered) = self.try_open().unwrap();
        let Recovered { frontier, floor, index, warnings } = recovered;
        assert_eq!((frontier, floor, index), Default::default());
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        let [name] = &self.put_aside()[..] else { panic!("{:?}", self.put_aside()) };
        assert!(warning.contains(name) && warning.contains("peers"), "{warning}");
        assert_eq!(all(&backend), BTreeMap::new());
        drop(backend);
        let mut anew = Self { last: 0, put: BTreeMap::new(), ..self.as_of_now() };
        let backend = anew.open();
        anew.fill(&backend, 20, 10, 50);
        drop(backend);
        drop(anew.comes_back());
    }
}

fn counts(put: &BTreeMap<Key, Record>, greatest: u64) -> Counts {
    let live = put.values().filter(|record| matches!(record.state, State::Live(_))).count();
    let (keys, all) = (u64::try_from(live).unwrap(), u64::try_from(put.len()).unwrap());
    let greatest = Hlc::from_bits(greatest);
    Counts { keys, tombstones: all - keys, bytes: 100 * all, greatest, loose: false }
}

pub(super) fn all(backend: &Fjall) -> BTreeMap<Key, Record> {
    let mut all = BTreeMap::new();
    let mut from: Option<Key> = None;
    loop {
        let bound = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
        let walk = backend.list(bound, 100).unwrap();
        all.extend(walk.records.into_iter().map(|keyed| (keyed.key, keyed.record)));
        from = walk.next;
        if from.is_none() {
            return all;
        }
    }
}

/// Copies a directory as it is at one moment: fjall's own threads may rename and remove files meanwhile, so a copy counts
/// once nothing changed while it was made.
fn copy(from: &Path, to: &Path) {
    for _ in 0..1_000 {
        fs::create_dir_all(to).unwrap();
        let copied = listed(from).and_then(|before| {
            try_copy(from, to)?;
            Ok(listed(from)? == before)
        });
        if matches!(copied, Ok(true)) {
            return;
        }
        fs::remove_dir_all(to).unwrap();
    }
    panic!("{} is never still", from.display());
}

fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    for found in fs::read_dir(from)? {
        let found = found?;
        let to = to.join(found.file_name());
        if found.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            try_copy(&found.path(), &to)?;
        } else {
            fs::copy(found.path(), to)?;
        }
    }
    Ok(())
}

/// Every file beneath a directory, with its length and when it was last written.
fn listed(dir: &Path) -> io::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut files = BTreeMap::new();
    for found in fs::read_dir(dir)? {
        let found = found?;
        let about = found.metadata()?;
        if about.is_dir() {
            files.extend(listed(&found.path())?);
        } else {
            files.insert(found.path(), (about.len(), about.modified()?));
        }
    }
    Ok(files)
}

/// Every file beneath a directory, in order.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for found in fs::read_dir(dir).unwrap() {
        let path = found.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn what_was_committed_is_there_after_a_kill_and_after_a_restart() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 500, 200, 100);
    // Nothing was flushed or closed.
    let killed = disk.as_of_now();
    drop(killed.comes_back());
    disk.fill(&backend, 300, 300, 100);
    drop(backend);
    let backend = disk.comes_back();
    disk.fill(&backend, 10, 300, 100);
    let ahead = frontier(disk.last + 5);
    backend.flush(&ahead, Hlc::from_bits(disk.last)).unwrap();
    drop(backend);
    let (backend, recovered) = disk.try_open().unwrap();
    assert_eq!((recovered.frontier, recovered.floor), (ahead, Hlc::from_bits(disk.last)));
    assert_eq!(recovered.index, Some(disk.index()), "a flush does not change the index");
    assert_eq!(all(&backend), disk.put);
}

#[test]
fn a_flush_that_was_overtaken_takes_nothing_back() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 20, 10, 10);
    backend.flush(&frontier(7), Hlc::from_bits(3)).unwrap();
    drop(backend);
    disk.comes_back();
}

#[test]
fn time_that_was_closed_is_written_with_the_next_record_and_not_alone() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 3, 3, 10);
    let closes = |n| (Origin::from_bits(n), Hlc::from_bits(100 * n));
    let floor = Hlc::from_bits(disk.last / 2);
    let before = backend.engine.disk_bytes();
    for n in 7..9 {
        let moved = [closes(n)];
        let commit = Commit { moved: &moved, floor, ..Commit::default() };
        assert_eq!(backend.put_batch(&commit).unwrap(), Durability::Memory);
    }
    assert_eq!(backend.engine.disk_bytes(), before);
    disk.fill(&backend, 1, 3, 10);
    drop(backend);
    let (_, recovered) = disk.try_open().unwrap();
    let wanted = [(origin(), Hlc::from_bits(4)), closes(7), closes(8)];
    assert_eq!(recovered.frontier, wanted.into_iter().collect());
}

#[test]
fn promises_follow_the_settings() {
    let mut disk = Disk::new();
    for (asked, promised) in [
        (Durability::Memory, Durability::Os),
        (Durability::Os, Durability::Os),
        (Durability::Fsync, Durability::Fsync),
    ] {
        disk.request.settings.durability = asked;
        let promises = disk.open().promises();
        assert_eq!((promises.durability, promises.best), (promised, Durability::Fsync));
        assert!(promises.persistent && !promises.cache && !promises.hot_tier);
    }
    disk.request.settings.lsm.hot_cache_bytes = 1 << 20;
    let backend = disk.open();
    assert!(backend.promises().hot_tier);
    assert_eq!(backend.get_near("key-00001").unwrap(), Near::Far);
    disk.last = 7;
    disk.fill(&backend, 1, 8, 10);
    backend.get("key-00000").unwrap();
    backend.get("key-00000").unwrap();
    let near = backend.get_near("key-00000").unwrap();
    assert!(matches!(near, Near::Known(Some(_))), "{near:?}");
}

/// What the writer looks up before each change is no use of the record: else every key that is only
/// written would become hot.
#[test]
fn what_is_only_written_does_not_become_hot() {
    let mut disk = Disk::new();
    disk.request.settings.lsm.hot_cache_bytes = 1 << 20;
    let backend = disk.open();
    disk.last = 7;
    disk.fill(&backend, 1, 8, 10);
    for _ in 0..3 {
        assert!(backend.get_standing("key-00000").unwrap().is_some());
    }
    assert_eq!(backend.get_near("key-00000").unwrap(), Near::Far);
    backend.get("key-00000").unwrap();
    backend.get("key-00000").unwrap();
    assert_ne!(backend.get_near("key-00000").unwrap(), Near::Far);
    assert!(backend.get_standing("key-00000").unwrap().is_some());
}

/// Both backends of the engine: what the tier does not have is missed, wherever it is found then.
#[test]
fn only_what_the_tier_has_is_a_hit() {
    use crate::test_store::{NOW, TestStore, key, put};
    for name in ["fjall", "fjall-memory"] {
        if name == "fjall-memory" && tempfile::tempdir_in(volatile::ROOT).is_err() {
            continue;
        }
        let mut store = TestStore::on(name);
        for _ in 0..3 {
            store.write(put("k", "v"));
        }
        let counts = || {
            let counts = store.reader.stats().cache.unwrap();
            (counts.hits, counts.misses)
        };
        for wanted in [(0, 1), (0, 2), (1, 2), (2, 2)] {
            assert!(store.reader.get(&key("k"), NOW).unwrap().is_some());
            assert_eq!(counts(), wanted, "{name}");
        }
        assert_eq!(store.reader.operations().get_hit.get(), 4);
        let near = store.reader.get_near(&key("absent"), NOW).unwrap();
        assert_eq!(near == Near::Far, name == "fjall", "only a disk is far");
    }
}

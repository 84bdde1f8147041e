//! What survives on disk, and what damage does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use gridkv_protocol::frame::Format;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Epoch, Live, NodeId, Origin, State, StoreName, Value, Version};
use tempfile::TempDir;

use super::*;
use crate::conformance;

#[path = "file/damage_test.rs"]
mod damage;

/// The version of record `n`.
fn version(n: u64) -> Version {
    Version { hlc: Hlc::from_bits(n), origin: Origin::new(NodeId(1), Epoch(1)) }
}

fn record(key: u64, n: u64, value: &[u8]) -> KeyedRecord {
    let live = Live { value: Value::copied(value), content_type: None, expires_at: None };
    let key = Key::new(&format!("key-{key:05}")).unwrap();
    KeyedRecord { key, record: Record { version: version(n), state: State::Live(live) } }
}

/// A directory for a store, and what was put into it.
struct Disk {
    dir: TempDir,
    settings: Settings,
    last: u64,
    put: BTreeMap<Key, Record>,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, settings: Settings::default(), last: 0, put: BTreeMap::new() }
    }

    fn try_open(&self) -> Result<(File, Recovered), BackendError> {
        let files = Generations::of(self.dir.path().join("main"))?;
        File::open(files, &self.settings, &Progress::default())
    }

    fn open(&self) -> File {
        let (file, recovered) = self.try_open().unwrap();
        assert_eq!(recovered.warnings, Vec::<String>::new());
        file
    }

    /// Commits `count` records of `bytes` each, over `keys` keys, one by one.
    fn fill(&mut self, file: &File, count: u64, keys: u64, bytes: usize) {
        for n in self.last + 1..=self.last + count {
            let value: Vec<u8> = n.to_be_bytes().iter().copied().cycle().take(bytes).collect();
            let keyed = record(n % keys, n, &value);
            let moved = [(version(n).origin, version(n).hlc)];
            let floor = Hlc::from_bits(n / 2);
            let records = std::slice::from_ref(&keyed);
            let commit = Commit { records, moved: &moved, floor, ..Commit::default() };
            assert_eq!(file.put_batch(&commit).unwrap(), self.settings.durability);
            self.put.insert(keyed.key, keyed.record);
        }
        self.last += count;
    }

    fn frontier(&self) -> Frontier {
        [(version(1).origin, Hlc::from_bits(self.last))].into_iter().collect()
    }

    /// Opens again, and demands everything that was put, without a warning.
    fn comes_back(&self) -> File {
        let (file, recovered) = self.try_open().unwrap();
        assert_eq!(recovered.warnings, Vec::<String>::new());
        assert_eq!(
            (&recovered.frontier, recovered.floor.bits()),
            (&self.frontier(), self.last / 2)
        );
        assert_eq!(all(&file), self.put);
        file
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("main").join(name)
    }

    /// The names of its files, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "lock");
        names.sort();
        names
    }

    /// Its files and what is in them.
    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let read = |name: String| (name.clone(), fs::read(self.path(&name)).unwrap());
        self.names().into_iter().map(read).collect()
    }

    /// Puts back what was there.
    fn restore(&self, contents: &BTreeMap<String, Vec<u8>>) {
        for name in self.names() {
            fs::remove_file(self.path(&name)).unwrap();
        }
        for (name, bytes) in contents {
            fs::write(self.path(name), bytes).unwrap();
        }
    }
}

fn all(file: &File) -> BTreeMap<Key, Record> {
    let (mut records, mut from) = (BTreeMap::new(), None::<Key>);
    loop {
        let bound = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_str()));
        let walk = file.list(bound, WALK_CHUNK).unwrap();
        records.extend(walk.records.into_iter().map(|keyed| (keyed.key, keyed.record)));
        from = walk.next;
        if from.is_none() {
            return records;
        }
    }
}

#[test]
fn the_end_of_the_process_loses_no_commit() {
    let mut disk = Disk::new();
    for round in 1..=4 {
        let file = disk.open();
        disk.fill(&file, 500, 700, 40);
        drop(file); // never flushed
        disk.comes_back();
        assert_eq!(disk.names(), ["journal-0"], "round {round}");
    }
}

#[test]
fn two_can_not_open_one_store() {
    let disk = Disk::new();
    let file = disk.open();
    let refused = disk.try_open().err().unwrap();
    assert!(
        matches!(&refused, BackendError::Io { source, .. } if source.to_string().contains("another process"))
    );
    drop(file);
    disk.open();
}

#[test]
fn a_flush_writes_time_that_was_closed_without_a_change() {
    let mut disk = Disk::new();
    let file = disk.open();
    disk.fill(&file, 10, 10, 10);
    let before = file.footprint();
    let moved = [(version(99).origin, version(99).hlc)];
    let commit = Commit { moved: &moved, floor: Hlc::from_bits(5), ..Commit::default() };
    let reached = file.put_batch(&commit).unwrap();
    assert_eq!((reached, file.footprint()), (Durability::Memory, before), "nothing is written yet");
    disk.last = 99;
    file.flush(&disk.frontier(), Hlc::from_bits(49)).unwrap();
    let flushed = file.footprint();
    assert!(flushed.disk_bytes > before.disk_bytes);
    file.flush(&disk.frontier(), Hlc::from_bits(49)).unwrap();
    assert_eq!(file.footprint(), flushed, "there is nothing new to write");
    drop(file);
    disk.comes_back();
}

/// Fills until `images` images were written, with a flush after each stretch as the persist loop does.
fn fill_until_images(disk: &mut Disk, file: &File, images: usize) {
    let mut written = 0;
    while written < images {
        disk.fill(file, 200, 400, 60_000);
        file.flush(&disk.frontier(), Hlc::from_bits(disk.last / 2)).unwrap();
        written += usize::from(file.compact().unwrap());
    }
}

#[test]
fn a_journal_that_outgrows_the_image_becomes_one_and_two_generations_stay() {
    let mut disk = Disk::new();
    let file = disk.open();
    assert!(!file.compact().unwrap(), "an empty journal is not worth an image");
    fill_until_images(&mut disk, &file, 1);
    assert_eq!(disk.names(), ["image-1", "journal-0", "journal-1"]);
    fill_until_images(&mut disk, &file, 2);
    disk.fill(&file, 5, 400, 10);
    assert_eq!(disk.names(), ["image-2", "image-3", "journal-2", "journal-3"]);
    let bytes = |(_, bytes): (_, Vec<u8>)| u64::try_from(bytes.len()).unwrap();
    let on_disk: u64 = disk.contents().into_iter().map(bytes).sum();
    assert_eq!(file.footprint().disk_bytes, Some(on_disk));
    drop(file);
    let file = disk.comes_back();
    assert_eq!(file.footprint().disk_bytes, Some(on_disk));
}

#[test]
fn a_compressed_image_is_smaller_and_brings_back_the_same() {
    let sizes = [Compression::None, Compression::Lz4].map(|compression| {
        let mut disk = Disk::new();
        disk.settings.compression = compression;
        let file = disk.open();
        fill_until_images(&mut disk, &file, 1);
        drop(file);
        disk.comes_back();
        fs::metadata(disk.path("image-1")).unwrap().len()
    });
    assert!(sizes[1] * 10 < sizes[0], "{sizes:?}");
}

#[test]
fn an_image_that_is_written_beside_commits_misses_none() {
    let mut disk = Disk::new();
    let file = Arc::new(disk.open());
    fill_until_images(&mut disk, &file, 1);
    let ends = Arc::new(AtomicBool::new(false));
    let images = {
        let (file, ends) = (Arc::clone(&file), Arc::clone(&ends));
        std::thread::spawn(move || {
            while !ends.load(Ordering::Acquire) {
                file.renew().unwrap();
            }
        })
    };
    disk.fill(&file, 3_000, 400, 500);
    ends.store(true, Ordering::Release);
    images.join().unwrap();
    drop(file);
    disk.comes_back();
}

#[test]
fn an_unfinished_image_is_not_looked_at() {
    let mut disk = Disk::new();
    disk.fill(&disk.open(), 10, 10, 10);
    fs::write(disk.path("image.tmp"), b"half an image").unwrap();
    disk.comes_back();
    assert_eq!(disk.names(), ["journal-0"]);
}

/// A journal that can not be appended to nor cut is not used any more.
#[test]
fn an_append_that_leaves_the_file_unknown_is_the_end() {
    let disk = Disk::new();
    let file = disk.open();
    let read_only = Segment::read_only(disk.path("journal-0"));
    file.journal.lock().unwrap().turn_to(read_only);
    for _ in 0..2 {
        let keyed = record(1, 1, b"v");
        let commit = Commit { records: &[keyed], ..Commit::default() };
        assert!(matches!(file.put_batch(&commit), Err(CommitError::Unknown(_))));
        assert!(all(&file).is_empty());
    }
}

/// Time that was closed without a change goes to the disk with the next commit, before it is claimed there.
#[test]
fn what_is_claimed_as_durable_is_in_the_files() {
    let disk = Disk::new();
    let file = disk.open();
    let silent = Origin::new(NodeId(2), Epoch(1));
    let moved = [(silent, Hlc::from_bits(77))];
    file.put_batch(&Commit { moved: &moved, ..Commit::default() }).unwrap();
    let keyed = record(1, 1, b"v");
    let durability = Durability::Fsync;
    file.put_batch(&Commit { records: &[keyed], durability, ..Commit::default() }).unwrap();
    drop(file);
    let (_, recovered) = disk.try_open().unwrap();
    assert_eq!(recovered.frontier.get(silent), Hlc::from_bits(77));
}

/// After a failed fsync nothing is claimed any more, whatever a later one says.
#[test]
fn a_failed_fsync_is_for_ever() {
    let disk = Disk::new();
    let file = disk.open();
    file.flush(&Frontier::default(), Hlc::ZERO).unwrap();
    file.journal.lock().unwrap().fail();
    for _ in 0..2 {
        let flushed = file.flush(&Frontier::default(), Hlc::ZERO);
        assert!(matches!(flushed, Err(BackendError::Poisoned)), "{flushed:?}");
        let heartbeat = file.put_batch(&Commit::default());
        assert!(matches!(heartbeat, Err(CommitError::Unknown(BackendError::Poisoned))));
    }
}

/// The file before the one that grows is brought to the disk before anything after it is claimed.
#[test]
fn an_fsync_reaches_the_journal_before_too() {
    let disk = Disk::new();
    let file = disk.open();
    let segment = Segment::create(disk.path("journal-1"), &disk.path("")).unwrap();
    let mut journal = file.journal.lock().unwrap();
    journal.turn_to(segment);
    assert_eq!(journal.files().len(), 2);
    journal.sync().unwrap();
    assert_eq!(journal.files().len(), 1);
}

/// What stands in the way of an image is told, and once it is gone the image is written, however short the
/// journal is by then.
#[test]
fn an_image_that_could_not_be_written_is_tried_again() {
    let mut disk = Disk::new();
    let file = disk.open();
    disk.fill(&file, 300, 400, 60_000);
    fs::create_dir(disk.path("image.tmp")).unwrap();
    for _ in 0..2 {
        file.compact().unwrap_err();
        disk.fill(&file, 1, 400, 10);
    }
    fs::remove_dir(disk.path("image.tmp")).unwrap();
    assert!(file.compact().unwrap());
    drop(file);
    disk.comes_back();
}

#[test]
fn an_fsync_is_given_when_it_is_asked_for() {
    let disk = Disk::new();
    let file = disk.open();
    let keyed = record(1, 1, b"v");
    let commit = Commit { records: &[keyed], durability: Durability::Fsync, ..Commit::default() };
    assert_eq!(file.put_batch(&commit).unwrap(), Durability::Fsync);
    assert_eq!(file.promises().durability, Durability::Os);
}

#[test]
fn without_a_directory_it_says_so() {
    let request = OpenRequest::new(StoreName::new("main").unwrap(), None);
    assert!(matches!(open(&request), Err(OpenError::NeedsDirectory { .. })));
}

#[test]
fn a_compressed_store_conforms_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut request =
        OpenRequest::new(StoreName::new("main").unwrap(), Some(dir.path().join("main")));
    request.settings.compression = Compression::Lz4;
    request.settings.durability = Durability::Fsync;
    conformance::run_persistent(&|| open(&request)).unwrap();
}

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

/// A store of two generations, small enough to be damaged everywhere.
fn two_generations() -> Disk {
    let mut disk = Disk::new();
    let file = disk.open();
    for _ in 0..3 {
        disk.fill(&file, 4, 6, 4);
        file.renew().unwrap();
    }
    disk.fill(&file, 4, 6, 4);
    disk
}

/// Demands that what is there was once put, that nothing is claimed that is missing, and that nothing is
/// missing in silence. (A last journal that was cut between two commits leaves no trace in the files.)
fn check_damaged(disk: &Disk, what: &str) {
    let (file, recovered) = disk.try_open().unwrap();
    let found = all(&file);
    for (key, wanted) in &disk.put {
        let there = found.get(key);
        if let Some(record) = there {
            let n = record.version.hlc.bits();
            let value: Vec<u8> = n.to_be_bytes().iter().copied().cycle().take(4).collect();
            let State::Live(live) = &record.state else { panic!("{what}: {record:?}") };
            assert_eq!(*live.value, value, "{what}: a value that nobody wrote");
        }
        if there != Some(wanted) {
            assert!(!recovered.frontier.covers(wanted.version), "{what}: {key:?} is claimed");
            let silent = recovered.warnings.is_empty() && !what.starts_with("journal-3 cut");
            assert!(!silent, "{what}: {key:?} is missing in silence");
        }
    }
    drop(file);
    let (file, again) = disk.try_open().unwrap();
    assert_eq!((all(&file), again.frontier), (found, recovered.frontier), "{what}: once more");
    assert_eq!(again.warnings, Vec::<String>::new(), "{what}: the second start is clean");
}

#[test]
fn damage_anywhere_is_noticed_put_aside_and_never_claimed() {
    let disk = two_generations();
    let good = disk.contents();
    assert_eq!(disk.names(), ["image-2", "image-3", "journal-2", "journal-3"]);
    for (name, bytes) in &good {
        for at in (0..bytes.len()).step_by(5) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let cut = bytes[..at].to_vec();
            for (how, bad) in [("flipped", flipped), ("cut", cut)] {
                let mut damaged = good.clone();
                damaged.insert(name.clone(), bad.clone());
                disk.restore(&damaged);
                check_damaged(&disk, &format!("{name} {how} at {at}"));
                let is_kept = disk.contents().values().any(|kept| kept.starts_with(&bad));
                let is_tail = name == "journal-3";
                assert!(is_kept || is_tail, "{name} {how} at {at}: what is damaged is kept");
            }
        }
    }
}

#[test]
fn one_damaged_image_costs_nothing() {
    let disk = two_generations();
    let good = disk.contents();
    for image in ["image-2", "image-3"] {
        disk.restore(&good);
        fs::write(disk.path(image), b"GKVIwhatever").unwrap();
        let (file, recovered) = disk.try_open().unwrap();
        assert_eq!((all(&file), &recovered.frontier), (disk.put.clone(), &disk.frontier()));
    }
}

#[test]
fn a_file_that_is_gone_is_no_frontier_to_believe() {
    let disk = two_generations();
    let good = disk.contents();
    for name in good.keys() {
        disk.restore(&good);
        fs::remove_file(disk.path(name)).unwrap();
        let what = format!("without {name}");
        // What only the older image needs is not missed, and a last journal leaves no trace.
        if name == "image-3" {
            check_damaged(&disk, &what);
        } else {
            let (file, recovered) = disk.try_open().unwrap();
            assert!(all(&file).values().all(|record| recovered.frontier.covers(record.version)));
        }
    }
}

#[test]
fn the_image_of_the_first_version_is_read() {
    let disk = Disk::new();
    let records = [record(1, 1, b"first"), record(2, 2, b"second")];
    let first = Format { version: 1, ..image::FORMAT };
    let frontier: Frontier = [(version(2).origin, version(2).hlc)].into_iter().collect();
    let encode = |bytes: Result<Vec<u8>, _>| bytes.unwrap_or_else(|error| panic!("{error:?}"));
    let frames = [
        first.wrap(
            1,
            &encode(gridkv_protocol::codec::encode(&(&frontier, Hlc::from_bits(1)))),
            999,
        ),
        first.wrap(2, &encode(gridkv_protocol::codec::encode(&records[..])), 999),
        first.wrap(3, &encode(gridkv_protocol::codec::encode(&(2_u64,))), 999),
    ];
    let image: Vec<u8> = frames.into_iter().flat_map(Result::unwrap).collect();
    fs::create_dir(disk.path("")).unwrap();
    fs::write(disk.path("image"), image).unwrap();
    for _ in 0..2 {
        let (file, recovered) = disk.try_open().unwrap();
        assert_eq!((recovered.warnings.len(), &recovered.frontier), (0, &frontier));
        let wanted = records.iter().map(|keyed| (keyed.key.clone(), keyed.record.clone()));
        assert_eq!(all(&file), wanted.collect());
    }
}

/// A later version is no damage: an older program leaves the files alone instead of starting empty.
#[test]
fn a_file_of_a_later_version_stops_the_start_and_is_left_alone() {
    let disk = two_generations();
    let good = disk.contents();
    for (name, format) in [("image-3", image::FORMAT), ("journal-3", journal::FORMAT)] {
        disk.restore(&good);
        let later = Format { version: format.version + 1, ..format };
        fs::write(disk.path(name), later.wrap(1, b"whatever comes then", 100).unwrap()).unwrap();
        let before = disk.contents();
        let Err(BackendError::Foreign { version, .. }) = disk.try_open() else {
            panic!("{name} was read")
        };
        assert_eq!((version, disk.contents()), (later.version, before));
    }
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

//! What survives on disk, and what damage does.

use gridkv_protocol::frame::Format;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Epoch, Live, NodeId, Origin, State, StoreName, Value, Version};

use super::*;

fn record(n: u64) -> KeyedRecord {
    let origin = Origin::new(NodeId(1), Epoch(1));
    let live =
        Live { value: Value::copied(&n.to_be_bytes()), content_type: None, expires_at: None };
    KeyedRecord {
        key: Key::new(&format!("key-{n:05}")).unwrap(),
        record: Record {
            version: Version { hlc: Hlc::from_bits(n), origin },
            state: State::Live(live),
        },
    }
}

fn open_at(dir: &Path) -> (Arc<dyn Backend>, Recovered) {
    let request = OpenRequest::new(StoreName::new("main").unwrap(), Some(dir.join("main")));
    open(&request).unwrap()
}

fn filled(dir: &Path, records: u64) -> Frontier {
    let (file, _) = open_at(dir);
    let all: Vec<_> = (1..=records).map(record).collect();
    file.put_batch(&Commit { records: &all, ..Commit::default() }).unwrap();
    let origin = Origin::new(NodeId(1), Epoch(1));
    let frontier: Frontier = [(origin, Hlc::from_bits(records))].into_iter().collect();
    file.flush(&frontier, Hlc::from_bits(3)).unwrap();
    frontier
}

#[test]
fn an_image_brings_back_records_frontier_and_floor() {
    let dir = tempfile::tempdir().unwrap();
    let frontier = filled(dir.path(), 5_000);
    let (file, recovered) = open_at(dir.path());
    assert_eq!((recovered.frontier, recovered.floor), (frontier, Hlc::from_bits(3)));
    assert!(recovered.warnings.is_empty());
    for n in 1..=5_000 {
        let keyed = record(n);
        assert_eq!(file.get(keyed.key.as_str()).unwrap(), Some(keyed.record));
    }
    let on_disk = fs::metadata(dir.path().join("main").join(IMAGE)).unwrap().len();
    assert_eq!(file.footprint().disk_bytes, Some(on_disk));
}

#[test]
fn an_unfinished_image_is_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 10);
    let unfinished = dir.path().join("main").join(UNFINISHED);
    fs::write(&unfinished, b"half an image").unwrap();
    let (file, _) = open_at(dir.path());
    assert!(file.get("key-00001").unwrap().is_some());
    assert!(!unfinished.try_exists().unwrap());
}

/// Every byte is under a checksum: flip any bit or cut anywhere, and the image is put aside whole.
#[test]
fn damage_anywhere_is_noticed_and_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 20);
    let path = dir.path().join("main").join(IMAGE);
    let good = fs::read(&path).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        bad
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    let longer = std::iter::once([&good[..], b"x"].concat());
    for (n, bad) in flipped.chain(cut).chain(longer).enumerate() {
        fs::write(&path, &bad).unwrap();
        let (file, recovered) = open_at(dir.path());
        assert_eq!(recovered.warnings.len(), 1, "damage {n} was not noticed");
        assert!(recovered.frontier.is_empty(), "a damaged image promises nothing");
        assert_eq!(file.get("key-00001").unwrap(), None);
        let aside = dir.path().join("main").join(format!("{IMAGE}.damaged-0"));
        assert_eq!(fs::read(&aside).unwrap(), bad, "what is damaged is kept");
        fs::remove_file(aside).unwrap();
    }
}

/// A later version is no damage: an older program leaves the image alone instead of starting empty.
#[test]
fn an_image_of_another_version_stops_the_start_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    let path = dir.path().join("main").join(IMAGE);
    let later = Format { version: image::FORMAT.version + 1, ..image::FORMAT };
    let frame = later.wrap(1, b"whatever comes then", 100).unwrap();
    fs::write(&path, &frame).unwrap();
    let request = OpenRequest::new(StoreName::new("main").unwrap(), Some(dir.path().join("main")));
    let refused = open(&request).err().unwrap();
    let OpenError::Backend { source: BackendError::Foreign { version, .. }, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(version, later.version);
    assert_eq!(fs::read(&path).unwrap(), frame);
}

#[test]
fn without_a_directory_it_says_so() {
    let request = OpenRequest::new(StoreName::new("main").unwrap(), None);
    assert!(matches!(open(&request), Err(OpenError::NeedsDirectory { .. })));
}

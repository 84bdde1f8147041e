//! What damage does to the files of a store: it is noticed, put aside, and never claimed.

use super::*;

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
    let keeps_out = recovered.floor > recovered.frontier.greatest();
    assert!(!keeps_out, "{what}: what peers give back would be below the floor");
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

//! What damage does: nothing wrong is read, nothing is claimed that is missing, and nothing is deleted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use gridkv_protocol::{Frontier, Hlc};

use super::tests::{Disk, all, files, keyed};
use crate::backend::{Backend as _, BackendError, Commit, CommitError};
use crate::test_store::Dice;

#[test]
fn a_second_process_is_refused_and_changes_nothing() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 50, 50, 10);
    let refused = disk.try_open().err().unwrap();
    let BackendError::Io { source, .. } = &refused else { panic!("{refused}") };
    assert!(source.to_string().contains("another process"), "{source}");
    disk.fill(&backend, 50, 50, 10);
    drop(backend);
    disk.comes_back();
    assert_eq!(disk.put_aside(), Vec::<String>::new());
}

#[test]
fn a_database_that_ended_the_process_again_and_again_is_put_aside() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 50, 50, 10);
    drop(backend);
    for unended in ["1\n", "4\n"] {
        fs::write(disk.store().join("opening"), unended).unwrap();
        drop(disk.comes_back());
    }
    fs::write(disk.store().join("opening"), "5\n").unwrap();
    disk.starts_anew();
}

#[test]
fn a_database_of_a_later_version_stops_the_start_and_is_left_alone() {
    use gridkv_protocol::frame::Format;
    let disk = Disk::new();
    drop(disk.open());
    let later = Format { magic: *b"GKVL", version: 2 }.wrap(0, b"anything", 100).unwrap();
    fs::write(disk.database().join("gridkv"), later).unwrap();
    let refused = disk.try_open().err().unwrap();
    assert!(matches!(refused, BackendError::Foreign { version: 2, .. }), "{refused}");
    assert_eq!(disk.put_aside(), Vec::<String>::new());
}

#[test]
fn garbage_and_missing_files_are_put_aside() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 400, 200, 100);
    drop(backend);
    drop(disk.comes_back());
    let (database, mut noticed) = (disk.database(), 0);
    for path in files(&database) {
        let name = path.strip_prefix(&database).unwrap();
        if name.ends_with("lock") || name.starts_with("keyspaces/0") {
            continue; // of the lock nothing is read; some of the others are not needed
        }
        for content in [None, Some(vec![0xa5; 5_000])] {
            let damaged = disk.as_of_now();
            let path = damaged.database().join(name);
            match content {
                None => fs::remove_file(path).unwrap(),
                Some(_) if path.extension().is_some_and(|found| found == "jnl") => continue,
                Some(garbage) => fs::write(path, garbage).unwrap(),
            }
            let (backend, recovered) = damaged.try_open().unwrap();
            if recovered.warnings.is_empty() {
                // A list or a table that has a successor, and was not removed yet.
                assert_eq!(all(&backend), damaged.put, "{}", name.display());
                continue;
            }
            let claims = (&recovered.frontier, recovered.floor);
            assert_eq!(claims, (&Frontier::default(), Hlc::ZERO), "{}", name.display());
            noticed += 1;
        }
    }
    // At least the version, the seal, the journal, and of the rows the list and one table.
    assert!(noticed >= 9, "{noticed}");
    fs::write(database.join("keyspaces/0/current"), [0; 25]).unwrap();
    disk.starts_anew();
}

/// Opens a copy of `whole` with one bit flipped, and demands that nothing wrong is read, and nothing is
/// claimed that is missing. Says what was seen.
fn flipped(whole: &Disk, dice: &mut Dice) -> String {
    let damaged = whole.as_of_now();
    let files = files(&damaged.database());
    let path = &files[dice.index(files.len())];
    let mut bytes = fs::read(path).unwrap();
    if bytes.is_empty() {
        return "nothing to flip".to_owned();
    }
    let bit = dice.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
    let what = format!("bit {bit} of {}", path.display());
    let opened = catch_unwind(AssertUnwindSafe(|| damaged.try_open()));
    let Ok(opened) = opened else { panic!("{what}: the open panicked") };
    let Ok((backend, recovered)) = opened else { return "refused".to_owned() };
    let (mut missing, mut unread) = (0, 0);
    for (key, wanted) in &damaged.put {
        match backend.get(key.as_str()) {
            Err(_) => unread += 1,
            Ok(Some(found)) if found == *wanted => {}
            Ok(found) => {
                let claimed = recovered.frontier.covers(wanted.version);
                assert!(!claimed, "{what}: {key:?} is claimed, and is {found:?} for {wanted:?}");
                let n = found.as_ref().map_or(0, |found| found.version.hlc.bits());
                let earlier = n == 0
                    || (n % 200 == wanted.version.hlc.bits() % 200
                        && found == Some(keyed(n % 200, n, 100).record));
                assert!(earlier, "{what}: {key:?} was never {found:?}");
                missing += 1;
            }
        }
    }
    if let Some(index) = recovered.index.filter(|_| missing == 0 && recovered.warnings.is_empty()) {
        assert_eq!(index, damaged.index(), "{what}");
    }
    let kind = if damaged.put_aside().is_empty() { "opened" } else { "put aside" };
    let seen = |n, name| if n > 0 { name } else { "" };
    format!("{kind}{}{}", seen(unread, ", some unreadable"), seen(missing, ", newest gone"))
}

fn flips(seed: u64, count: u64) -> BTreeMap<String, u64> {
    let mut disk = Disk::new();
    let backend = disk.open();
    // Tables, and a journal with more than them.
    disk.fill(&backend, 600, 200, 100);
    drop(backend);
    drop(disk.comes_back()); // the journal is now as long as what is in it
    let (mut dice, mut outcomes) = (Dice(seed), BTreeMap::new());
    for _ in 0..count {
        *outcomes.entry(flipped(&disk, &mut dice)).or_default() += 1;
    }
    outcomes
}

#[test]
fn a_flipped_bit_is_never_a_wrong_or_a_claimed_and_missing_record() {
    let outcomes = flips(1, 60);
    assert!(outcomes.len() > 2, "{outcomes:?}");
}

#[test]
#[ignore = "minutes: for a change of the engine"]
fn thousands_of_flipped_bits_are_never_a_wrong_or_a_claimed_and_missing_record() {
    println!("{:#?}", flips(2, 3_000));
}

/// The child of the next test: writes until it is killed, and says what was acknowledged.
#[test]
#[ignore = "started by another test"]
fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var(KILLED) else { return };
    let mut disk = Disk::in_dir(dir.into());
    let backend = disk.open();
    loop {
        disk.fill(&backend, 1, 200, 100);
        println!("{ACKNOWLEDGED}{}", disk.last);
    }
}

const KILLED: &str = "GRIDKV_TEST_KILLED";
const ACKNOWLEDGED: &str = "acknowledged ";

#[test]
fn a_process_that_is_killed_loses_nothing_that_it_acknowledged() {
    let mut dice = Dice(7);
    for _ in 0..6 {
        let mut disk = Disk::new();
        let name = format!("{}::writes_until_it_is_killed", module_path!());
        let name = name.split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", name, "--nocapture"])
            .env(KILLED, disk.store().parent().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let enough = 50 + dice.below(3_000);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers =
            lines.filter_map(|line| line.unwrap().split_once(ACKNOWLEDGED)?.1.parse::<u64>().ok());
        let mut acknowledged = 0;
        for number in numbers {
            acknowledged = number;
            if number == enough {
                child.kill().unwrap(); // what is in the pipe by then was acknowledged too
            }
        }
        child.wait().unwrap();
        assert!(acknowledged >= enough);
        let (backend, recovered) = disk.try_open().unwrap();
        drop(backend);
        let found = recovered.frontier.iter().next().unwrap().1.bits();
        assert!(found == acknowledged || found == acknowledged + 1, "{found} {acknowledged}");
        disk.pretend(found);
        drop(disk.comes_back());
    }
}

#[test]
fn a_database_that_can_not_be_opened_now_is_left_as_it_is() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 50, 50, 10);
    drop(backend);
    // The engine's own lock, as another program that knows its files would hold it.
    let lock = fs::File::open(disk.database().join("lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = disk.try_open().err().unwrap();
    assert!(refused.to_string().contains("open the database"), "{refused}");
    drop(lock);
    assert_eq!(disk.put_aside(), Vec::<String>::new());
    drop(disk.comes_back());
}

/// The engine's threads die when they can not write; a writer that waited for them would wait for ever.
#[test]
fn an_engine_that_can_not_write_its_tables_refuses_commits_and_does_not_hang() {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 20, 20, 10);
    fs::remove_dir_all(disk.database().join("keyspaces/1/tables")).unwrap();
    let refused = (0..100_000).find_map(|n| {
        let records = [keyed(n % 100, 1_000 + n, 1_000)];
        backend.put_batch(&Commit { records: &records, ..Commit::default() }).err()
    });
    assert!(matches!(refused, Some(CommitError::Unknown(_))), "{refused:?}");
    let again = backend.flush(&Frontier::default(), Hlc::ZERO);
    assert!(matches!(again, Err(BackendError::Poisoned)), "{again:?}");
    assert!(backend.get("key-00001").unwrap().is_some(), "what it has can be read");
}

//! What a full disk does: it refuses, changes nothing, and is over when there is room.

use gridkv_protocol::Hlc;

use super::space::SpaceGuard;
use super::tests::{Disk, all, frontier, keyed};
use crate::backend::{Backend as _, Commit, CommitError};

#[test]
fn a_flush_on_a_disk_that_others_have_filled_writes_no_rows_and_ends_nothing() {
    let mut disk = Disk::new();
    let mut backend = disk.open();
    disk.fill(&backend, 10, 10, 10);
    backend.flush(&frontier(disk.last), Hlc::ZERO).unwrap();
    // Asked just now: only a flush that asks again notices.
    backend.space = SpaceGuard::filled_after(1);
    backend.space.admit(1).unwrap();
    // Nothing has moved: there is nothing to write.
    backend.flush(&frontier(disk.last), Hlc::ZERO).unwrap();
    let full = backend.flush(&frontier(99), Hlc::ZERO).unwrap_err();
    assert!(full.is_disk_full(), "{full}");
    let (_, found) = disk.as_of_now().try_open().unwrap();
    assert_eq!(found.frontier, frontier(disk.last));
    backend.space = SpaceGuard::new(disk.store(), 0);
    backend.flush(&frontier(99), Hlc::ZERO).unwrap();
    drop(backend);
    let (_, found) = disk.try_open().unwrap();
    assert_eq!(found.frontier, frontier(99), "what was refused is written later");
}

#[test]
fn a_full_disk_refuses_commits_and_changes_nothing() {
    let mut disk = Disk::new();
    let mut backend = disk.open();
    disk.fill(&backend, 10, 10, 10);
    let before = all(&backend);
    backend.space = SpaceGuard::full();
    let records = [keyed(1, 99, 10)];
    let refused = backend.put_batch(&Commit { records: &records, ..Commit::default() });
    let Err(CommitError::Unchanged(full)) = refused else { panic!("{refused:?}") };
    assert!(full.is_disk_full());
    assert_eq!(all(&backend), before);
    // Time goes on: a store that can not be written must not look silent to its peers.
    backend.put_batch(&Commit { floor: Hlc::from_bits(5), ..Commit::default() }).unwrap();
    backend.space = SpaceGuard::new(disk.store(), 0);
    disk.fill(&backend, 10, 10, 10);
    drop(backend);
    disk.comes_back();
}

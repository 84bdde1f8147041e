use std::sync::Arc;

use super::*;

fn guard(reserve: u64) -> (SpaceGuard, Arc<AtomicU64>) {
    let free = Arc::new(AtomicU64::new(1 << 30));
    let told = Arc::clone(&free);
    let probe = move |_: &Path| Ok(Space { free: told.load(Ordering::Relaxed), total: 1 << 30 });
    (SpaceGuard::probing(PathBuf::new(), reserve, Box::new(probe)), free)
}

#[test]
fn a_commit_is_refused_while_the_reserve_is_not_free_and_taken_again_after() {
    let (guard, free) = guard(1_000_000);
    guard.admit(ASKED_EVERY).unwrap();
    free.store(999_999, Ordering::Relaxed);
    let refused = guard.admit(ASKED_EVERY).unwrap_err();
    assert!(refused.is_disk_full());
    // Once it is short, every commit asks: it is taken as soon as there is room.
    assert!(guard.admit(1).unwrap_err().is_disk_full());
    free.store(1_000_001, Ordering::Relaxed);
    guard.admit(1).unwrap();
}

#[test]
fn the_file_system_is_not_asked_for_every_commit() {
    let (guard, free) = guard(1_000_000);
    guard.admit(1).unwrap();
    free.store(0, Ordering::Relaxed);
    for _ in 1..ASKED_EVERY / 1_000 {
        guard.admit(1_000).unwrap();
    }
    assert!(guard.admit(2_000).is_err());
}

#[test]
fn a_small_disk_keeps_a_quarter_free_and_no_more() {
    let (guard, free) = guard(u64::MAX);
    free.store((1 << 30) / 4 + 1_000, Ordering::Relaxed);
    guard.admit(1_000).unwrap();
    free.store((1 << 30) / 4 - 1, Ordering::Relaxed);
    assert!(guard.admit(ASKED_EVERY).is_err());
}

#[test]
fn a_file_system_that_does_not_answer_refuses_nothing() {
    let probe = |_: &Path| Err(io::ErrorKind::Unsupported.into());
    let guard = SpaceGuard::probing(PathBuf::new(), u64::MAX, Box::new(probe));
    guard.admit(u64::MAX).unwrap();
}

#[test]
fn the_room_of_a_real_directory_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let Space { free, total } = Space::of(dir.path()).unwrap();
    assert!(free <= total && total > 0);
}

#[test]
fn what_is_under_way_fits_the_reserve_of_a_disk_of_any_size() {
    for total in [64 << 20, 640 << 20, 8 << 30, 1 << 40] {
        let mut lsm = Settings::default().lsm;
        lsm.memtable_bytes = lsm.memtable_bytes.min(total / PIECE_SHARE);
        lsm.table_bytes = lsm.table_bytes.min(total / PIECE_SHARE);
        let without_journal = reserve(&lsm) - JOURNAL_STEP_BYTES;
        assert!(without_journal < total / RESERVE_SHARE, "{total}");
    }
}

//! What of the rows beside the records is believed, and what is made again from the records.

use gridkv_protocol::{Key, UnixMs};

use super::super::tests::{Disk, all};
use super::*;
use crate::backend::Counts;

/// Writes rows past the backend, as damage that has whole blocks and whole commits would leave them.
fn with_rows(disk: &Disk, rows: &[(Vec<u8>, Vec<u8>)]) {
    let backend = disk.open();
    let mut changes = backend.engine.changes();
    for (key, row) in rows {
        changes.put(&backend.engine, key.clone(), row.clone());
    }
    backend.engine.commit(changes, Durability::Os).unwrap();
}

fn state(disk: &Disk, counts: Option<Counts>) -> (Vec<u8>, Vec<u8>) {
    let state = StateRow { floor: Hlc::from_bits(disk.last / 2), counts };
    (rows::STATE_KEY.to_vec(), rows::write_state(&state))
}

fn filled() -> Disk {
    let mut disk = Disk::new();
    let backend = disk.open();
    disk.fill(&backend, 100, 50, 10);
    disk
}

/// The state row, and the deadlines of the rows.
fn found(disk: &Disk) -> (StateRow, usize) {
    let backend = disk.open();
    let row = backend.engine.get(&rows::STATE_KEY).unwrap().unwrap();
    let deadlines = backend.engine.range(rows::DEADLINES, Bound::Unbounded).count();
    (rows::read_state(&row).unwrap(), deadlines)
}

#[test]
fn a_damaged_record_that_the_index_does_not_speak_for_puts_the_database_aside() {
    let disk = filled();
    let counts = Counts { loose: true, ..disk.index().counts };
    for counts in [None, Some(counts)] {
        let damaged = disk.as_of_now();
        let row = (rows::record_key("key-00001"), b"no record".to_vec());
        with_rows(&damaged, &[row, state(&damaged, counts)]);
        damaged.starts_anew();
    }
}

#[test]
fn an_index_that_was_not_kept_is_made_again_from_the_records_and_kept_from_then_on() {
    let disk = filled();
    let contradiction = Counts { keys: 1, ..disk.index().counts };
    for counts in [None, Some(contradiction)] {
        let lost = disk.as_of_now();
        let stray = rows::deadline_key(UnixMs(1), &Key::new("stray").unwrap());
        with_rows(&lost, &[(stray, Vec::new()), state(&lost, counts)]);
        let (backend, recovered) = lost.try_open().unwrap();
        let index = recovered.index.unwrap();
        let wanted = lost.index();
        assert_eq!(index.deadlines, wanted.deadlines);
        let told = |counts: Counts| (counts.keys, counts.tombstones, counts.greatest, counts.loose);
        assert_eq!(told(index.counts), (told(wanted.counts)));
        assert_eq!(all(&backend), lost.put);
        drop(backend);
        let (state, deadlines) = found(&lost);
        assert_eq!((state.counts, deadlines), (Some(index.counts), wanted.deadlines.len()));
        // Rows are kept of deadlines only: the dead are found by a walk.
        let kept = Index { graves: None, ..index };
        assert_eq!(lost.try_open().unwrap().1.index, Some(kept));
    }
}

/// The mark is the first commit of a rebuild: a journal that ends after it says that one is due.
#[test]
fn a_rebuild_that_did_not_end_is_begun_again() {
    let disk = filled();
    let contradiction = Counts { keys: 1, ..disk.index().counts };
    with_rows(&disk, &[state(&disk, Some(contradiction))]);
    let journal = |disk: &Disk| {
        let mut found: Vec<_> = std::fs::read_dir(disk.database())
            .unwrap()
            .map(|found| found.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
            .collect();
        found.sort();
        found.pop().unwrap()
    };
    drop(disk.open().engine.changes()); // the rebuild
    let rebuilt = std::fs::read(journal(&disk)).unwrap();
    let ends = super::super::journal::ends(&journal(&disk)).unwrap();
    // All commits of the rebuild but the first: mark, removals, deadlines, counts.
    for cut in &ends[ends.len() - 4..ends.len() - 1] {
        let cut = usize::try_from(*cut).unwrap();
        let torn = disk.as_of_now();
        std::fs::write(journal(&torn), &rebuilt[..cut]).unwrap();
        let (backend, recovered) = torn.try_open().unwrap();
        assert_eq!(recovered.index.unwrap().deadlines, disk.index().deadlines, "{cut}");
        drop(backend);
        assert_eq!(found(&torn).1, disk.index().deadlines.len(), "{cut}");
    }
}

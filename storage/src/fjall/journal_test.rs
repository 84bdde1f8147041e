use std::ops::Bound;
use std::path::PathBuf;

use gridkv_protocol::StoreName;
use tempfile::TempDir;

use super::super::Fjall;
use super::*;
use crate::backend::{Backend as _, Commit, Recovered};
use crate::registry::OpenRequest;
use crate::test_store::{hlc, keyed, origin, put_op};

const COMMITS: u64 = 40;

/// A store whose journal has [`COMMITS`] commits that are in no table, each of its own record.
struct Store {
    dir: TempDir,
    request: OpenRequest,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = OpenRequest::new(StoreName::new("main").unwrap(), None);
        let store = Self { dir, request };
        let (backend, _) = store.open();
        for n in 1..=COMMITS {
            let records = keyed(&[put_op(origin(1), n, &format!("key-{n}"))]);
            let moved = [(origin(1), hlc(n))];
            let commit = Commit { records: &records, moved: &moved, ..Commit::default() };
            backend.put_batch(&commit).unwrap();
        }
        store
    }

    fn open(&self) -> (Fjall, Recovered) {
        Fjall::open(&self.dir.path().join("main"), &self.request).unwrap()
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("main/lsm")
    }

    fn journal(&self, number: u64) -> PathBuf {
        self.database().join(format!("{number}.jnl"))
    }

    fn gap(&self) -> Option<String> {
        gap(&self.database(), &Progress::default()).unwrap()
    }

    /// Where each commit ends.
    fn ends(&self) -> Vec<usize> {
        let (mut scan, mut ends) = (Scan::of(&self.journal(0)).unwrap(), Vec::new());
        while scan.commit().unwrap().is_some() {
            ends.push(usize::try_from(scan.whole).unwrap());
        }
        ends
    }

    /// Makes two journals of one, as if it had been full after `commits`.
    fn split(&self, commits: usize) -> usize {
        let (bytes, at) = (fs::read(self.journal(0)).unwrap(), self.ends()[commits - 1]);
        fs::write(self.journal(0), &bytes[..at]).unwrap();
        fs::write(self.journal(1), &bytes[at..]).unwrap();
        at
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.journal(number)).unwrap();
        change(&mut bytes);
        fs::write(self.journal(number), bytes).unwrap();
    }

    /// Opens it, and demands that the frontier is not believed, and that nothing is lost by that.
    fn is_not_believed(&self, least: usize) {
        let (backend, recovered) = self.open();
        assert_eq!(recovered.frontier.len(), 0);
        assert_eq!(recovered.index, None);
        let [warning] = &recovered.warnings[..] else { panic!("{recovered:?}") };
        assert!(warning.contains("may be missing"), "{warning}");
        let found = backend.list(Bound::Unbounded, 1_000).unwrap().records.len();
        assert!(found >= least && (found as u64) < COMMITS, "{found} of {COMMITS}");
        drop(backend);
        let (_, again) = self.open();
        assert_eq!((again.frontier.len(), again.warnings.len()), (0, 0), "it stays so");
    }
}

#[test]
fn journals_of_the_engine_are_understood_and_have_no_gap() {
    let store = Store::new();
    assert_eq!(store.ends().len() as u64, COMMITS);
    assert_eq!(store.gap(), None);
    store.split(20);
    assert_eq!(store.gap(), None);
    let (backend, recovered) = store.open();
    assert_eq!(recovered.warnings, Vec::<String>::new());
    assert_eq!(recovered.frontier.get(origin(1)), hlc(COMMITS));
    assert_eq!(backend.list(Bound::Unbounded, 1_000).unwrap().records.len() as u64, COMMITS);
}

#[test]
fn the_end_of_the_last_journal_may_be_torn() {
    let store = Store::new();
    let ends = store.ends();
    let torn = ends[30] + 10;
    store.change(0, |bytes| bytes.truncate(torn));
    assert_eq!(store.gap(), None);
    let (backend, recovered) = store.open();
    assert_eq!(recovered.frontier.get(origin(1)), hlc(31), "the frontier went back with the rest");
    assert_eq!(backend.list(Bound::Unbounded, 1_000).unwrap().records.len(), 31);
}

#[test]
fn a_journal_that_is_cut_before_another_is_a_gap() {
    let store = Store::new();
    let at = store.split(20);
    store.change(0, |bytes| bytes.truncate(at - 50));
    assert!(store.gap().is_some_and(|gap| gap.contains("0.jnl is damaged")));
    store.is_not_believed(39);
}

#[test]
fn a_missing_journal_is_a_gap() {
    let store = Store::new();
    store.split(20);
    fs::rename(store.journal(1), store.journal(2)).unwrap();
    assert!(store.gap().is_some_and(|gap| gap.contains("2.jnl is missing")));
    fs::remove_file(store.journal(2)).unwrap();
    fs::remove_file(store.journal(0)).unwrap();
    assert!(store.gap().is_some_and(|gap| gap.contains("journal is missing")));
    let (_, recovered) = store.open();
    assert_eq!((recovered.frontier.len(), recovered.warnings.len()), (0, 1));
}

/// The engine does not check the numbers: a lower one makes it think that a commit is older than it is.
#[test]
fn commits_out_of_order_are_a_gap() {
    for (flip, back) in [(0x80, false), (0xff, true)] {
        let store = Store::new();
        let start = store.ends()[20];
        // After the first byte and the number of items: the lowest byte of the commit's number.
        store.change(0, |bytes| {
            bytes[start + 5] = if back { 0 } else { bytes[start + 5] ^ flip };
        });
        assert!(store.gap().is_some_and(|gap| gap.contains("not in order")), "{flip}");
    }
}

#[test]
fn no_flip_in_a_journal_before_the_last_goes_unnoticed() {
    let store = Store::new();
    let at = store.split(4);
    let whole = fs::read(store.journal(0)).unwrap();
    let first_number = 5..13; // see the caveat
    for bit in 0..at * 8 {
        if first_number.contains(&(bit / 8)) {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(store.journal(0), bytes).unwrap();
        assert!(store.gap().is_some(), "bit {bit}");
    }
}

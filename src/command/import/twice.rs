//! Keys that come more than once: the import goes on, and who asked is told how many there were.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// Keys that are remembered, at most: some 40 MB. Those after them are not looked for.
const MAX_REMEMBERED: usize = 2_000_000;

/// The keys that came so far, by what is left of them.
#[derive(Default)]
pub(super) struct Twice {
    hasher: RandomState,
    seen: HashSet<u64>,
    count: u64,
    is_full: bool,
}

impl Twice {
    /// One more. Two of 64 bits are the same by chance once in millions of imports of this size.
    pub(super) fn note(&mut self, key: &str) {
        let hash = self.hasher.hash_one(key);
        if self.seen.contains(&hash) {
            self.count += 1;
        } else if self.seen.len() < MAX_REMEMBERED {
            self.seen.insert(hash);
        } else {
            self.is_full = true;
        }
    }

    /// What is to be told, if there is something.
    pub(super) fn told(&self, first_holds: bool) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let holds = if first_holds { "the first" } else { "the last" };
        let of = if self.is_full {
            format!(" (of the first {MAX_REMEMBERED} keys; later ones were not looked for)")
        } else {
            String::new()
        };
        let records = if self.count == 1 { "record was" } else { "records were" };
        Some(format!(
            "{} {records} of a key that had come before: {holds} of each holds{of}",
            self.count
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_counted() {
        let mut twice = Twice::default();
        for key in ["a", "b", "c"] {
            twice.note(key);
        }
        assert_eq!(twice.told(false), None);
        for key in ["a", "a", "b", "d"] {
            twice.note(key);
        }
        let told = twice.told(false).unwrap();
        assert!(told.starts_with("3 records were") && told.contains("the last of each"), "{told}");
        assert!(twice.told(true).unwrap().contains("the first of each"));
    }
}

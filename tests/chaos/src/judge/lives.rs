//! The lives of a node's state: what a store had is gone after its process ended, or, if it persists, after its disk did.

use crate::history::{Loss, Micros, Op, StoreClass};

/// When states were lost.
#[derive(Debug)]
pub(crate) struct Lives<'a> {
    losses: &'a [Loss],
}

impl<'a> Lives<'a> {
    pub(crate) fn new(losses: &'a [Loss]) -> Self {
        Self { losses }
    }

    /// The losses of a node that took the state of such a store.
    fn of(&self, class: &StoreClass, node: u16) -> impl Iterator<Item = &'a Loss> + '_ {
        let persistent = class.persistent;
        self.losses.iter().filter(move |loss| loss.node == node && (loss.disk || !persistent))
    }

    /// In which life of its node's state an operation was done from its beginning to its end, counted from 0; `None`
    /// when that is not certain.
    pub(crate) fn life(&self, class: &StoreClass, op: &Op) -> Option<usize> {
        let before = |loss: &&Loss| loss.to <= op.invoked;
        let meets = |loss: &Loss| loss.from < op.returned && loss.to > op.invoked;
        let certain = !self.of(class, op.node).any(meets);
        certain.then(|| self.of(class, op.node).filter(before).count())
    }

    /// Whether what a node had at this time is certainly there at the end.
    pub(crate) fn keeps(&self, class: &StoreClass, node: u16, since: Micros) -> bool {
        self.of(class, node).all(|loss| loss.to <= since)
    }

    /// How many nodes lost such a state after this time.
    pub(crate) fn losers(&self, class: &StoreClass, since: Micros) -> usize {
        let lossy = self.losses.iter().filter(|loss| loss.disk || !class.persistent);
        let mut nodes: Vec<u16> =
            lossy.filter(|loss| loss.to > since).map(|loss| loss.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Asked, Outcome};

    static DISK: StoreClass = StoreClass { backend: String::new(), persistent: true, cache: false };
    static MEMORY: StoreClass =
        StoreClass { backend: String::new(), persistent: false, cache: false };

    fn op(invoked: Micros, returned: Micros) -> Op {
        let (store, key) = (String::new(), String::new());
        let (asked, outcome) = (Asked::Get, Outcome::Nothing);
        Op { client: 1, node: 1, store, key, asked, invoked, returned, outcome }
    }

    #[test]
    fn a_process_is_the_life_of_memory_and_a_disk_that_of_the_rest() {
        let losses = [
            Loss { node: 1, from: 10, to: 20, disk: false },
            Loss { node: 1, from: 30, to: 40, disk: true },
            Loss { node: 2, from: 1, to: 2, disk: false },
        ];
        let lives = Lives::new(&losses);
        let of = |class, from, to| lives.life(class, &op(from, to));
        assert_eq!(
            [of(&MEMORY, 1, 9), of(&MEMORY, 21, 29), of(&MEMORY, 41, 50)],
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!([of(&MEMORY, 9, 11), of(&MEMORY, 15, 16), of(&MEMORY, 19, 25)], [None; 3]);
        assert_eq!(
            [of(&DISK, 1, 29), of(&DISK, 41, 50), of(&DISK, 35, 50)],
            [Some(0), Some(1), None]
        );
        assert!(
            !lives.keeps(&MEMORY, 1, 5) && !lives.keeps(&DISK, 1, 35) && lives.keeps(&DISK, 1, 40)
        );
        assert!(lives.keeps(&DISK, 2, 0) && !lives.keeps(&MEMORY, 2, 0));
        assert_eq!(
            [lives.losers(&MEMORY, 0), lives.losers(&DISK, 0), lives.losers(&DISK, 40)],
            [2, 1, 0]
        );
    }
}

//! Hand-made histories: operations one after the other, losses between them, and looks at the end.

use gridkv_soak::Durability;

use crate::finding::Property;
use crate::history::{
    Asked, Condition, History, Look, Loss, Micros, Op, Outcome, Safety, StoreClass,
};
use crate::judge::judge;
use crate::stamp::Stamp;

/// Time from one operation to the next.
const STEP: Micros = 10_000;
/// The key of all stories.
pub(crate) const KEY: &str = "k";

/// A history in the making: on three nodes, one key, in a store of each kind.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) history: History,
    now: Micros,
    store: &'static str,
}

/// The stamp that a text stands for.
pub(crate) fn stamp(number: u64) -> Stamp {
    Stamp::new(1, number)
}

/// An acknowledgement.
pub(crate) fn acked(version: &str, durability: Durability) -> Outcome {
    Outcome::Written { version: version.to_owned(), durability: Some(durability), acks: 0 }
}

/// An acknowledgement that survives the process.
pub(crate) fn os(version: &str) -> Outcome {
    acked(version, Durability::Os)
}

/// An acknowledgement that does not.
pub(crate) fn memory(version: &str) -> Outcome {
    acked(version, Durability::Memory)
}

/// An acknowledgement by peers as well.
pub(crate) fn by_peers(version: &str, acks: u16) -> Outcome {
    let durability = Some(Durability::Os);
    Outcome::Written { version: version.to_owned(), durability, acks }
}

pub(crate) fn unknown() -> Outcome {
    Outcome::Unknown("timeout".to_owned())
}

pub(crate) fn refused() -> Outcome {
    Outcome::Refused("not_ready".to_owned())
}

impl Story {
    /// In a store that persists (`disk`), does not (`memory`), or may forget (`cache`).
    pub(crate) fn of(store: &'static str) -> Self {
        let class = |persistent, cache| StoreClass { backend: String::new(), persistent, cache };
        let classes = [
            ("disk", class(true, false)),
            ("memory", class(false, false)),
            ("cache", class(false, true)),
        ];
        // Only the store of the story is looked at.
        let stores = classes.into_iter().filter(|(name, _)| *name == store);
        let stores = stores.map(|(name, class)| (name.to_owned(), class)).collect();
        Self { history: History { stores, ..History::default() }, now: STEP, store }
    }

    fn op(mut self, node: u16, asked: Asked, outcome: Outcome) -> Self {
        let (invoked, returned) = (self.now, self.now + STEP / 2);
        let (store, key) = (self.store.to_owned(), KEY.to_owned());
        self.history.ops.push(Op {
            client: 1,
            node,
            store,
            key,
            asked,
            invoked,
            returned,
            outcome,
        });
        self.now += STEP;
        self
    }

    pub(crate) fn put(self, node: u16, number: u64, outcome: Outcome) -> Self {
        self.put_safely(node, number, Safety::default(), outcome)
    }

    pub(crate) fn put_safely(
        self,
        node: u16,
        number: u64,
        safety: Safety,
        outcome: Outcome,
    ) -> Self {
        let asked = Asked::Put { stamp: stamp(number), ttl_ms: None, condition: None, safety };
        self.op(node, asked, outcome)
    }

    /// It expires after so many milliseconds.
    pub(crate) fn put_for(self, node: u16, number: u64, ttl: u64, outcome: Outcome) -> Self {
        let (stamp, safety) = (stamp(number), Safety::default());
        self.op(node, Asked::Put { stamp, ttl_ms: Some(ttl), condition: None, safety }, outcome)
    }

    pub(crate) fn put_if(self, node: u16, number: u64, version: &str, outcome: Outcome) -> Self {
        self.put_on(node, number, Condition::Version(version.to_owned()), outcome)
    }

    pub(crate) fn put_if_absent(self, node: u16, number: u64, outcome: Outcome) -> Self {
        self.put_on(node, number, Condition::Absent, outcome)
    }

    fn put_on(self, node: u16, number: u64, condition: Condition, outcome: Outcome) -> Self {
        let (stamp, safety) = (stamp(number), Safety::default());
        let condition = Some(condition);
        self.op(node, Asked::Put { stamp, ttl_ms: None, condition, safety }, outcome)
    }

    pub(crate) fn delete(self, node: u16, outcome: Outcome) -> Self {
        self.op(node, Asked::Delete { condition: None, safety: Safety::default() }, outcome)
    }

    pub(crate) fn finds(self, node: u16, number: u64, version: &str) -> Self {
        let (version, stamp) = (version.to_owned(), stamp(number));
        self.op(node, Asked::Get, Outcome::Found { version, stamp })
    }

    pub(crate) fn finds_nothing(self, node: u16) -> Self {
        self.op(node, Asked::Get, Outcome::Nothing)
    }

    /// The last operation was asked before the one before it was answered.
    pub(crate) fn at_the_same_time(mut self) -> Self {
        if let Some(last) = self.history.ops.last_mut() {
            last.invoked -= STEP;
        }
        self
    }

    /// A node is killed, and started again.
    pub(crate) fn killed(mut self, node: u16) -> Self {
        self.history.losses.push(Loss { node, from: self.now, to: self.now + 1, disk: false });
        self.now += STEP;
        self
    }

    /// A node is killed, and its disk is gone.
    pub(crate) fn wiped(mut self, node: u16) -> Self {
        self.history.losses.push(Loss { node, from: self.now, to: self.now + 1, disk: true });
        self.now += STEP;
        self
    }

    /// Seconds go by.
    pub(crate) fn later(mut self, seconds: u64) -> Self {
        self.now += seconds * 1_000_000;
        self
    }

    /// What a node serves at the end: a value in a version, or nothing.
    pub(crate) fn look(mut self, node: u16, seen: Option<(u64, &str)>) -> Self {
        let record =
            |(number, version): (u64, &str)| (KEY.to_owned(), (version.to_owned(), stamp(number)));
        let (store, at) = (self.store.to_owned(), self.now);
        let records = seen.into_iter().map(record).collect();
        let count = u64::from(seen.is_some());
        let look = Look { node, store, at, records, key_count: count, listed: count };
        self.history.looks.push(look);
        self
    }

    /// What all three serve at the end.
    pub(crate) fn all(self, seen: Option<(u64, &str)>) -> Self {
        self.look(1, seen).look(2, seen).look(3, seen)
    }

    /// What of it is broken, each property once.
    pub(crate) fn broken(&self) -> Vec<Property> {
        let mut broken: Vec<Property> =
            judge(&self.history).findings.iter().map(|finding| finding.property).collect();
        broken.sort_unstable();
        broken.dedup();
        broken
    }
}

//! A history, sorted so that every property finds what it asks for: operations by key, writes by their stamp, and what may
//! have made a value go away.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::lives::Lives;
use crate::history::{Asked, History, Look, Micros, Op, Outcome, StoreClass};
use crate::stamp::Stamp;

/// How far from its time a deadline may pass: what clocks of nodes may differ, and a scheduler that is late.
pub(crate) const DEADLINE_MARGIN: Micros = 1_000_000;

/// A history, sorted.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    keys: BTreeMap<Place<'a>, Vec<&'a Op>>,
    writes: HashMap<&'a Stamp, &'a Op>,
    looks: &'a [Look],
    stores: &'a BTreeMap<String, StoreClass>,
    pub(crate) lives: Lives<'a>,
}

/// A key of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place<'a> {
    pub(crate) store: &'a str,
    pub(crate) key: &'a str,
}

/// All that was done with a key, in the order in which it was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyCase<'a, 'b> {
    pub(crate) place: Place<'a>,
    pub(crate) class: &'a StoreClass,
    pub(crate) ops: &'b [&'a Op],
}

impl<'a> Case<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let mut keys: BTreeMap<Place<'_>, Vec<&Op>> = BTreeMap::new();
        for op in &history.ops {
            keys.entry(Place { store: &op.store, key: &op.key }).or_default().push(op);
        }
        for ops in keys.values_mut() {
            ops.sort_by_key(|op| op.invoked);
        }
        Self {
            keys,
            writes: history.ops.iter().filter_map(|op| Some((op.stamp()?, op))).collect(),
            looks: &history.looks,
            stores: &history.stores,
            lives: Lives::new(&history.losses),
        }
    }

    /// Every key that was asked for. Stores that no node has are passed over.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeyCase<'a, '_>> {
        self.keys.iter().filter_map(|(place, ops)| {
            let class = self.stores.get(place.store)?;
            Some(KeyCase { place: *place, class, ops })
        })
    }

    /// The stores and what they promise.
    pub(crate) fn stores(&self) -> impl Iterator<Item = (&'a str, &'a StoreClass)> {
        self.stores.iter().map(|(name, class)| (name.as_str(), class))
    }

    /// What was served of a store at the end, node by node.
    pub(crate) fn looks(&self, store: &str) -> impl Iterator<Item = &'a Look> {
        self.looks.iter().filter(move |look| look.store == store)
    }

    /// Every value that was seen: where, its version and stamp, and when at the latest it was there.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (Place<'a>, &'a str, &'a Stamp, Micros)> {
        let read = self.keys.iter().flat_map(|(place, ops)| {
            ops.iter().filter_map(|op| match &op.outcome {
                Outcome::Found { version, stamp } => {
                    Some((*place, version.as_str(), stamp, op.returned))
                }
                Outcome::Nothing
                | Outcome::Written { .. }
                | Outcome::Refused(_)
                | Outcome::Unknown(_) => None,
            })
        });
        let looked = self.looks.iter().flat_map(|look| {
            look.records.iter().map(|(key, (version, stamp))| {
                (Place { store: &look.store, key }, version.as_str(), stamp, look.at)
            })
        });
        read.chain(looked)
    }

    /// The write that made a value.
    pub(crate) fn write_of(&self, stamp: &Stamp) -> Option<&'a Op> {
        self.writes.get(stamp).copied()
    }
}

impl KeyCase<'_, '_> {
    /// Whether the value of this version may have gone away by some time: deleted, or expired.
    pub(crate) fn may_be_gone(&self, version: &str, by: Micros) -> bool {
        self.class.cache || self.ops.iter().any(|op| ends(op, version, by))
    }
}

/// Whether an operation may have ended the value of this version by some time.
fn ends(op: &Op, version: &str, by: Micros) -> bool {
    let (since, expires) = match &op.asked {
        Asked::Get | Asked::Put { ttl_ms: None, .. } => return false,
        Asked::Delete { .. } => (op.invoked, false),
        Asked::Put { ttl_ms: Some(ttl), .. } => {
            ((op.invoked + ttl * 1_000).saturating_sub(DEADLINE_MARGIN), true)
        }
    };
    let newer = match &op.outcome {
        Outcome::Written { version: own, .. } if expires => own.as_str() >= version,
        Outcome::Written { version: own, .. } => own.as_str() > version,
        Outcome::Unknown(_) => true,
        Outcome::Found { .. } | Outcome::Nothing | Outcome::Refused(_) => false,
    };
    newer && since <= by
}

/// Whether an operation told of a value, not of its absence.
pub(crate) fn tells_value(op: &Op) -> bool {
    match &op.outcome {
        Outcome::Found { .. } => true,
        Outcome::Written { .. } => matches!(op.asked, Asked::Put { .. }),
        Outcome::Nothing | Outcome::Refused(_) | Outcome::Unknown(_) => false,
    }
}

/// An operation, for people.
pub(crate) fn tell(op: &Op) -> String {
    let did = match (&op.asked, &op.outcome) {
        (Asked::Get, _) => "read".to_owned(),
        (Asked::Put { stamp, .. }, _) => format!("put {stamp}"),
        (Asked::Delete { .. }, _) => "delete".to_owned(),
    };
    let came = match &op.outcome {
        Outcome::Found { version, stamp } => format!("found {stamp} in {version}"),
        Outcome::Nothing => "found nothing".to_owned(),
        Outcome::Written { version, durability, acks } => {
            let durability = durability.map_or("-".to_owned(), |one| one.to_string());
            format!("acknowledged {version} ({durability}, {acks} peers)")
        }
        Outcome::Refused(code) => format!("refused: {code}"),
        Outcome::Unknown(why) => format!("unknown: {why}"),
    };
    let ms = |micros: Micros| micros / 1_000;
    let (from, to) = (ms(op.invoked), ms(op.returned));
    format!("{did} on n{} by client {} at {from}-{to} ms {came}", op.node, op.client)
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.key)
    }
}

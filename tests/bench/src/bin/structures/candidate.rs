//! What a structure must do to be measured, and the list of those that can.

use std::error::Error;

use scc::TreeIndex;

use crate::key_order::{LockedBlocks, LockedTree, OrderedIndex, SkipKeys, StdLockedTree};
use crate::measure::{self, Figures};
use crate::node_map::NodeMap;
use crate::ordered::{Skip, Tree};
use crate::paired::Paired;
use crate::persistent::Persistent;
use crate::point_map::{Dash, Papaya, Scc};
use crate::record::{Key, Record};

/// An in-memory store with one writer and any number of readers.
///
/// `commit` and `remove` are called from one thread at a time; the rest from any.
pub(crate) trait Candidate: Default + Sync {
    /// Looks a key up and clones its record.
    fn get(&self, key: &str) -> Option<Record>;

    /// Applies a batch of puts and makes them visible, draining the batch.
    fn commit(&self, batch: &mut Vec<(Key, Record)>);

    /// Removes a key altogether.
    fn remove(&self, key: &str);

    /// Appends up to `limit` entries that follow `after` in key order.
    fn page(&self, after: Option<&Key>, limit: usize, out: &mut Vec<(Key, Record)>);

    /// Takes a picture of one instant while the writer goes on and returns how
    /// many keys it holds, or `None` where only a copy with the writer stopped
    /// gives one.
    fn snapshot(&self) -> Option<usize> {
        None
    }
}

/// Every structure under comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The map of the node: `scc::HashSet` of packed records and locked blocks of keys.
    Node,
    /// `scc::HashMap` and the same blocks of keys.
    SccBlocks,
    /// `DashMap` and a locked B-tree of keys.
    DashLocked,
    /// `scc::HashMap` and a locked B-tree of keys.
    SccLocked,
    /// The same under the standard library's lock.
    SccStdLocked,
    /// `scc::HashMap` and a concurrent B+ tree of keys.
    SccTree,
    /// `papaya::HashMap` and a locked B-tree of keys.
    PapayaLocked,
    /// `papaya::HashMap` and a skip list of keys.
    PapayaSkip,
    /// `papaya::HashMap` and a concurrent B+ tree of keys.
    PapayaTree,
    /// `scc::TreeIndex` alone.
    Tree,
    /// `crossbeam_skiplist::SkipMap` alone.
    Skip,
    /// `imbl::OrdMap` published through `ArcSwap`.
    Imbl,
    /// The same with each record behind its own `Arc`.
    ImblShared,
}

impl Kind {
    /// All candidates, in the order of the table.
    pub(crate) const ALL: [Self; 13] = [
        Self::Node,
        Self::SccBlocks,
        Self::DashLocked,
        Self::SccLocked,
        Self::SccStdLocked,
        Self::SccTree,
        Self::PapayaLocked,
        Self::PapayaSkip,
        Self::PapayaTree,
        Self::Tree,
        Self::Skip,
        Self::Imbl,
        Self::ImblShared,
    ];

    /// The candidate's name in the table and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Node => "RecordMap of the node",
            Self::SccBlocks => "scc::HashMap+blocks of keys",
            Self::DashLocked => "dashmap+BTreeSet/parking_lot",
            Self::SccLocked => "scc::HashMap+BTreeSet/parking_lot",
            Self::PapayaLocked => "papaya+BTreeSet/parking_lot",
            Self::SccStdLocked => "scc::HashMap+BTreeSet/std",
            Self::SccTree => "scc::HashMap+TreeIndex",
            Self::PapayaSkip => "papaya+SkipSet",
            Self::PapayaTree => "papaya+TreeIndex",
            Self::Tree => "scc::TreeIndex",
            Self::Skip => "SkipMap",
            Self::Imbl => "imbl+ArcSwap",
            Self::ImblShared => "imbl+ArcSwap, Arc<Record>",
        }
    }

    /// The candidate with exactly this name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no candidate is named {name}"))
    }

    /// Measures this candidate once, in this process.
    pub(crate) fn measure(self, keys: usize) -> Result<Figures, Box<dyn Error>> {
        match self {
            Self::Node => measure::all::<NodeMap>(keys),
            Self::SccBlocks => measure::all::<Paired<Scc, LockedBlocks>>(keys),
            Self::DashLocked => measure::all::<Paired<Dash, LockedTree>>(keys),
            Self::SccLocked => measure::all::<Paired<Scc, LockedTree>>(keys),
            Self::PapayaLocked => measure::all::<Paired<Papaya, LockedTree>>(keys),
            Self::SccStdLocked => measure::all::<Paired<Scc, StdLockedTree>>(keys),
            Self::SccTree => measure::all::<Paired<Scc, OrderedIndex>>(keys),
            Self::PapayaSkip => measure::all::<Paired<Papaya, SkipKeys>>(keys),
            Self::PapayaTree => measure::all::<Paired<Papaya, OrderedIndex>>(keys),
            Self::Tree => measure::all::<Tree>(keys),
            Self::Skip => measure::all::<Skip>(keys),
            Self::Imbl => measure::all::<Persistent<Record>>(keys),
            Self::ImblShared => measure::all::<Persistent<std::sync::Arc<Record>>>(keys),
        }
    }
}

/// The concurrent B+ tree, named once for the modules that store in it.
pub(crate) type Index<V> = TreeIndex<Key, V>;

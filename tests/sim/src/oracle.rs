//! What must hold: one property per file, each looked at whenever something happened that could break it.
//!
//! An oracle knows what clients were told, what machines hold, and what nodes say of themselves. It knows no rule
//! of the protocol.

pub mod acks;
pub mod cache;
pub mod convergence;
pub mod digest;
pub mod durability;
pub mod expiry;
pub mod fence;
pub mod filling;
pub mod frontier;
pub mod invention;
pub mod membership;
pub mod removal;
pub mod resurrection;
pub mod session;
pub mod skew;
pub mod version;

use std::collections::BTreeMap;

use gridkv_protocol::{Frontier, Hlc, Key, Record, UnixMs, Version};
use gridkv_storage::reader::StoreReader;

use crate::disk::Touch;
use crate::history::History;
use crate::network::At;
use crate::node::StoreAt;

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub oracle: &'static str,
    /// What was seen, in a sentence.
    pub says: String,
}

/// What an oracle says: nothing, or what is wrong.
pub type Verdict = Result<(), String>;

/// What a machine's store looks like after a commit.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The machine.
    pub at: At,
    /// The origin of its present run.
    pub own: gridkv_protocol::Origin,
    /// Its physical time.
    pub physical: UnixMs,
    /// The end of what it may take, by the skew limit.
    pub limit: Hlc,
    /// What is in its state.
    pub applied: &'a Frontier,
    /// Every record that it holds.
    pub held: &'a BTreeMap<Key, Record>,
    /// What was put by the commit.
    pub touched: &'a [Touch],
    /// What was let go with it.
    pub gone: &'a [Touch],
    /// Its reader.
    pub reader: &'a StoreReader,
}

/// What is remembered of a machine's store.
#[derive(Debug, Default)]
pub struct Known {
    /// Its frontier when it was last looked at.
    pub applied: Frontier,
    /// The greatest points that it ever had, in whatever run.
    pub ever: Frontier,
    /// Of each key the greatest version that it held in this run.
    pub highest: BTreeMap<Key, Version>,
    /// Of each key the greatest version that was acknowledged here in this run.
    pub acked: BTreeMap<Key, Version>,
    /// Of each key the greatest version that was read here in this run.
    pub read: BTreeMap<Key, Version>,
    /// What it said would survive a power cut, when its process ended.
    pub claimed: Frontier,
    /// Live records, if none of its records is loose: compared with those of others at equal frontiers.
    pub settled: bool,
    /// Whether it runs.
    pub up: bool,
}

/// What is remembered of every store of every machine.
#[derive(Debug, Default)]
pub struct Memory {
    known: BTreeMap<(StoreAt, At), Known>,
}

impl Memory {
    /// What is remembered of a machine's store.
    pub fn of(&mut self, store: StoreAt, at: At) -> &mut Known {
        self.known.entry((store, at)).or_default()
    }

    /// Every machine's, of one store.
    pub fn all(&self, store: StoreAt) -> impl Iterator<Item = (At, &Known)> {
        self.known.range((store, 0)..(store + 1, 0)).map(|((_, at), known)| (*at, known))
    }

    /// The process of a machine is gone.
    pub fn down(&mut self, at: At) {
        for ((_, whose), known) in &mut self.known {
            if *whose == at {
                known.up = false;
                known.highest.clear();
                known.acked.clear();
                known.read.clear();
                known.applied = Frontier::default();
            }
        }
    }
}

/// Looks at a commit.
///
/// # Errors
/// The first property that does not hold.
pub fn committed(
    sight: &Sight<'_>,
    known: &mut Known,
    history: &mut History,
) -> Result<(), Violation> {
    let bad = |oracle| move |says| Violation { oracle, says };
    for touch in sight.touched {
        invention::put(history, sight.at, touch).map_err(bad(invention::NAME))?;
        resurrection::put(known, sight.at, touch).map_err(bad(resurrection::NAME))?;
    }
    for touch in sight.gone {
        removal::gone(history, touch);
    }
    if *sight.applied != known.applied {
        skew::moved(sight, known).map_err(bad(skew::NAME))?;
        frontier::moved(sight, known, history).map_err(bad(frontier::NAME))?;
        known.applied.clone_from(sight.applied);
        known.ever.merge_except(sight.applied, gridkv_protocol::Origin::from_bits(0));
    }
    known.settled = sight.reader.loose().is_empty();
    Ok(())
}

//! Skews: how far the members' clocks are ahead of this one, as well as reports in one direction tell.
//!
//! A report was on its way for a while, so it shows its sender's clock too far back and never too far
//! ahead: of the reports of a few seconds the one that shows most came quickest, and is believed. What a
//! member said before it fell silent is kept, but told apart from what is fresh.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::SKEW_WINDOW_MS;
use crate::{NodeId, Origin, UnixMs};

/// The skews of one node's peers.
#[derive(Debug)]
pub struct Skews {
    fresh_ms: u64,
    by_node: BTreeMap<NodeId, Skew>,
}

/// What is known of one clock: the greatest skew of the present half of the window, and of the half before.
#[derive(Debug)]
struct Skew {
    run: Origin,
    heard: UnixMs,
    since: UnixMs,
    most_ms: i64,
    before_ms: Option<i64>,
}

impl Skew {
    fn ms(&self) -> i64 {
        self.before_ms.map_or(self.most_ms, |before| before.max(self.most_ms))
    }

    fn take(&mut self, now: UnixMs, ms: i64) {
        let age = now.since(self.since);
        if age >= SKEW_WINDOW_MS {
            self.before_ms = None;
        } else if age >= SKEW_WINDOW_MS / 2 {
            self.before_ms = Some(self.most_ms);
        }
        if age >= SKEW_WINDOW_MS / 2 {
            (self.since, self.most_ms) = (now, ms);
        }
        self.heard = now;
        self.most_ms = self.most_ms.max(ms);
    }
}

impl Skews {
    /// Knows nobody yet. Who was not heard for `fresh_ms` milliseconds is silent.
    #[must_use]
    pub fn new(fresh_ms: u64) -> Self {
        Self { fresh_ms, by_node: BTreeMap::new() }
    }

    /// A report came at `now` in which `from` says that its physical time is `theirs`.
    pub fn reported(&mut self, now: UnixMs, from: Origin, theirs: UnixMs) {
        let ms = theirs.0.cast_signed().saturating_sub(now.0.cast_signed());
        let fresh = Skew { run: from, heard: now, since: now, most_ms: ms, before_ms: None };
        match self.by_node.get_mut(&from.node()) {
            Some(skew) if skew.run == from => skew.take(now, ms),
            // It started again, perhaps with another clock.
            Some(skew) => *skew = fresh,
            None => drop(self.by_node.insert(from.node(), fresh)),
        }
    }

    /// This node's physical time was moved: everyone else stands elsewhere beside it.
    pub fn moved(&mut self, ms: i64) {
        for skew in self.by_node.values_mut() {
            skew.heard = skew.heard.moved(ms);
            skew.since = skew.since.moved(ms);
            skew.most_ms = skew.most_ms.saturating_sub(ms);
            skew.before_ms = skew.before_ms.map(|before| before.saturating_sub(ms));
        }
    }

    /// Forgets everyone but these.
    pub fn keep(&mut self, others: &BTreeSet<NodeId>) {
        self.by_node.retain(|id, _| others.contains(id));
    }

    /// How far the clock of `node` is ahead, in milliseconds, as it was last; `None` when it was never heard.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<i64> {
        self.by_node.get(&node).map(Skew::ms)
    }

    /// The skews of those who were heard lately, in milliseconds: positive when they are ahead.
    pub fn fresh(&self, now: UnixMs) -> impl Iterator<Item = i64> + '_ {
        let lately = self.by_node.values().filter(move |s| now.since(s.heard) < self.fresh_ms);
        lately.map(Skew::ms)
    }

    /// The skews of all who were ever heard, as they were last.
    pub fn known(&self) -> impl Iterator<Item = i64> + '_ {
        self.by_node.values().map(Skew::ms)
    }

    /// The median skew of those who were heard lately; of an even number, this node breaks the tie.
    #[must_use]
    pub fn median_ms(&self, now: UnixMs) -> Option<i64> {
        let mut skews: Vec<i64> = self.fresh(now).collect();
        if skews.is_empty() {
            return None;
        }
        if skews.len().is_multiple_of(2) {
            skews.push(0);
        }
        skews.sort_unstable();
        skews.get(skews.len() / 2).copied()
    }
}

// CAVEATS: a way that delays every report of the window for longer than the fence allows makes its sender
// look behind. Only a round trip would tell, and that is not what reports are for.

#[cfg(test)]
#[path = "skews_test.rs"]
mod tests;

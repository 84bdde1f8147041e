//! Stability: up to where every member has everything for good, and which origins are over.
//!
//! What was deleted below the stable point may be forgotten: no member can bring an older record back. The
//! point is the least that any member, also one that is down, holds durably of any origin that is not closed.
//! It is only known while all members say the same of who is one.
//!
//! An origin is closed when every member knows that it is over and all of them hold the same of it. It refuses
//! to take the silence of a member for agreement: who is gone for good is forgotten by an operator.

use std::collections::{BTreeMap, BTreeSet};

use crate::frontier::Closing;
use crate::limits::KEPT_CLOSINGS;
use crate::mutant::{self, Mutant};
use crate::report::{Report, StoreReport};
use crate::welcome::Members;
use crate::{Frontier, Hlc, NodeId, Origin, StoreName};

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A member reported, over whatever connection.
    Reported(Report),
    /// Time passed: what this node has now.
    Tick {
        /// What this node would report.
        own: &'a Report,
        /// Whether every configured address belongs to a known member.
        knows_all_seeds: bool,
        /// Stores that are being filled from scratch, or are caches: of them nothing is purged.
        held: &'a BTreeSet<StoreName>,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Close an origin: everything of it, and of earlier ones of its node, is held.
    Close {
        /// In which store.
        store: StoreName,
        /// Which origin.
        origin: Origin,
        /// Where all stood.
        closing: Closing,
    },
    /// Forget how an origin was closed: all members have closed it.
    ForgetClosing {
        /// In which store.
        store: StoreName,
        /// Which origin.
        origin: Origin,
    },
    /// Remove dead records up to the stable point.
    Purge {
        /// In which store.
        store: StoreName,
        /// The stable point.
        upto: Hlc,
    },
}

/// How far the stable point of a store is, and who holds it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stable {
    /// The stable point.
    pub upto: Hlc,
    /// The member whose report is missing or differs, or who has the least. It may be this node itself.
    pub held_back_by: Option<NodeId>,
}

/// The stability of a node's stores.
#[derive(Debug, Default)]
pub struct Stability {
    reports: BTreeMap<NodeId, Report>,
    stable: BTreeMap<StoreName, Stable>,
}

/// What one member says.
#[derive(Clone, Copy)]
struct Voice<'a> {
    report: &'a Report,
    /// Of the store in question, if the member holds it.
    store: Option<&'a StoreReport>,
}

impl Stability {
    /// Takes what happened, and says what is to be done.
    pub fn step(&mut self, event: Event<'_>) -> Vec<Effect> {
        match event {
            Event::Reported(report) => {
                self.note(report);
                Vec::new()
            }
            Event::Tick { own, knows_all_seeds, held } => {
                self.reports.retain(|id, _| own.members.contains(*id));
                if !own.members.contains(own.origin.node()) {
                    return Vec::new(); // what members agree on is nothing to who is none any more
                }
                let mut effects = Vec::new();
                for store in &own.stores {
                    let purges = !held.contains(&store.store);
                    self.judge(own, (store, purges), knows_all_seeds, &mut effects);
                }
                effects
            }
        }
    }

    /// How far a store is, as of the last tick.
    #[must_use]
    pub fn of(&self, store: &StoreName) -> Stable {
        self.stable.get(store).copied().unwrap_or_default()
    }

    /// What a member has of a store, as it reported last.
    #[must_use]
    pub fn applied(&self, member: NodeId, store: &StoreName) -> Option<&Frontier> {
        let report = self.reports.get(&member)?;
        let found = report.stores.iter().find(|theirs| theirs.store == *store);
        found.map(|theirs| &theirs.applied)
    }

    /// Keeps the latest report of each member's newest run.
    fn note(&mut self, report: Report) {
        let is_older = |known: &Report| {
            (known.origin.epoch(), known.clock) > (report.origin.epoch(), report.clock)
        };
        let node = report.origin.node();
        if !self.reports.get(&node).is_some_and(is_older) {
            self.reports.insert(node, report);
        }
    }

    fn judge(
        &mut self,
        own: &Report,
        (store, purges): (&StoreReport, bool),
        knows_all_seeds: bool,
        effects: &mut Vec<Effect>,
    ) {
        let name = &store.store;
        let before = self.of(name).upto;
        let voices = self.voices(own, name).and_then(|voices| {
            // Without them a member that is not known yet may still have what is to be forgotten.
            if knows_all_seeds { Ok(voices) } else { Err(None) }
        });
        let stable = match voices {
            Ok(voices) => {
                let mut stable = survey(&voices, store, effects);
                if mutant::is(Mutant::PurgeByTime) {
                    stable.upto = Hlc::at(own.now.moved(-1_000)); // long ago, by any clock
                }
                if stable.upto > before && purges {
                    effects.push(Effect::Purge { store: name.clone(), upto: stable.upto });
                }
                Stable { upto: if purges { stable.upto } else { before }, ..stable }
            }
            Err(missing) => {
                adopt(self.reports.values(), store, effects);
                Stable { upto: before, held_back_by: missing }
            }
        };
        self.stable.insert(name.clone(), stable);
    }

    /// What every member says in its newest run, or who does not, or counts others as members.
    fn voices<'a>(
        &'a self,
        own: &'a Report,
        store: &StoreName,
    ) -> Result<Vec<Voice<'a>>, Option<NodeId>> {
        let me = own.origin.node();
        let mut voices = Vec::new();
        for member in own.members.iter() {
            let id = member.origin.node();
            let report = if id == me { Some(own) } else { self.reports.get(&id) };
            let agrees = |report: &&Report| {
                report.origin == member.origin && report.members.are_those_of(&own.members)
            };
            let report = match report.filter(agrees) {
                Some(report) => report,
                None if mutant::is(Mutant::DownMembersIgnored) => continue,
                None => return Err(Some(id)),
            };
            let found = report.stores.iter().find(|theirs| theirs.store == *store);
            if found.is_none() && member.holds(store) {
                return Err(Some(id));
            }
            voices.push(Voice { report, store: found });
        }
        Ok(voices)
    }
}

/// The stable point of a store. Says too which origins can be closed, and which closings be forgotten.
fn survey(voices: &[Voice<'_>], own: &StoreReport, effects: &mut Vec<Effect>) -> Stable {
    let holders: Vec<Holder<'_>> = voices
        .iter()
        .filter_map(|voice| Some(Holder { report: voice.report, store: voice.store? }))
        .collect();
    // Who does not hold the store may take in somebody who does: that one mints above its clock.
    let others = voices.iter().filter(|voice| voice.store.is_none());
    let others: Vec<&Report> = others.map(|voice| voice.report).collect();
    let clocks = others.iter().map(|report| (report.clock, report.origin.node()));
    let mut least = clocks.min();
    let mut unsettled: Option<NodeId> = None;
    for origin in open_origins(&holders) {
        let in_order = unsettled != Some(origin.node());
        if let Some(closing) = settled(&holders, &others, origin).filter(|_| in_order) {
            if !own.applied.is_closed(origin) {
                effects.push(Effect::Close { store: own.store.clone(), origin, closing });
            }
            continue;
        }
        unsettled = Some(origin.node());
        let points = holders
            .iter()
            .map(|holder| (lasting(holder.store).get(origin), holder.report.origin.node()));
        least = least.into_iter().chain(points).min();
    }
    forget_closings(&holders, own, effects);
    let held_back_by = least.map(|(_, member)| member);
    Stable { upto: least.map_or(Hlc::ZERO, |(upto, _)| upto), held_back_by }
}

/// A member that holds the store.
#[derive(Clone, Copy)]
struct Holder<'a> {
    report: &'a Report,
    store: &'a StoreReport,
}

/// What of a store outlasts its node.
fn lasting(store: &StoreReport) -> &Frontier {
    &store.durable
}

/// Every origin that is not closed everywhere, in order.
fn open_origins(holders: &[Holder<'_>]) -> BTreeSet<Origin> {
    let known = holders.iter().flat_map(|holder| {
        let StoreReport { applied, durable, loose, durable_loose, .. } = holder.store;
        let open = applied.open().chain(durable.open()).map(|(origin, _)| origin);
        // Of a run that was lost nobody may have more than records that came ahead.
        let ahead = loose.keys().chain(durable_loose.keys()).copied();
        open.chain(ahead.filter(|origin| !applied.is_closed(*origin)))
    });
    known.chain(holders.iter().map(|holder| holder.report.origin)).collect()
}

/// How an origin can be closed: every member knows that it is over, and all hold the same of it, durably.
/// `others` are the members that do not hold the store.
fn settled(holders: &[Holder<'_>], others: &[&Report], origin: Origin) -> Option<Closing> {
    let mut agreed = None;
    for holder in holders {
        let StoreReport { applied, durable, loose, durable_loose, .. } = holder.store;
        if mutant::is(Mutant::ClosedByEpoch) && knows_dead(holder, origin) {
            return Some(Closing { at: holder.store.applied.get(origin), loose: false });
        }
        if !knows_dead(holder, origin) && !has_let_go(holder, others, origin) {
            return None;
        }
        for (frontier, loose) in [(applied, loose), (durable, durable_loose)] {
            let stand = standing(frontier, loose, origin)?;
            if *agreed.get_or_insert(stand) != stand {
                return None;
            }
        }
    }
    let (at, loose): (Hlc, Option<u64>) = agreed?;
    Some(Closing { at, loose: loose.is_some() })
}

/// Where somebody stands with an origin, and the hash of what is loose beyond; `None` when that is not known
/// any more, because it was closed.
fn standing(
    frontier: &Frontier,
    loose: &BTreeMap<Origin, u64>,
    origin: Origin,
) -> Option<(Hlc, Option<u64>)> {
    match frontier.closing(origin) {
        Some(Closing { at, loose: false }) => Some((at, None)),
        Some(Closing { loose: true, .. }) => None,
        None if frontier.is_closed(origin) => None,
        None => Some((frontier.get(origin), loose.get(&origin).copied())),
    }
}

fn knows_dead(holder: &Holder<'_>, origin: Origin) -> bool {
    let Holder { report, store } = holder;
    let newer = |epoch| epoch > origin.epoch();
    report.members.is_forgotten(origin.node())
        || (report.origin.node() == origin.node() && newer(report.origin.epoch()))
        || store.applied.newest_epoch(origin.node()).is_some_and(newer)
        || store.applied.is_closed(origin)
}

/// Whether the node of an origin does not hold the store any more, and the holder knows it. A store that it
/// made after it said so would have points above its clock of then.
fn has_let_go(holder: &Holder<'_>, others: &[&Report], origin: Origin) -> bool {
    let Holder { report, store } = holder;
    let is_since = |run: Origin| run.node() == origin.node() && run.epoch() >= origin.epoch();
    let member = report.members.get(origin.node());
    let at = store.applied.get(origin);
    member.is_some_and(|member| is_since(member.origin) && !member.holds(&store.store))
        && others.iter().any(|other| is_since(other.origin) && other.clock >= at)
}

/// Closes what a peer has closed, if this node stands where all stood then. The peer has asked everybody.
fn adopt<'a>(
    reports: impl Iterator<Item = &'a Report>,
    own: &StoreReport,
    effects: &mut Vec<Effect>,
) {
    let theirs: Vec<&Frontier> = reports
        .flat_map(|report| report.stores.iter().filter(|theirs| theirs.store == own.store))
        .map(|theirs| &theirs.applied)
        .collect();
    let mut unsettled: Option<NodeId> = None;
    for (origin, _) in own.applied.open() {
        let mine = [(&own.applied, &own.loose), (&own.durable, &own.durable_loose)];
        let stands = |at| {
            mine.iter()
                .all(|(frontier, loose)| standing(frontier, loose, origin) == Some((at, None)))
        };
        let mut closings = theirs.iter().filter_map(|frontier| frontier.closing(origin));
        let closing = closings.find(|closing| !closing.loose && stands(closing.at));
        match closing.filter(|_| unsettled != Some(origin.node())) {
            Some(closing) => {
                effects.push(Effect::Close { store: own.store.clone(), origin, closing });
            }
            None => unsettled = Some(origin.node()),
        }
    }
}

/// How an origin was closed need not be known any more once everybody has closed it durably, and several later
/// ones of its node: a disk that was rolled back to before that lacks those too, and is filled anew.
fn forget_closings(holders: &[Holder<'_>], own: &StoreReport, effects: &mut Vec<Effect>) {
    let closed = own.applied.iter().filter(|(_, point)| Closing::of(*point).is_some());
    let closed: Vec<Origin> = closed.map(|(origin, _)| origin).collect();
    for (origin, later) in closed.iter().zip(closed.iter().skip(KEPT_CLOSINGS)) {
        let is_implied = later.node() == origin.node();
        let all_closed = holders.iter().all(|holder| {
            holder.store.applied.is_closed(*origin) && holder.store.durable.is_closed(*origin)
        });
        if is_implied && all_closed {
            effects.push(Effect::ForgetClosing { store: own.store.clone(), origin: *origin });
        }
    }
}

impl Members {
    /// Whether both name the same members, and the same forgotten ones.
    fn are_those_of(&self, other: &Self) -> bool {
        let ids = |members: &Self| -> Vec<NodeId> {
            members.iter().map(|member| member.origin.node()).collect()
        };
        ids(self) == ids(other) && self.forgotten().eq(other.forgotten())
    }
}

// CAVEATS: a member that stays away holds the stable point until it returns or is forgotten. An origin that was
// closed while records of it were loose is learned by catch-up only.

#[cfg(test)]
#[path = "stability_test.rs"]
mod tests;

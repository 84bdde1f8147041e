//! What a store does behind a gap: it is caught up, or, as a cache, forgets.

use std::collections::VecDeque;

pub(super) use gridkv_protocol::catchup::Event;
use gridkv_protocol::catchup::{CatchUp, Effect, Emptied, View};
use gridkv_protocol::forgetting::{self, Forget, Forgetting};
use gridkv_protocol::message::Message;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc, Origin};
use gridkv_storage::reader::StoreReader;

use super::StoreEnd;
use super::waiting::Waiting;
use crate::node::Act;
use crate::sim_clock::NodeClock;

/// The machine of a store.
pub(super) enum Behind {
    /// It gets from a peer what is missing.
    CatchUp(Box<CatchUp>),
    /// It is a cache, and goes on without.
    Forgetting(Forgetting),
}

impl Behind {
    pub(super) fn new(reader: &StoreReader, origin: Origin, skew_ms: u64) -> Self {
        if reader.promises().cache {
            Self::Forgetting(Forgetting::new(origin, skew_ms))
        } else {
            Self::CatchUp(Box::new(CatchUp::new(reader.name().clone(), origin, skew_ms)))
        }
    }

    pub(super) fn is_bootstrapping(&self) -> bool {
        match self {
            Self::CatchUp(machine) => machine.is_bootstrapping(),
            Self::Forgetting(_) => false,
        }
    }

    pub(super) fn holds(&self) -> bool {
        match self {
            Self::CatchUp(machine) => machine.holds(),
            Self::Forgetting(_) => false,
        }
    }

    pub(super) fn is_rebuilding(&self) -> bool {
        match self {
            Self::CatchUp(machine) => machine.rebuild_waits().is_some(),
            Self::Forgetting(_) => false,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        match self {
            Self::CatchUp(machine) => machine.is_running(),
            Self::Forgetting(machine) => machine.is_under_way(),
        }
    }
}

impl StoreEnd {
    /// Steps the machine and does what it says.
    pub(super) fn behind_step(&mut self, clock: &mut NodeClock, event: Event, acts: &mut Vec<Act>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let (now, applied) = (clock.now(), self.reader.applied());
            match &mut self.behind {
                Behind::CatchUp(machine) => {
                    let loose = self.reader.loose();
                    let view = View { applied: &applied, loose: &loose };
                    let effects = machine.step(now, event, view);
                    self.applier.hold(machine.holds());
                    for effect in effects {
                        events.extend(self.perform(clock, effect, acts));
                    }
                }
                Behind::Forgetting(machine) => {
                    let event = forgetting::Event::of(&event);
                    let forget = event.and_then(|event| machine.step(now, event, &applied));
                    if let Some(forget) = forget {
                        events.push_back(self.forget(clock, &forget, acts));
                    }
                }
            }
        }
    }

    fn perform(
        &mut self,
        clock: &mut NodeClock,
        effect: Effect,
        acts: &mut Vec<Act>,
    ) -> Option<Event> {
        match effect {
            Effect::Request { peer, request } => {
                self.outgoing.push((peer, Message::PageRequest(request)));
            }
            Effect::Merge(records) => return self.merge(clock, records, acts),
            Effect::Replace(stretch) => {
                let taken = self.take_stretch(clock, stretch, acts);
                return Some(if taken { Event::Merged } else { Event::MergeFailed });
            }
            Effect::Empty { covered } => {
                let emptied = self.at_once(clock, |writer| writer.empty(&covered), acts);
                let emptied = emptied.map_or(Emptied::Failed, Emptied::of);
                acts.push(Act::Note(format!("{}: is emptied, {emptied:?}", self.name())));
                return Some(Event::Emptied(emptied));
            }
            Effect::RebuildGivenUp { peer, .. } => {
                acts.push(Act::Note(format!("{}: no rebuild from {peer}", self.name())));
            }
            Effect::Install { frontier, floor } => self.install(clock, &frontier, floor, acts),
            Effect::Started { peer, bootstrap } => {
                let name = self.name();
                acts.push(Act::Note(format!("{name}: catches up from {peer}, all {bootstrap}")));
            }
            Effect::Ended { peer, records, complete } => acts.push(Act::Note(format!(
                "{}: catch-up from {peer} ends, {records} records, complete {complete}",
                self.name()
            ))),
        }
        None
    }

    fn merge(
        &mut self,
        clock: &mut NodeClock,
        records: Vec<KeyedRecord>,
        acts: &mut Vec<Act>,
    ) -> Option<Event> {
        let now = self.now(clock);
        let now = self.deadlines_at(now);
        if self.writer.merge_page(records, now).is_err() {
            return Some(Event::MergeFailed);
        }
        self.wait(Waiting::Merge, acts);
        None
    }

    fn install(
        &mut self,
        clock: &mut NodeClock,
        frontier: &Frontier,
        floor: Hlc,
        acts: &mut Vec<Act>,
    ) {
        self.now(clock);
        self.writer.install(frontier, floor);
        self.wait(Waiting::Install, acts);
    }

    /// What is staged is committed and answered first, then everything is forgotten.
    fn forget(&mut self, clock: &mut NodeClock, wish: &Forget, acts: &mut Vec<Act>) -> Event {
        self.flush(clock, acts);
        let others = self.writer.others();
        let is_stuck = wish.stuck.iter().any(|(origin, at)| others.get(*origin) == *at);
        let done = is_stuck && self.writer.forget_all(&wish.adopt).is_ok();
        clock.observe(self.writer.clock());
        acts.push(Act::Note(format!("{}: forgets everything, {done}", self.name())));
        if done { Event::Merged } else { Event::MergeFailed }
    }
}

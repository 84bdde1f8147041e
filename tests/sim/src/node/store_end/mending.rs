//! The store beside those of the peers: an alarm, and what is fetched because of it, as the convergence actor
//! has them. In a world where all rules are kept and no disk was copied the alarm is never raised.

use std::collections::VecDeque;

use gridkv_protocol::NodeId;
use gridkv_protocol::convergence::{Digests, Effect, Event, Sums};
use gridkv_protocol::message::{DigestAnswer, DigestRequest, Message};
use gridkv_protocol::repair;

use super::StoreEnd;
use crate::node::Act;
use crate::sim_clock::NodeClock;

impl StoreEnd {
    /// Steps the comparison with the peers and does what it says.
    pub(super) fn compare(&mut self, clock: &mut NodeClock, event: Event, acts: &mut Vec<Act>) {
        if self.is_cache() {
            return;
        }
        let reader = &self.reader;
        let effects =
            self.convergence.step(clock.now(), event, |frontier| reader.root_at(frontier));
        for effect in effects {
            match effect {
                Effect::RequestDigest { peer } => {
                    acts.push(Act::Diverged(peer));
                    let request = DigestRequest { store: self.name().clone() };
                    self.outgoing.push((peer, Message::DigestRequest(request)));
                }
                Effect::Repair { peer, buckets } => {
                    let count = buckets.len();
                    acts.push(Act::Note(format!("{}: repairs {count} from {peer}", self.name())));
                    self.mend(clock, repair::Event::Start { peer, buckets }, acts);
                }
                Effect::Agreed { peer } => {
                    acts.push(Act::Note(format!("{}: agrees with {peer}", self.name())));
                }
            }
        }
    }

    /// Steps the repair and does what it says.
    pub(super) fn mend(
        &mut self,
        clock: &mut NodeClock,
        event: repair::Event,
        acts: &mut Vec<Act>,
    ) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let applied = self.reader.applied();
            for effect in self.repair.step(clock.now(), event, &applied) {
                match effect {
                    repair::Effect::Request { peer, request } => {
                        self.outgoing.push((peer, Message::PageRequest(request)));
                    }
                    repair::Effect::Look { session, keys } => {
                        let here = keys.iter().map(|key| self.reader.standing(key));
                        let here = here.collect::<Result<Vec<_>, _>>().ok();
                        events.push_back(repair::Event::Looked { session, here });
                    }
                    repair::Effect::Merge { session, records } => {
                        let now = self.now(clock);
                        let now = self.deadlines_at(now);
                        let merged = self.writer.merge_page(records, now).is_ok();
                        let done = merged && self.flush(clock, acts);
                        events.push_back(repair::Event::Merged { session, done });
                    }
                    repair::Effect::Ended { peer, records, complete } => {
                        acts.push(Act::Note(format!(
                            "{}: repair from {peer} ends, {records} records, complete {complete}",
                            self.name()
                        )));
                        self.compare(clock, Event::Repaired { peer }, acts);
                    }
                }
            }
        }
    }

    /// What a peer is told that asks for the digest.
    pub(in crate::node) fn digest(&self) -> DigestAnswer {
        let (proof, buckets) = self.writer.digest().unzip();
        DigestAnswer { store: self.name().clone(), proof, buckets: buckets.unwrap_or_default() }
    }

    /// A peer's digest came.
    pub(in crate::node) fn digest_came(
        &mut self,
        clock: &mut NodeClock,
        peer: NodeId,
        answer: DigestAnswer,
        acts: &mut Vec<Act>,
    ) {
        let mine = self.writer.digest().map(|(proof, buckets)| Sums { proof, buckets });
        let theirs = answer.proof.map(|proof| Sums { proof, buckets: answer.buckets });
        let digests = theirs.zip(mine).map(|(theirs, mine)| Digests { theirs, mine });
        self.compare(clock, Event::DigestCame { peer, digests }, acts);
    }

    /// While the store is caught up it is not repaired.
    pub(super) fn look_at_repair(&mut self, clock: &mut NodeClock, acts: &mut Vec<Act>) {
        let event = if self.is_behind() { repair::Event::CatchingUp } else { repair::Event::Tick };
        self.mend(clock, event, acts);
    }
}

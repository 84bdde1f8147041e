//! Membership, heartbeats and links of a process, as the cluster actor has them.

use std::collections::BTreeSet;

use gridkv_protocol::boot::Boot;
use gridkv_protocol::fence::{self, Standing};
use gridkv_protocol::membership::{Effect, Event, Roster};
use gridkv_protocol::message::Message;
use gridkv_protocol::mutant::{self, Mutant};
use gridkv_protocol::report::Report;
use gridkv_protocol::stability;
use gridkv_protocol::welcome::{Hello, ProtocolRange, Refusal, RefusalReason, Welcome};
use gridkv_protocol::{Epoch, Hlc, NodeId, Origin};

use super::dialling::Ending;
use super::{Act, ConnId, NodeFile, Phase, Process};

impl Process {
    /// The process starts: what the cluster actor does first.
    pub(super) fn begin(&mut self) {
        if self.membership.is_joined() {
            self.catch_up();
        }
        self.step(Event::Started);
        self.meet();
    }

    /// Steps the machine and does what it says; returns what is to be answered to who knocked.
    pub(super) fn step(&mut self, event: Event) -> Option<Result<Welcome, Refusal>> {
        let mut answer = None;
        for effect in self.membership.step(self.clock.now(), event) {
            match effect {
                Effect::Persist(roster) => self.keep(&roster),
                Effect::Joined { formed, clock } => {
                    self.acts.push(Act::Note(format!("joined, formed {formed}")));
                    self.observe(clock);
                    self.catch_up();
                }
                Effect::Welcome(welcome) => answer = Some(Ok(*welcome)),
                Effect::Refuse(refusal) => answer = Some(Err(refusal)),
            }
        }
        self.dial();
        answer
    }

    fn meet(&mut self) {
        let others = self.others();
        for store in &mut self.stores {
            store.meet(others.clone());
        }
    }

    fn keep(&mut self, roster: &Roster) {
        self.meet();
        if roster.members.is_forgotten(self.origin.node()) {
            self.acts.push(Act::Die(super::FORGOTTEN.into()));
        }
        self.acts.push(Act::Keep(NodeFile {
            id: self.origin.node(),
            epoch: self.origin.epoch(),
            joined: roster.joined,
            members: roster.members.clone(),
        }));
    }

    fn catch_up(&mut self) {
        self.boot = Some(Boot::start(self.clock.now()));
        self.phase = self.phase.max(Phase::CatchingUp);
        self.judge_clock();
        self.look_if_ready();
    }

    fn limit(&self) -> Hlc {
        Hlc::end_of(self.clock.now().plus(self.settings.max_clock_skew))
    }

    /// What is further ahead than the skew limit does not move the clock.
    fn observe(&mut self, clock: Hlc) {
        if clock <= self.limit() || mutant::is(Mutant::NoSkewBound) {
            self.clock.observe(clock);
        }
    }

    /// Dials each address that should have a link, and ends the others.
    fn dial(&mut self) {
        let targets = self.membership.targets();
        self.contacts.refusals.keep(&targets);
        let (conns, served) = self.dialling.end_others(&targets);
        self.acts.extend(conns.into_iter().map(Act::Close));
        for peer in served {
            self.unlink(peer);
        }
        let fresh = self.dialling.start(targets);
        self.acts.extend(fresh.into_iter().map(|addr| Act::DialAfter(addr, 0)));
    }

    fn unlink(&mut self, peer: NodeId) {
        self.contacts.link_down(peer);
        self.links.remove(&peer);
        if let Some(boot) = &mut self.boot {
            boot.lost(peer);
        }
        for store in &mut self.stores {
            store.link_down(&mut self.clock, peer, &mut self.acts);
        }
    }

    /// What this node tells its peers.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            origin: self.origin,
            now: self.clock.now(),
            clock: self.clock.observed(),
            ready: self.phase == Phase::Ready && self.may_mint(),
            members: self.membership.members().clone(),
            stores: self.stores.iter().map(|store| store.reader().report()).collect(),
        }
    }

    /// A heartbeat is due.
    pub fn beat(&mut self) {
        self.follow_the_wall();
        self.judge_clock();
        self.look_if_ready();
        if self.membership.is_joined() {
            let report = self.report();
            self.agree(&report);
            for conn in self.links.values() {
                self.acts.push(Act::Send(*conn, Message::Report(report.clone())));
            }
        }
        self.rebuild_what_is_covered();
        self.settle();
    }

    /// A peer reported, over either connection.
    pub(super) fn reported(&mut self, report: Report) {
        let (now, peer) = (self.clock.now(), report.origin.node());
        if !self.membership.members().contains(peer) {
            return; // forgotten, or not added yet
        }
        self.contacts.reported(&report, now);
        for store in &mut self.stores {
            if let Some(theirs) = report.stores.iter().find(|theirs| theirs.store == *store.name())
            {
                store.held(report.origin, theirs, &mut self.acts);
            }
        }
        self.fence.step(now, fence::Event::Reported { from: report.origin, now: report.now });
        self.observe(report.clock);
        self.leave_epochs_of_others(&report);
        let limit = self.limit();
        if let Some(boot) = &mut self.boot {
            boot.heard(report.origin, &report.stores, limit);
        }
        if self.contacts.has_link(peer) {
            for store in &mut self.stores {
                let theirs = report.stores.iter().find(|theirs| theirs.store == *store.name());
                if let Some(theirs) = theirs {
                    store.reported(&mut self.clock, report.origin, theirs, &mut self.acts);
                }
            }
        }
        let members = report.members.clone();
        self.stability.step(stability::Event::Reported(report));
        self.step(Event::Reported(members));
        self.judge_clock();
        self.look_if_ready();
        self.rebuild_what_is_covered();
    }

    /// A report that knows a higher epoch of this node: its disk was rolled back. It goes on above it.
    fn leave_epochs_of_others(&mut self, report: &Report) {
        let own = self.origin;
        let minted = report.stores.iter().filter_map(|s| s.applied.newest_epoch(own.node()));
        let counted = report.members.get(own.node()).map(|member| member.origin.epoch());
        let Some(seen) = minted.chain(counted).max().filter(|seen| *seen > own.epoch()) else {
            return;
        };
        if !mutant::is(Mutant::CountedEpoch) && !mutant::is(Mutant::SameEpoch) {
            self.go_on_above(seen);
        }
    }

    /// Goes on under a new epoch, above this one.
    pub(super) fn go_on_above(&mut self, seen: Epoch) {
        let epoch = self.origin.epoch().max(seen).next();
        self.origin = Origin::new(self.origin.node(), epoch);
        self.acts.push(Act::Note(format!("goes on as {}", self.origin)));
        let roster = Roster {
            joined: self.membership.is_joined(),
            members: self.membership.members().clone(),
        };
        self.keep(&roster);
        for store in &mut self.stores {
            store.take_origin(&mut self.clock, self.origin, &mut self.acts);
        }
        self.step(Event::NewOrigin(self.origin));
    }

    /// Who is up beside the node that knocks: connected, or heard of a moment ago. Its own earlier run
    /// counts only while it is connected.
    fn up_beside(&self, knocks: NodeId) -> Vec<Origin> {
        let lately = self.contacts.heard_within(self.settings.suspect_after, self.clock.now());
        let others = lately.filter(|run| run.node() != knocks);
        self.contacts.up().into_iter().chain(others).collect()
    }

    pub(super) fn others(&self) -> BTreeSet<NodeId> {
        let own = self.origin.node();
        let members = self.membership.members().iter();
        members.map(|member| member.origin.node()).filter(|id| *id != own).collect()
    }

    fn look_if_ready(&mut self) {
        let Some(boot) = &self.boot else { return };
        if self.standing == Standing::Unjudged {
            return;
        }
        let refused = self.contacts.refusals.against(!self.links.is_empty());
        if !refused.is_empty() || !boot.has_listened(self.clock.now(), &self.others()) {
            return;
        }
        let own = self.origin;
        let covers =
            |store: &super::StoreEnd| boot.covers(store.name(), &store.reader().applied(), own);
        if self.stores.iter().all(covers) {
            self.boot = None;
            self.phase = Phase::Ready;
            self.acts.push(Act::Note("ready".into()));
        }
    }

    /// What to say first to a node that is dialled.
    #[must_use]
    pub fn hello(&self) -> Hello {
        self.membership.hello(self.clock.now())
    }

    /// An operator says that a node is gone for good.
    pub fn forget(&mut self, id: NodeId) {
        self.step(Event::Forget(id));
        self.settle();
    }

    /// A node knocked over a connection that it made.
    pub fn knocked(&mut self, conn: ConnId, hello: Hello) {
        let origin = hello.member.origin;
        let (up, clock) = (self.up_beside(origin.node()), self.clock.observed());
        let ready = self.boot.is_none();
        let answer = self.step(Event::HelloFrom { hello, ready, up, clock });
        match answer {
            Some(Ok(welcome)) => {
                let serves = welcome.takes_in(origin.node());
                self.acts.push(Act::Send(conn, Message::Welcome(welcome)));
                if serves {
                    self.inbound.insert(conn, origin);
                    self.contacts.arrived(origin);
                } else {
                    self.acts.push(Act::Close(conn)); // this node has not joined either, or takes in nobody yet
                }
            }
            Some(Err(refusal)) => {
                self.acts.push(Act::Send(conn, Message::Refusal(refusal)));
                self.acts.push(Act::Close(conn));
            }
            None => self.acts.push(Act::Close(conn)),
        }
        self.settle();
    }

    /// A connection to `addr` was begun. Says what goes over it first, if it is still wanted.
    pub fn connects(&mut self, addr: &str, conn: ConnId) -> Option<Hello> {
        self.dialling.connects(addr, conn).then(|| self.hello())
    }

    /// A node that was dialled answered.
    pub(super) fn welcomed(&mut self, conn: ConnId, welcome: Welcome) {
        let Some(addr) = self.dialling.addr_of(conn).map(str::to_owned) else { return };
        self.contacts.refusals.note(&addr, None);
        let speaks = welcome.protocol.common(ProtocolRange::OWN).is_some();
        if !speaks || self.membership.is_copy(&welcome.member, &self.contacts.up()) {
            let reason = "it runs on a copy of a member's data".into();
            self.step(Event::Silent { addr, reason });
            self.end(conn, Ending::NotYet);
            return;
        }
        let (origin, taken_in) = (welcome.member.origin, welcome.takes_in(self.origin.node()));
        self.step(Event::WelcomeFrom { addr: addr.clone(), welcome });
        if origin == self.origin {
            self.acts.push(Act::Close(conn));
        } else if !taken_in || !self.membership.is_joined() {
            self.end(conn, Ending::NotYet);
        } else if self.contacts.has_link(origin.node())
            || !self.dialling.serves(&addr, origin.node())
        {
            self.end(conn, Ending::NotNeeded);
        } else {
            self.contacts.link_up(origin, self.clock.now());
            self.links.insert(origin.node(), conn);
            self.acts.push(Act::Send(conn, Message::Report(self.report())));
            self.acts.push(Act::Note(format!("linked to {origin}")));
        }
    }

    /// A node that was dialled refuses this one.
    pub(super) fn refused(&mut self, conn: ConnId, refusal: &Refusal) {
        self.silent(conn, Some(refusal.reason), &refusal.detail);
    }

    /// A connection that was begun comes to nothing.
    fn silent(&mut self, conn: ConnId, refused: Option<RefusalReason>, reason: &str) {
        let Some(addr) = self.dialling.addr_of(conn).map(str::to_owned) else { return };
        self.contacts.refusals.note(&addr, refused.map(|why| (why, reason)));
        self.step(Event::Silent { addr, reason: reason.to_owned() });
        self.end(conn, Ending::Failed);
    }

    /// Ends a connection that this node made, and dials again after a pause.
    fn end(&mut self, conn: ConnId, ending: Ending) {
        self.acts.push(Act::Close(conn));
        let Some(ended) = self.dialling.ended(conn, ending) else { return };
        if let Some(peer) = ended.peer.filter(|peer| self.links.get(peer) == Some(&conn)) {
            self.unlink(peer);
        }
        self.acts.push(Act::DialAfter(ended.addr, ended.pause_ms));
    }

    /// A peer's connection to this node is over.
    pub(super) fn left(&mut self, origin: Origin) {
        self.contacts.left(origin);
        if !self.contacts.is_connected(origin.node())
            && let Some(boot) = &mut self.boot
        {
            boot.lost(origin.node());
        }
    }

    /// A connection is over, whoever ended it.
    pub fn closed(&mut self, conn: ConnId) {
        if let Some(origin) = self.inbound.remove(&conn) {
            self.left(origin);
        } else if self
            .dialling
            .peer_of(conn)
            .is_some_and(|peer| self.links.get(&peer) == Some(&conn))
        {
            self.end(conn, Ending::Served);
        } else {
            self.silent(conn, None, "the connection ended");
        }
        self.settle();
    }
}

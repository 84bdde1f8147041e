//! The cluster actor: membership, heartbeats, and who is linked to whom.
//!
//! It feeds the protocol's membership machine, keeps the roster before it answers anyone, starts and
//! ends links as the roster says, and carries reports to publishers and catch-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context};
use gridkv_protocol::boot::Boot;
use gridkv_protocol::contacts::Contacts;
use gridkv_protocol::fence::{self, Fence, Standing};
use gridkv_protocol::membership::{Effect, Event, Membership, Roster};
use gridkv_protocol::message::Message as WireMessage;
use gridkv_protocol::report::Report;
use gridkv_protocol::stability::Stability;
use gridkv_protocol::welcome::{Refusal, Welcome};
use gridkv_protocol::{Hlc, NodeId, Origin, StoreName, UnixMs};

use crate::clock::ClockSource;
use crate::cluster_board::{Board, ClusterBoard, Neighbour};
use crate::dialling::Dialling;
use crate::identity::{Identity, IdentityError};
use crate::links::Links;
use crate::mail::{Mail, takes_letters};
use crate::mailbox::Mailbox;
use crate::member_change::Changes;
use crate::node_state::{NodeState, Phase};
use crate::operations::Operation;
use crate::peer_link::{self, LinkParts};
use crate::peer_security::PeerSecurity;
use crate::store_ends::StoreEnds;
use crate::wire::OutboxLimits;

mod epochs;
mod full_sync;
mod handlers;
mod judging;
mod members;
mod stability;
mod stores;

/// What a cluster actor is made of.
pub(crate) struct ClusterParts {
    pub(crate) membership: Membership,
    pub(crate) identity: Identity,
    pub(crate) stores: Arc<StoreEnds>,
    pub(crate) links: Arc<Links>,
    pub(crate) clock: Arc<ClockSource>,
    pub(crate) state: Arc<NodeState>,
    pub(crate) board: Arc<ClusterBoard>,
    pub(crate) origin: Arc<AtomicU64>,
    pub(crate) security: PeerSecurity,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) settings: ClusterSettings,
}

/// How often, how long and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterSettings {
    pub(crate) heartbeat: Duration,
    pub(crate) silence: Duration,
    pub(crate) suspect_ms: u64,
    pub(crate) max_clock_skew_ms: u64,
    pub(crate) outbox: OutboxLimits,
}

/// Membership, heartbeats and links of one node.
pub(crate) struct ClusterActor {
    parts: ClusterParts,
    contacts: Contacts,
    dialling: Dialling,
    changes: Changes,
    fence: Fence,
    boot: Option<Boot>,
    stability: Stability,
    /// Stores to be rebuilt once their peers have what this node minted, and what was asked of each.
    rebuilds: BTreeMap<StoreName, Arc<Operation>>,
    /// Stores that were made a moment ago, and what peers that hold them had.
    filling: BTreeMap<StoreName, Boot>,
    /// Stores that were dropped in the present epoch.
    dropped: BTreeSet<StoreName>,
}

impl ClusterActor {
    pub(crate) fn new(parts: ClusterParts) -> Self {
        let ClusterSettings { max_clock_skew_ms, suspect_ms, .. } = parts.settings;
        Self {
            parts,
            contacts: Contacts::default(),
            dialling: Dialling::default(),
            changes: Changes::default(),
            fence: Fence::new(max_clock_skew_ms, suspect_ms),
            boot: None,
            stability: Stability::default(),
            rebuilds: BTreeMap::new(),
            filling: BTreeMap::new(),
            dropped: BTreeSet::new(),
        }
    }

    fn now(&self) -> UnixMs {
        self.parts.clock.now()
    }

    fn own(&self) -> Origin {
        Origin::from_bits(self.parts.origin.load(Ordering::Acquire))
    }

    /// Steps the machine and does what it says; returns what is to be answered to who knocked.
    fn step(&mut self, event: Event, ctx: &mut Context<Self>) -> Option<Result<Welcome, Refusal>> {
        let now = self.now();
        let mut answer = None;
        for effect in self.parts.membership.step(now, event) {
            match effect {
                Effect::Persist(roster) => {
                    if !self.keep(roster) {
                        break;
                    }
                }
                Effect::Joined { formed, clock } => self.joined(formed, clock),
                Effect::Welcome(welcome) => answer = Some(Ok(*welcome)),
                Effect::Refuse(refusal) => answer = Some(Err(refusal)),
            }
        }
        self.dial(ctx);
        self.show();
        answer
    }

    /// Keeps the roster. Without it nothing that follows may be said: the node ends instead.
    fn keep(&mut self, roster: Roster) -> bool {
        for store in self.parts.stores.all().values() {
            store.acks.keep(|peer| roster.members.contains(peer));
        }
        self.parts.links.keep(|peer| roster.members.contains(peer));
        let kept = self.parts.identity.keep_roster(roster);
        if let Err(error) = &kept {
            tracing::error!(%error, "the roster can not be kept; the node stops");
            self.parts.board.fail(format!("the roster can not be kept: {error}"));
        }
        if self.parts.membership.members().is_forgotten(self.own().node()) {
            self.parts.board.send_away(IdentityError::Forgotten.to_string());
        }
        kept.is_ok()
    }

    fn joined(&mut self, formed: bool, clock: Hlc) {
        self.observe(clock);
        tracing::info!(formed, "joined the cluster");
        self.catch_up();
    }

    fn catch_up(&mut self) {
        self.boot = Some(Boot::start(self.now()));
        self.parts.state.enter(Phase::CatchingUp);
        self.judge_clock();
        self.look_if_ready();
    }

    /// What is further ahead than the skew limit does not move the clock.
    fn observe(&self, clock: Hlc) {
        let limit = Hlc::end_of(self.now().plus(self.parts.settings.max_clock_skew_ms));
        if clock <= limit {
            self.parts.clock.observe(clock);
        }
    }

    /// Starts a link for each address that should have one, and ends the others.
    fn dial(&mut self, ctx: &mut Context<Self>) {
        let targets = self.parts.membership.targets();
        self.contacts.refusals.keep(&targets);
        for peer in self.dialling.end_others(&targets) {
            self.unlink(peer);
        }
        let (cluster, parts) = (Mail::new(ctx.address(), &self.parts.mailbox), &self.parts);
        self.dialling.start(targets, |addr| {
            let link = LinkParts {
                cluster: cluster.clone(),
                stores: Arc::clone(&parts.stores),
                links: Arc::clone(&parts.links),
                limits: parts.settings.outbox,
                silence: parts.settings.silence,
                security: parts.security.clone(),
            };
            actix_rt::spawn(peer_link::keep(addr.to_owned(), link))
        });
    }

    fn unlink(&mut self, peer: NodeId) {
        self.contacts.link_down(peer);
        self.parts.links.close(peer);
        self.dialling.lost(peer);
        if let Some(boot) = &mut self.boot {
            boot.lost(peer);
        }
        for filling in self.filling.values_mut() {
            filling.lost(peer);
        }
        for store in self.parts.stores.all().values() {
            stores::part(store, peer);
        }
    }

    fn report(&self) -> Report {
        Report {
            origin: self.own(),
            now: self.now(),
            clock: self.parts.clock.observed(),
            ready: self.parts.state.phase() == Phase::Ready && self.parts.state.may_mint(),
            members: self.parts.membership.members().clone(),
            stores: self.parts.stores.all().values().map(|store| store.reader.report()).collect(),
        }
    }

    fn heartbeat(&mut self, ctx: &mut Context<Self>) {
        self.follow_the_wall();
        self.judge_clock();
        self.look_if_ready();
        self.look_if_filled();
        self.show();
        self.settle_changes(ctx);
        if self.parts.membership.is_joined() {
            let report = self.report();
            self.settle(&report);
            self.tell_all(report);
        }
    }

    fn tell_all(&self, report: Report) {
        let report = WireMessage::Report(report);
        for peer in self.parts.links.peers() {
            self.parts.links.send(peer, &report);
        }
    }

    fn reported(&mut self, report: Report, ctx: &mut Context<Self>) {
        let (now, peer) = (self.now(), report.origin.node());
        if !self.parts.membership.members().contains(peer) {
            return; // forgotten, or not added yet
        }
        self.contacts.reported(&report, now);
        for theirs in &report.stores {
            if let Some(store) = self.parts.stores.get(theirs.store.as_str()) {
                store.acks.reported(report.origin, &theirs.applied);
            }
        }
        self.fence.step(now, fence::Event::Reported { from: report.origin, now: report.now });
        self.observe(report.clock);
        self.leave_epochs_of_others(&report, ctx);
        if let Some(boot) = &mut self.boot {
            let limit = Hlc::end_of(now.plus(self.parts.settings.max_clock_skew_ms));
            boot.heard(report.origin, &report.stores, limit);
        }
        if let Some(member) = self.parts.membership.members().get(peer) {
            self.changes.stored(peer, &member.name, |id| report.members.is_forgotten(id));
        }
        if self.contacts.has_link(peer) {
            self.spread(&report);
        }
        self.fill(&report);
        let members = report.members.clone();
        self.hear(report);
        self.step(Event::Reported(members), ctx);
        if self.is_mismatched(peer) {
            self.parts.links.cut(peer); // it is told why when it is dialled again
        }
        self.judge_clock();
        self.look_if_ready();
        // Here too: heartbeats of two nodes may keep in step, and one of them always be ahead at a beat.
        self.rebuild_what_is_covered(ctx);
    }

    /// Who is up beside the node that knocks: connected, or heard of a moment ago, because the restart of
    /// another is not its absence. Its own earlier run counts only while it is connected.
    fn up_beside(&self, knocks: NodeId) -> Vec<Origin> {
        let lately = self.contacts.heard_within(self.parts.settings.suspect_ms, self.now());
        let others = lately.filter(|run| run.node() != knocks);
        self.contacts.up().into_iter().chain(others).collect()
    }

    fn others(&self) -> BTreeSet<NodeId> {
        let own = self.own().node();
        let members = self.parts.membership.members().iter();
        members.map(|member| member.origin.node()).filter(|id| *id != own).collect()
    }

    fn look_if_ready(&mut self) {
        let Some(boot) = &self.boot else { return };
        if self.parts.state.clock() == Standing::Unjudged {
            return;
        }
        let (own, others) = (self.own(), self.others());
        let stores = self.parts.stores.all();
        let covered = stores.iter().all(|(name, it)| boot.covers(name, &it.reader.applied(), own));
        let taken_in = self.refused_by().is_empty() && boot.has_listened(self.now(), &others);
        if taken_in && covered {
            let silent = boot.silent(&others).len();
            tracing::info!(peers = others.len(), silent, "ready");
            self.boot = None;
            self.parts.state.enter(Phase::Ready);
        }
    }

    /// What keeps this node from being ready although its peers answer.
    fn refused_by(&self) -> Vec<String> {
        self.contacts.refusals.against(!self.parts.links.peers().is_empty())
    }

    /// Puts up for everyone to see what this actor knows.
    fn show(&self) {
        let members = self.parts.membership.members();
        let own = self.own();
        let neighbours = members.iter().filter(|member| member.origin.node() != own.node());
        let neighbours = neighbours
            .map(|member| {
                let id = member.origin.node();
                Neighbour {
                    member: member.clone(),
                    contact: self.contacts.get(id).cloned().unwrap_or_default(),
                    skew_ms: self.fence.skew_ms(id),
                    trouble: self.dialling.trouble(&member.addr, id),
                }
            })
            .collect();
        let silent = self.boot.as_ref().map_or_else(Vec::new, |boot| boot.silent(&self.others()));
        self.parts.board.put(Board {
            joined: self.parts.membership.is_joined(),
            waits_for: self.parts.membership.waits_for(),
            silent_at_boot: silent,
            refused_by: self.refused_by(),
            ahead_ms: self.fence.ahead_ms(self.now()),
            neighbours,
        });
    }
}

takes_letters!(ClusterActor);

impl Actor for ClusterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts.state.enter(Phase::Joining);
        if self.parts.membership.is_joined() {
            self.catch_up();
        }
        self.step(Event::Started, ctx);
        ctx.run_interval(self.parts.settings.heartbeat, |actor, ctx| {
            actor.parts.mailbox.turned();
            actor.heartbeat(ctx);
            actor.rebuild_what_is_covered(ctx);
        });
    }
}

#[cfg(test)]
#[path = "cluster_actor_test.rs"]
mod tests;

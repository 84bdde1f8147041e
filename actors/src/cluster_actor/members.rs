//! Members at run time: an operator adds one by its address, or says that one is gone for good.

use actix::{Context, Handler};
use gridkv_protocol::membership::Event;
use gridkv_protocol::welcome::{Member, Members};
use gridkv_protocol::{NodeId, Origin};

use super::ClusterActor;
use crate::cluster_messages::{AddPeer, ForgetPeer, Verdict};
use crate::member_change::{AddError, ForgetError, ForgetReply, PeerAdded};
use crate::post;

impl Handler<AddPeer> for ClusterActor {
    type Result = ();

    fn handle(&mut self, AddPeer { addr, reply }: AddPeer, ctx: &mut Context<Self>) {
        if let Some(member) = self.linked_at(&addr) {
            let added = PeerAdded { name: member.name.clone(), known: true };
            return post::answer(reply, Ok(added));
        }
        let dialled = |actor: &Self| actor.parts.membership.targets().contains(&addr);
        let fresh = !dialled(self);
        self.step(Event::Seed(addr.clone()), ctx);
        if dialled(self) {
            self.changes.adds((addr, fresh), self.now(), reply);
        } else {
            post::answer(reply, Err(AddError::Myself)); // it leads here
        }
    }
}

impl Handler<ForgetPeer> for ClusterActor {
    type Result = ();

    fn handle(&mut self, ForgetPeer { name, reply }: ForgetPeer, ctx: &mut Context<Self>) {
        match self.to_forget(&name) {
            Ok(id) => self.forget(id, reply, ctx),
            Err(error) => post::answer(reply, Err(error)),
        }
    }
}

impl ClusterActor {
    /// The member that is linked at an address: its own, or one that was dialled and led to it.
    fn linked_at(&self, addr: &str) -> Option<&Member> {
        let mut members = self.parts.membership.members().iter();
        let served = self.dialling.peer_at(addr);
        members.find(|member| {
            let id = member.origin.node();
            self.contacts.has_link(id) && (member.addr == addr || served == Some(id))
        })
    }

    /// Whom a name means, or an identity as `/v1/cluster` shows it: that one also when it is forgotten.
    fn to_forget(&self, name: &str) -> Result<NodeId, ForgetError> {
        let (members, me) = (self.parts.membership.members(), self.parts.membership.me());
        let is_meant = |id: NodeId| id.to_string() == name;
        if name == me.name || is_meant(self.own().node()) {
            return Err(ForgetError::Myself);
        }
        if !self.parts.membership.is_joined() {
            return Err(ForgetError::NotJoined);
        }
        let named = members.iter().find(|m| m.name == name || is_meant(m.origin.node()));
        let forgotten = || {
            let id = u32::from_str_radix(name, 16).ok().map(NodeId);
            id.filter(|id| is_meant(*id) && members.is_forgotten(*id))
        };
        let found = named.map(|member| member.origin.node()).or_else(forgotten);
        found.ok_or(ForgetError::NotFound)
    }

    /// Forgets a node durably, tells the others at once, and answers when one of them has stored it.
    fn forget(&mut self, id: NodeId, reply: ForgetReply, ctx: &mut Context<Self>) {
        let name = name_of(self.parts.membership.members(), id);
        self.step(Event::Forget(id), ctx);
        if !self.parts.membership.members().is_forgotten(id) {
            return post::answer(reply, Err(ForgetError::Full));
        }
        tracing::warn!(member = %name, %id, "a member is forgotten: that identity does not come back");
        self.changes.forgets(id, self.others(), self.now(), reply);
        self.tell_all(self.report());
        self.settle_changes(ctx);
    }

    /// Who waits for a change of the members and can not be answered better is told so.
    pub(super) fn settle_changes(&mut self, ctx: &mut Context<Self>) {
        for addr in self.changes.unheard(self.now()) {
            let outcome = Err(AddError::Unreachable("it was not linked in time".into()));
            self.came_to(&addr, &outcome, ctx);
        }
        let (contacts, members) = (&self.contacts, self.parts.membership.members());
        let (connected, name) = (|id| contacts.is_connected(id), |id| name_of(members, id));
        self.changes.settle(self.parts.clock.now(), connected, name);
    }

    /// An address answered, and this became of it.
    pub(super) fn dialled(
        &mut self,
        addr: &str,
        (name, origin): (String, Origin),
        verdict: Verdict,
        ctx: &mut Context<Self>,
    ) {
        let outcome = match verdict {
            Verdict::Serve if self.parts.membership.members().contains(origin.node()) => {
                Ok(PeerAdded { name, known: false })
            }
            Verdict::Serve => Err(AddError::Refused(
                "its identity was forgotten; start it with an empty data directory".into(),
            )),
            Verdict::NotNeeded if self.contacts.has_link(origin.node()) => {
                Ok(PeerAdded { name, known: true })
            }
            Verdict::Myself => Err(AddError::Myself),
            Verdict::NotNeeded | Verdict::NotYet => Err(AddError::NotJoined),
            Verdict::Unfit(reason) => Err(AddError::Refused(reason)),
        };
        self.came_to(addr, &outcome, ctx);
    }

    /// What dialling an address came to, for who waits for it.
    pub(super) fn came_to(
        &mut self,
        addr: &str,
        outcome: &Result<PeerAdded, AddError>,
        ctx: &mut Context<Self>,
    ) {
        if self.changes.dialled(addr, outcome) {
            self.step(Event::NoSeed(addr.to_owned()), ctx);
        }
    }
}

/// What a member is called; one that is none any more by its identity.
pub(super) fn name_of(members: &Members, id: NodeId) -> String {
    members.get(id).map_or_else(|| id.to_string(), |member| member.name.clone())
}

//! What the cluster actor does with each message: translate, step, answer.

use actix::{Context, Handler};
use gridkv_protocol::membership::Event;
use gridkv_protocol::message::Message as WireMessage;
use gridkv_protocol::welcome::{Member, ProtocolRange, Refusal, RefusalReason};

use super::ClusterActor;
use crate::cluster_messages::{
    Arrived, Dialled, Knock, Left, LinkEnded, PeerReported, ReportTo, SayHello, Silent, Verdict,
};
use crate::credentials::Credentials;
use crate::member_change::AddError;
use crate::post;
use crate::trouble::Trouble;

impl ClusterActor {
    /// Why the other end of a connection is not who it says it is, if its certificate says so.
    fn objection(&self, credentials: &Credentials, member: &Member) -> Option<String> {
        let known = self.parts.membership.members().get(member.origin.node());
        let known = known.map(|known| known.name.as_str());
        self.parts.security.objection(credentials, &member.name, known)
    }
}

impl Handler<Knock> for ClusterActor {
    type Result = ();

    fn handle(&mut self, message: Knock, ctx: &mut Context<Self>) {
        let Knock { hello, credentials, reply } = message;
        if let Some(detail) = self.objection(&credentials, &hello.member) {
            let reason = RefusalReason::NotCertified;
            return post::answer(reply, Err(Refusal { reason, detail }));
        }
        let up = self.up_beside(hello.member.origin.node());
        let clock = self.parts.clock.observed();
        let ready = self.boot.is_none();
        if let Some(answer) = self.step(Event::HelloFrom { hello, ready, up, clock }, ctx) {
            post::answer(reply, answer);
        }
    }
}

impl Handler<Dialled> for ClusterActor {
    type Result = ();

    fn handle(&mut self, message: Dialled, ctx: &mut Context<Self>) {
        let Dialled { addr, welcome, credentials, outbox, reply } = message;
        self.contacts.refusals.note(&addr, None);
        let objection = self.objection(&credentials, &welcome.member);
        let unfit = if objection.is_some() {
            objection
        } else if self.parts.membership.is_copy(&welcome.member, &self.contacts.up()) {
            Some("it runs on a copy of a member's data".to_owned())
        } else if welcome.protocol.common(ProtocolRange::OWN).is_none() {
            Some("it speaks another version of the protocol".to_owned())
        } else {
            None
        };
        if let Some(reason) = unfit {
            let outcome = Err(AddError::Refused(reason.clone()));
            self.came_to(&addr, &outcome, ctx);
            self.dialling.note(&addr, Err(Trouble::Unfit), self.now());
            self.step(Event::Silent { addr, reason: reason.clone() }, ctx);
            post::answer(reply, Verdict::Unfit(reason));
            return;
        }
        let name = welcome.member.name.clone();
        let (origin, taken_in) = (welcome.member.origin, welcome.takes_in(self.own().node()));
        self.dialling.note(&addr, Ok(origin.node()), self.now());
        self.step(Event::WelcomeFrom { addr: addr.clone(), welcome }, ctx);
        let verdict = if origin == self.own() {
            Verdict::Myself
        } else if !taken_in || !self.parts.membership.is_joined() {
            Verdict::NotYet
        } else if self.contacts.has_link(origin.node())
            || !self.dialling.serves(&addr, origin.node())
        {
            Verdict::NotNeeded
        } else {
            Verdict::Serve
        };
        if verdict == Verdict::Serve {
            self.contacts.link_up(origin, self.now());
            outbox.send(&WireMessage::Report(self.report()));
            self.parts.links.open(origin.node(), outbox);
            tracing::info!(peer = %name, %addr, %origin, "linked");
        }
        post::answer(reply, verdict.clone());
        self.dialled(&addr, (name, origin), verdict, ctx);
    }
}

impl Handler<Silent> for ClusterActor {
    type Result = ();

    fn handle(&mut self, Silent { addr, reason, trouble }: Silent, ctx: &mut Context<Self>) {
        let refused = trouble.refusal();
        self.dialling.note(&addr, Err(trouble), self.now());
        if self.contacts.refusals.note(&addr, refused.map(|why| (why, reason.as_str()))) {
            tracing::warn!(%addr, %reason, "a peer does not take this node in");
        }
        let outcome = Err(match refused {
            Some(_) => AddError::Refused(reason.clone()),
            None => AddError::Unreachable(reason.clone()),
        });
        self.step(Event::Silent { addr: addr.clone(), reason }, ctx);
        self.came_to(&addr, &outcome, ctx);
    }
}

impl Handler<LinkEnded> for ClusterActor {
    type Result = ();

    fn handle(&mut self, message: LinkEnded, _ctx: &mut Context<Self>) {
        let LinkEnded { peer, addr, trouble } = message;
        let heard = self.contacts.get(peer).and_then(|contact| contact.last);
        self.dialling.note(&addr, Err(trouble), heard.unwrap_or_else(|| self.now()));
        self.unlink(peer);
        self.show();
    }
}

impl Handler<Arrived> for ClusterActor {
    type Result = ();

    fn handle(&mut self, Arrived(origin): Arrived, _ctx: &mut Context<Self>) {
        self.contacts.arrived(origin);
        if let Some(member) = self.parts.membership.members().get(origin.node()) {
            self.dialling.renew(&member.addr);
        }
    }
}

impl Handler<Left> for ClusterActor {
    type Result = ();

    fn handle(&mut self, Left(origin): Left, _ctx: &mut Context<Self>) {
        self.contacts.left(origin);
        // Also of a peer that was never dialled: what only it had may never come.
        if !self.contacts.is_connected(origin.node())
            && let Some(boot) = &mut self.boot
        {
            boot.lost(origin.node());
        }
        self.show();
    }
}

impl Handler<PeerReported> for ClusterActor {
    type Result = ();

    fn handle(&mut self, PeerReported(report): PeerReported, ctx: &mut Context<Self>) {
        self.reported(report, ctx);
    }
}

impl Handler<ReportTo> for ClusterActor {
    type Result = ();

    fn handle(&mut self, ReportTo { peer, outbox }: ReportTo, _ctx: &mut Context<Self>) {
        if self.is_mismatched(peer) {
            return outbox.cut();
        }
        outbox.send(&WireMessage::Report(self.report()));
    }
}

impl Handler<SayHello> for ClusterActor {
    type Result = ();

    fn handle(&mut self, SayHello(reply): SayHello, _ctx: &mut Context<Self>) {
        post::answer(reply, self.parts.membership.hello(self.now()));
    }
}

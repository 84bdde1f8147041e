//! Doing what processes say is to be done.

use gridkv_protocol::message::{BatchOutcome, Message};

use gridkv_protocol::Origin;

use super::machine::{Asked, Machine, Role};
use super::{Turn, World};
use crate::history::Promise;
use crate::network::{At, Frame, Way};
use crate::node::{Act, ConnId, NodeFile, Outcome, Process, StoreAt, Ticket};
use crate::oracle::{acks, digest, filling, membership};

impl World {
    /// Does all that a process has left to be done, and looks at what became of its stores.
    pub(super) fn act(&mut self, at: At) {
        loop {
            let process = self.machines.get_mut(at).and_then(|machine| machine.process.as_mut());
            let acts = process.map(Process::take_acts).unwrap_or_default();
            // Who was refused first: what was minted for them is nobody's, and time goes on over it.
            for act in &acts {
                if let Act::Answer(ticket, Outcome::NotThere) = act {
                    self.revoke(*ticket);
                }
            }
            self.watch(at);
            if acts.is_empty() {
                return;
            }
            for act in acts {
                self.perform(at, act);
            }
        }
    }

    fn perform(&mut self, at: At, act: Act) {
        match act {
            Act::Send(conn, message) => self.send(at, conn, message),
            Act::Close(conn) => {
                if let Some(way) = self.way_of(at, conn) {
                    self.hang_up(conn, way);
                }
            }
            Act::DialAfter(addr, pause) => {
                let jitter = self.dice.between(pause / 2, pause + pause / 2);
                self.arrange_turn(at, jitter, Turn::Dial(addr));
            }
            Act::Flush(store) => {
                if !self.machine_asked(at, store, |asked| std::mem::replace(&mut asked.flush, true))
                {
                    let after = self.dice.below(self.scenario.commit_within);
                    self.arrange_turn(at, after, Turn::Flush(store));
                }
            }
            Act::Drain(store) => {
                if !self.machine_asked(at, store, |asked| std::mem::replace(&mut asked.drain, true))
                {
                    let after = self.dice.below(self.scenario.drain_within);
                    self.arrange_turn(at, after, Turn::Drain(store));
                }
            }
            Act::Answer(ticket, outcome) => self.answered(at, ticket, outcome),
            Act::Acks(ticket, wanted) => self.acked(at, ticket, wanted),
            Act::Keep(file) => self.keep(at, file),
            Act::TookWhileFilled => {
                self.fails(
                    filling::NAME,
                    format!("n{at} takes a batch into a store that is filled"),
                );
            }
            Act::Diverged(peer) if self.contested => {
                self.note(|_| format!("n{at} raises the alarm beside {peer}"));
            }
            Act::Diverged(peer) => {
                self.fails(digest::NAME, format!("n{at} raises the alarm beside {peer}"));
            }
            Act::Die(reason) => self.dies(at, &reason),
            Act::Note(what) => self.note(|_| format!("n{at} {what}")),
        }
    }

    pub(super) fn machine_asked<T: Default>(
        &mut self,
        at: At,
        store: StoreAt,
        what: impl FnOnce(&mut Asked) -> T,
    ) -> T {
        let asked = self.machines.get_mut(at).and_then(|machine| machine.asked.get_mut(store));
        asked.map(what).unwrap_or_default()
    }

    fn way_of(&self, at: At, conn: ConnId) -> Option<Way> {
        let run = self.machines.get(at)?.run;
        self.network.way_of(conn, at, run)
    }

    pub(super) fn send(&mut self, at: At, conn: ConnId, message: Message) {
        let Some(way) = self.way_of(at, conn) else { return };
        let flights = self.network.send((conn, way), self.now, message, &mut self.dice);
        self.arrange_flights(conn, way, flights);
    }

    /// A process dials an address.
    pub(super) fn dial(&mut self, at: At, addr: &str) {
        let conn = self.network.number();
        let Some(machine) = self.machines.get_mut(at) else { return };
        let run = machine.run;
        let Some(process) = machine.process.as_mut() else { return };
        let Some(hello) = process.connects(addr, conn) else { return };
        let is_there = |m: &Machine| m.addr == addr && m.process.is_some();
        let server = self.machines.iter().position(is_there);
        let (to, to_run) =
            server.and_then(|to| self.machines.get(to).map(|m| (to, m.run))).unwrap_or((at, run));
        let there = server.is_some();
        self.network.connect(conn, self.now, (at, run), (to, to_run, there));
        if there {
            self.send(at, conn, Message::Hello(hello));
        } else {
            let after = self.dice.between(1, self.scenario.latency);
            let turn = Turn::Frame { conn, way: Way::Back, frame: Frame::Ended };
            self.arrange_turn(at, after, turn);
        }
    }

    /// Closes connections that have brought nothing for too long.
    pub(super) fn close_silent(&mut self, at: At) {
        let before = self.now.saturating_sub(self.scenario.settings.down_after);
        for (conn, way) in self.network.silent(at, before) {
            self.note(|_| format!("n{at} connection {conn} is silent"));
            self.hang_up(conn, way);
            self.with(at, |process| process.closed(conn));
        }
    }

    fn keep(&mut self, at: At, file: NodeFile) {
        let strangers = self.machines.iter().filter(|machine| machine.role == Role::Stranger);
        let strangers = strangers.filter_map(Machine::id).collect::<Vec<_>>();
        let Some(machine) = self.machines.get_mut(at) else { return };
        let verdict = match machine.role {
            Role::Stranger => Ok(()),
            Role::Member | Role::Clone => membership::kept(at, &file, &strangers),
        };
        let run = Origin::new(file.id, file.epoch);
        self.began(at, run);
        let Some(machine) = self.machines.get_mut(at) else { return };
        if !machine.dataless {
            machine.file = Some(file);
        }
        self.demand(membership::NAME, verdict);
    }

    fn revoke(&mut self, ticket: Ticket) {
        let Some((store, request)) = self.histories.request(ticket).cloned() else { return };
        if let Some(history) = self.histories.store_mut(store) {
            request.written.iter().for_each(|(_, version)| history.revoke(*version));
        }
    }

    /// A client is answered.
    fn answered(&mut self, at: At, ticket: Ticket, outcome: Outcome) {
        let Some((store, request)) = self.histories.request(ticket).cloned() else { return };
        self.note(|_| format!("n{at} answers {ticket}: {outcome:?}"));
        let survives = match outcome {
            Outcome::Committed(survives) => survives,
            Outcome::NotThere | Outcome::Unknown => return,
        };
        for (key, version) in request.written {
            let known = self.memory.of(store, at);
            let acked = known.acked.entry(key.clone()).or_insert(version);
            *acked = version.max(*acked);
            if let Some(history) = self.histories.store_mut(store).filter(|_| store == 0) {
                history.promise(at, key, Promise { version, survives });
            }
        }
    }

    /// A client is told that peers cover what it wrote.
    fn acked(&mut self, at: At, ticket: Ticket, wanted: usize) {
        let Some((store, request)) = self.histories.request(ticket).cloned() else { return };
        self.note(|_| format!("n{at} tells {ticket} of {wanted} peers"));
        for (_, version) in request.written.into_iter().filter(|_| store == 0) {
            let verdict = acks::told(&self.memory, (store, at), version, wanted);
            self.demand(acks::NAME, verdict);
        }
    }
}

/// A message in a few words.
pub(super) fn shown(message: &Message) -> String {
    match message {
        Message::Hello(hello) => format!("hello of {}", hello.member.origin),
        Message::Welcome(welcome) => {
            format!("welcome by {}, joined {}", welcome.member.origin, welcome.joined)
        }
        Message::Refusal(refusal) => format!("refusal: {}", refusal.detail),
        Message::Report(report) => {
            let stores = report.stores.iter().map(|store| {
                let points = store.applied.iter().map(|(o, h)| format!("{o}:{h}"));
                let points = points.collect::<Vec<_>>().join(" ");
                format!("{} floor {} [{points}] loose {:?}", store.store, store.floor, store.loose)
            });
            let stores = stores.collect::<Vec<_>>().join("; ");
            format!("report of {}, ready {}: {stores}", report.origin, report.ready)
        }
        Message::Batch(batch) => {
            let (store, batch) = (&batch.store, &batch.batch);
            let ops =
                batch.ops.iter().map(|op| format!("{}@{}", op.key.as_str(), op.record.version.hlc));
            let ops = ops.collect::<Vec<_>>().join(" ");
            format!("{store} batch of {} {}..{}: {ops}", batch.origin, batch.after, batch.upto)
        }
        Message::Answer(answer) => {
            let outcome = match answer.outcome {
                BatchOutcome::Applied { applied, durable } => {
                    format!("applied {applied} durable {durable}")
                }
                BatchOutcome::Gap { have } => format!("gap, has {have}"),
                BatchOutcome::Refused => "refused".into(),
                BatchOutcome::Unavailable => "unavailable".into(),
            };
            format!("{} answer to {}..{}: {outcome}", answer.store, answer.after, answer.upto)
        }
        Message::PageRequest(request) => {
            format!(
                "{} page wanted, session {} at {:?}",
                request.store, request.session, request.cursor
            )
        }
        Message::Page(page) => {
            let records = page.records.iter();
            let records =
                records.map(|keyed| format!("{}@{}", keyed.key.as_str(), keyed.record.version));
            let records = records.collect::<Vec<_>>().join(" ");
            let (session, last) = (page.session, page.next.is_none());
            format!("{} page of session {session}, last {last}: {records}", page.store)
        }
        Message::DigestRequest(request) => format!("{} digest wanted", request.store),
        Message::Digest(answer) => format!("{} digest {:?}", answer.store, answer.proof),
        Message::NoPage(answer) => format!("{} no page, session {}", answer.store, answer.session),
    }
}

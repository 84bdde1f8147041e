//! What a process does with a message that came over a connection.

use gridkv_protocol::catchup::CatchUp;
use gridkv_protocol::message::{
    BatchAnswer, BatchOutcome, DigestAnswer, DigestRequest, Message, NoPage, StoreBatch,
};
use gridkv_protocol::page::PageRequest;
use gridkv_protocol::{Epoch, NodeId, Origin, StoreName};

use super::{Act, ConnId, Process, StoreEnd};

impl Process {
    /// A message came over a connection that a peer made.
    pub fn serve(&mut self, conn: ConnId, message: Message) {
        let Some(peer) = self.inbound.get(&conn).copied() else {
            if let Message::Hello(hello) = message {
                self.knocked(conn, hello);
            } else {
                self.cut(conn);
            }
            return;
        };
        match message {
            Message::Batch(batch) if batch.batch.origin.node() == peer.node() => {
                self.batch(conn, peer.node(), batch);
            }
            Message::PageRequest(request) => self.page(conn, request),
            Message::DigestRequest(DigestRequest { store }) => {
                let answer = find(&mut self.stores, &store).map_or_else(
                    || DigestAnswer { store, proof: None, buckets: Vec::new() },
                    |store| store.digest(),
                );
                self.acts.push(Act::Send(conn, Message::Digest(answer)));
            }
            Message::Report(report) if report.origin.node() == peer.node() => {
                self.reported(report);
                self.acts.push(Act::Send(conn, Message::Report(self.report())));
            }
            Message::Batch(_)
            | Message::Report(_)
            | Message::Hello(_)
            | Message::Welcome(_)
            | Message::Refusal(_)
            | Message::Answer(_)
            | Message::Page(_)
            | Message::NoPage(_)
            | Message::Digest(_) => self.cut(conn),
        }
        self.settle();
    }

    /// A message came over a connection that this node made.
    pub fn answered(&mut self, conn: ConnId, message: Message) {
        let peer = self.dialling.peer_of(conn);
        match (message, peer) {
            (Message::Welcome(welcome), None) => self.welcomed(conn, welcome),
            (Message::Refusal(refusal), None) => self.refused(conn, &refusal),
            (Message::Report(report), Some(peer)) if report.origin.node() == peer => {
                self.reported(report);
            }
            (Message::Answer(answer), Some(peer)) => {
                let run = self.contacts.linked_run(peer).unwrap_or(Origin::new(peer, Epoch(0)));
                if let Some(store) = find(&mut self.stores, &answer.store) {
                    store.answered(self.clock.now(), run, &answer, &mut self.acts);
                }
            }
            (Message::Page(page), Some(peer)) => {
                if let Some(store) = find(&mut self.stores, &page.store) {
                    store.page_came(&mut self.clock, peer, page, &mut self.acts);
                }
            }
            (Message::NoPage(answer), Some(peer)) => {
                if let Some(store) = find(&mut self.stores, &answer.store) {
                    store.no_page(&mut self.clock, peer, &answer, &mut self.acts);
                }
            }
            (Message::Digest(answer), Some(peer)) => {
                if let Some(store) = find(&mut self.stores, &answer.store) {
                    store.digest_came(&mut self.clock, peer, answer, &mut self.acts);
                }
            }
            _ => self.closed_by_us(conn),
        }
        self.settle();
    }

    fn batch(&mut self, conn: ConnId, peer: NodeId, batch: StoreBatch) {
        if let Some(store) = find(&mut self.stores, &batch.store) {
            store.apply(&mut self.clock, (conn, peer), batch.batch, &mut self.acts);
            return;
        }
        let StoreBatch { store, batch } = batch;
        let (origin, after, upto) = (batch.origin, batch.after, batch.upto);
        let outcome = BatchOutcome::Refused;
        let answer = BatchAnswer { store, origin, after, upto, outcome };
        self.acts.push(Act::Send(conn, Message::Answer(answer)));
    }

    fn page(&mut self, conn: ConnId, request: PageRequest) {
        // A cache is never a source: what it forgot would be taken for what never was. Nobody relies on what is
        // about to be emptied.
        let (donor, proof) = (self.origin, CatchUp::is_proof(request.session));
        let goes = self.rebuilds.contains_key(&request.store);
        let is_source =
            |s: &&mut StoreEnd| !s.is_cache() && !(proof && (goes || s.is_rebuilding()));
        let source = find(&mut self.stores, &request.store).filter(is_source);
        let page = source.map(|store| store.reader().page(&request, donor));
        let message = match page {
            Some(Ok(page)) => Message::Page(page),
            Some(Err(_)) | None => {
                Message::NoPage(NoPage { store: request.store, session: request.session })
            }
        };
        self.acts.push(Act::Send(conn, message));
    }

    /// A peer sent what does not belong there.
    fn cut(&mut self, conn: ConnId) {
        self.acts.push(Act::Close(conn));
        if let Some(origin) = self.inbound.remove(&conn) {
            self.left(origin);
        }
    }

    fn closed_by_us(&mut self, conn: ConnId) {
        self.acts.push(Act::Close(conn));
        self.closed(conn);
    }

    /// Gives what stores want to tell peers to the links that lead there; without one it is dropped.
    pub(super) fn settle(&mut self) {
        for store in &mut self.stores {
            for (peer, message) in store.take_outgoing() {
                if let Some(conn) = self.links.get(&peer) {
                    self.acts.push(Act::Send(*conn, message));
                }
            }
        }
    }
}

fn find<'a>(stores: &'a mut [StoreEnd], name: &StoreName) -> Option<&'a mut StoreEnd> {
    stores.iter_mut().find(|store| store.name() == name)
}

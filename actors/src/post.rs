//! Sending without waiting: messages to actors, and answers to who asked.
//!
//! The one lawful way to put a message into a mailbox without waiting for room.
//!
//! Mailboxes take any number of messages from cloned addresses, so each sender bounds what it has in
//! flight by itself: writes by the gate, batches by the window of their sender and the permits of the
//! reader, pages by one session per store, ticks by one at a time, questions by the requests that ask them.

use actix::dev::ToEnvelope;
use actix::{Actor, Handler, Message};
use tokio::sync::oneshot;

use crate::mail::{Letter, Mail};

/// Posts `message`; a stopped actor drops it, and the watchdog sees that actor.
#[expect(clippy::disallowed_methods, reason = "the one caller; senders bound what is in flight")]
pub(crate) fn post<A, M>(mail: &Mail<A>, message: M)
where
    A: Actor + Handler<M, Result = ()> + Handler<Letter<A>>,
    A::Context: ToEnvelope<A, Letter<A>>,
    M: Message<Result = ()> + Send + 'static,
{
    mail.addr.do_send(Letter::new(message, mail.mailbox()));
}

/// Answers who asked; one that stopped waiting does not get it, and that is all.
pub(crate) fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    if reply.send(answer).is_err() {
        tracing::trace!("nobody waits for an answer any more");
    }
}

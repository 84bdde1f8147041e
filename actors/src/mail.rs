//! The way to an actor: its address, and its mailbox as it is counted. Every message goes in a letter.

use std::sync::Arc;

use actix::{Actor, Addr, Handler, Message};

use crate::mailbox::{Mailbox, Place};

/// The way to an actor. Cheap to clone.
pub(crate) struct Mail<A: Actor> {
    pub(crate) addr: Addr<A>,
    mailbox: Arc<Mailbox>,
}

impl<A: Actor> Clone for Mail<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), mailbox: Arc::clone(&self.mailbox) }
    }
}

impl<A: Actor> Mail<A> {
    /// To the actor at `addr`, whose mailbox this is.
    pub(crate) fn new(addr: Addr<A>, mailbox: &Arc<Mailbox>) -> Self {
        Self { addr, mailbox: Arc::clone(mailbox) }
    }

    /// Whether the actor is there.
    pub(crate) fn connected(&self) -> bool {
        self.addr.connected()
    }

    /// Its mailbox.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }
}

/// What an actor does with a message.
type Delivery<A> = dyn FnOnce(&mut A, &mut <A as Actor>::Context) + Send;

/// A message in a mailbox, and what the actor does with it.
pub(crate) struct Letter<A: Actor> {
    deliver: Box<Delivery<A>>,
    place: Place,
}

impl<A: Actor> Message for Letter<A> {
    type Result = ();
}

impl<A: Actor> Letter<A> {
    /// One that goes into this mailbox now.
    pub(crate) fn new<M>(message: M, mailbox: &Arc<Mailbox>) -> Self
    where
        A: Handler<M, Result = ()>,
        M: Message<Result = ()> + Send + 'static,
    {
        let deliver = move |actor: &mut A, ctx: &mut A::Context| actor.handle(message, ctx);
        Self { deliver: Box::new(deliver), place: Place::take(mailbox) }
    }

    /// The actor takes the message and handles it.
    pub(crate) fn open(self, actor: &mut A, ctx: &mut A::Context) {
        let Self { deliver, place } = self;
        place.leave();
        deliver(actor, ctx);
    }
}

/// Lets an actor take letters with whatever messages it handles.
macro_rules! takes_letters {
    ($actor:ty) => {
        impl actix::Handler<$crate::mail::Letter<Self>> for $actor {
            type Result = ();

            fn handle(&mut self, letter: $crate::mail::Letter<Self>, ctx: &mut Self::Context) {
                letter.open(self, ctx);
            }
        }
    };
}

pub(crate) use takes_letters;

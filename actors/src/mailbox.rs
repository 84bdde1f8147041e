//! What is known of an actor from outside: what waits in its mailbox and for how long, and when it last showed
//! a sign of life. The mailbox itself tells nothing, so whoever posts counts, and who takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gridkv_storage::histogram::{Histogram, Measured, TURNS};

use crate::clock::ClockSource;

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorRole {
    /// Writes one store.
    Storage,
    /// Sends what was written to one store.
    SyncPublisher,
    /// Catches one store up.
    CatchUp,
    /// Compares one store with those of the peers.
    Convergence,
    /// Knows who belongs to the mesh.
    Cluster,
    /// Takes what one connection of a peer brings; all of them count as one.
    PeerApplier,
}

impl ActorRole {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Storage,
        Self::SyncPublisher,
        Self::CatchUp,
        Self::Convergence,
        Self::Cluster,
        Self::PeerApplier,
    ];

    /// What a log calls such an actor.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Storage => "storage actor",
            Self::SyncPublisher => "sync publisher",
            Self::CatchUp => "catch-up",
            Self::Convergence => "convergence",
            Self::Cluster => "cluster actor",
            Self::PeerApplier => "peer applier",
        }
    }

    /// The word that users know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::SyncPublisher => "sync-publisher",
            Self::CatchUp => "catch-up",
            Self::Convergence => "convergence",
            Self::Cluster => "cluster",
            Self::PeerApplier => "peer-applier",
        }
    }
}

/// How long messages were in mailboxes, by the role of who took them, over all stores.
#[derive(Debug)]
pub(crate) struct Waits([Histogram; ActorRole::ALL.len()]);

impl Default for Waits {
    fn default() -> Self {
        Self(ActorRole::ALL.map(|_| Histogram::of(&TURNS)))
    }
}

impl Waits {
    /// Of each role.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ActorRole, Measured)> + '_ {
        ActorRole::ALL.into_iter().zip(self.0.iter().map(Histogram::measured))
    }

    fn observe(&self, role: ActorRole, micros: u64) {
        if let Some(histogram) = self.0.get(role as usize) {
            histogram.observe(micros);
        }
    }
}

/// The mailbox of an actor, as it is counted.
#[derive(Debug)]
pub(crate) struct Mailbox {
    role: ActorRole,
    clock: Arc<ClockSource>,
    waits: Arc<Waits>,
    messages: AtomicU64,
    taken: AtomicU64,
    waited_us: AtomicU64,
    /// When it last showed a sign of life, in milliseconds since the node started.
    turned_ms: AtomicU64,
    tick_under_way: AtomicBool,
}

impl Mailbox {
    /// That of an actor which is about to start.
    pub(crate) fn of(role: ActorRole, clock: &Arc<ClockSource>, waits: &Arc<Waits>) -> Arc<Self> {
        Arc::new(Self {
            role,
            clock: Arc::clone(clock),
            waits: Arc::clone(waits),
            messages: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            turned_ms: AtomicU64::new(clock.elapsed_ms()),
            tick_under_way: AtomicBool::new(false),
        })
    }

    /// Whose it is.
    pub(crate) fn role(&self) -> ActorRole {
        self.role
    }

    /// Messages in it now.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Messages that were taken from it.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Microseconds that those waited, together.
    pub(crate) fn waited_us(&self) -> u64 {
        self.waited_us.load(Ordering::Relaxed)
    }

    /// Whether a tick may be sent: the one before has been handled.
    pub(crate) fn may_tick(&self) -> bool {
        !self.tick_under_way.swap(true, Ordering::AcqRel)
    }

    /// The actor is alive.
    pub(crate) fn turned(&self) {
        self.turned_ms.store(self.clock.elapsed_ms(), Ordering::Release);
        self.tick_under_way.store(false, Ordering::Release);
    }

    /// Milliseconds since its last sign of life.
    pub(crate) fn silent_ms(&self) -> u64 {
        self.clock.elapsed_ms().saturating_sub(self.turned_ms.load(Ordering::Acquire))
    }
}

/// A message's place in a mailbox, until it is dropped.
pub(crate) struct Place {
    mailbox: Arc<Mailbox>,
    posted_us: u64,
}

impl Place {
    /// One for a message that is posted now.
    pub(crate) fn take(mailbox: &Arc<Mailbox>) -> Self {
        mailbox.messages.fetch_add(1, Ordering::Relaxed);
        Self { mailbox: Arc::clone(mailbox), posted_us: mailbox.clock.elapsed_us() }
    }

    /// The actor takes the message.
    pub(crate) fn leave(self) {
        let (mailbox, now_us) = (&self.mailbox, self.mailbox.clock.elapsed_us());
        let waited_us = now_us.saturating_sub(self.posted_us);
        // A sign of life too: an actor that has its hands full gets to its timers last.
        mailbox.turned_ms.store(now_us / 1_000, Ordering::Release);
        mailbox.taken.fetch_add(1, Ordering::Relaxed);
        mailbox.waited_us.fetch_add(waited_us, Ordering::Relaxed);
        mailbox.waits.observe(mailbox.role, waited_us);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.mailbox.messages.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_the_mailbox_until_it_is_taken_or_dropped() {
        let (clock, waits) = (Arc::new(ClockSource::start()), Arc::<Waits>::default());
        let mailbox = Mailbox::of(ActorRole::CatchUp, &clock, &waits);
        let (first, second) = (Place::take(&mailbox), Place::take(&mailbox));
        assert_eq!((mailbox.messages(), mailbox.taken()), (2, 0));
        first.leave();
        drop(second); // its actor is gone
        assert_eq!((mailbox.messages(), mailbox.taken()), (0, 1));
        let counts = waits.all().map(|(role, measured)| (role, measured.count()));
        let counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(ActorRole::CatchUp, 1)]);
    }

    #[test]
    fn one_tick_is_on_its_way_at_a_time() {
        let clock = Arc::new(ClockSource::start());
        let mailbox = Mailbox::of(ActorRole::Storage, &clock, &Arc::default());
        assert!(mailbox.may_tick() && !mailbox.may_tick());
        mailbox.turned();
        assert!(mailbox.may_tick() && mailbox.silent_ms() < 10_000);
    }
}

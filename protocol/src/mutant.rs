//! Rules that the simulator can break, one at a time, to show that it would notice.
//!
//! A switch stands where its rule is: `if mutant::is(Mutant::X)`. In a node the answer is a constant
//! `false`, and the compiler removes the branch; only the simulator's package asks for the feature that
//! makes it a question.

/// A rule that is broken, named by what happens instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The log forgets an op once one peer was sent it.
    RingDrainedToOnePeer,
    /// A full ring drops its oldest op, and nobody can see it.
    SilentOverflow,
    /// Two writers take the same slot of the ring: one op in five vanishes.
    SlotRace,
    /// An incoming record replaces what stands, whatever its version.
    NoVersionCheck,
    /// What a peer sent is published again.
    Echo,
    /// A catch-up page replaces what stands, as if the store had been cleared and loaded.
    ClearAndLoad,
    /// A batch is acknowledged when it comes, and merged later.
    AckBeforeApply,
    /// A write that asked for peers is answered with one less than it asked for.
    LoweredQuorum,
    /// Versions come from the wall clock alone.
    WallClockVersions,
    /// A node of another cluster is let in.
    OpenDoor,
    /// Time is closed past what is minted and not committed.
    UptoPastUncommitted,
    /// A batch is taken whatever lies between it and the frontier.
    NoGapCheck,
    /// A session installs the donor's frontier as it was with the last page.
    LastFrontier,
    /// A session installs the donor's frontier after the first page.
    EarlyInstall,
    /// Catch-up pages leave tombstones out.
    PagesWithoutTombstones,
    /// A node starts in the epoch that it was in.
    SameEpoch,
    /// After a disk went back the epoch is one that was used before.
    CountedEpoch,
    /// Ops are coalesced across the whole log.
    LogCoalesced,
    /// A page of a donor that restarted is taken for the session's next.
    AnyDonor,
    /// Loose records are nobody's concern.
    LooseIgnored,
    /// Of two versions of one moment, the one that comes last wins.
    TiesByArrival,
    /// Any time is taken, however far it lies in the future.
    NoSkewBound,
    /// A commit is said to be on the disk, and is not.
    AckBeforeFsync,
    /// A node mints before it has joined.
    MintsBeforeJoining,
    /// A receiver that may hold what its donor has forgotten is caught up like any other.
    NoBootstrap,
    /// An origin is closed as soon as a later run of its node is known.
    ClosedByEpoch,
    /// Members that are not heard of do not hold the stable point.
    DownMembersIgnored,
    /// What comes from below the floor is taken where its key is absent.
    NoFloorRule,
    /// Dead records go when time has passed.
    PurgeByTime,
    /// A delete removes the record at once.
    NoTombstones,
    /// A bootstrapped store takes batches meanwhile.
    BatchesDuringBootstrap,
    /// A node whose clock is far ahead goes on minting.
    NoFence,
    /// Digests are compared while records are loose.
    DigestsUnsettled,
    /// A record leaves the digest when its deadline passes by the node's own clock.
    ExpiryByClock,
}

/// Whether this rule is broken now.
#[cfg(not(feature = "mutants"))]
#[must_use]
#[inline]
pub const fn is(_: Mutant) -> bool {
    false
}

/// A limit of the future, unless that rule is broken.
pub(crate) fn limit(limit: crate::Hlc) -> crate::Hlc {
    if is(Mutant::NoSkewBound) { crate::Hlc::from_bits(u64::MAX) } else { limit }
}

#[cfg(feature = "mutants")]
pub use switch::{is, set};

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static BROKEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this rule is broken now, on this thread.
    #[must_use]
    pub fn is(mutant: Mutant) -> bool {
        BROKEN.get() == Some(mutant)
    }

    /// Breaks one rule on this thread, in place of the last one; `None` breaks none.
    pub fn set(mutant: Option<Mutant>) {
        BROKEN.set(mutant);
    }
}

// CAVEATS: not every rule has a switch. That of configured peers (PROTOCOL section 6) was never seen to matter in the
// worlds that the simulator draws. That a purge raises the log's floor was not in 15,000 seeds, once copies of a disk
// no longer came back ahead of it: who is behind the floor is bootstrapped, and lets go what the log brought. What a rebuild asks
// of its donor is shown by single seeds, which `tests/sim/tests/seeds.rs` keeps.

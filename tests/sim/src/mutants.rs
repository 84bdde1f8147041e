//! The rules that are broken one by one, and the seeds within which each must be noticed.

use std::ops::Range;

use gridkv_protocol::mutant::Mutant;

/// Every rule that can be broken, by the name that a person types.
pub const ALL: [(&str, Mutant); 34] = [
    ("ring-drained-to-one-peer", Mutant::RingDrainedToOnePeer),
    ("silent-overflow", Mutant::SilentOverflow),
    ("slot-race", Mutant::SlotRace),
    ("no-version-check", Mutant::NoVersionCheck),
    ("echo", Mutant::Echo),
    ("clear-and-load", Mutant::ClearAndLoad),
    ("ack-before-apply", Mutant::AckBeforeApply),
    ("lowered-quorum", Mutant::LoweredQuorum),
    ("wall-clock-versions", Mutant::WallClockVersions),
    ("open-door", Mutant::OpenDoor),
    ("upto-past-uncommitted", Mutant::UptoPastUncommitted),
    ("no-gap-check", Mutant::NoGapCheck),
    ("last-frontier", Mutant::LastFrontier),
    ("early-install", Mutant::EarlyInstall),
    ("pages-without-tombstones", Mutant::PagesWithoutTombstones),
    ("same-epoch", Mutant::SameEpoch),
    ("counted-epoch", Mutant::CountedEpoch),
    ("log-coalesced", Mutant::LogCoalesced),
    ("any-donor", Mutant::AnyDonor),
    ("loose-ignored", Mutant::LooseIgnored),
    ("ties-by-arrival", Mutant::TiesByArrival),
    ("no-skew-bound", Mutant::NoSkewBound),
    ("ack-before-fsync", Mutant::AckBeforeFsync),
    ("mints-before-joining", Mutant::MintsBeforeJoining),
    ("no-bootstrap", Mutant::NoBootstrap),
    ("closed-by-epoch", Mutant::ClosedByEpoch),
    ("down-members-ignored", Mutant::DownMembersIgnored),
    ("no-floor-rule", Mutant::NoFloorRule),
    ("purge-by-time", Mutant::PurgeByTime),
    ("no-tombstones", Mutant::NoTombstones),
    ("batches-during-bootstrap", Mutant::BatchesDuringBootstrap),
    ("no-fence", Mutant::NoFence),
    ("digests-unsettled", Mutant::DigestsUnsettled),
    ("expiry-by-clock", Mutant::ExpiryByClock),
];

/// The seeds within which the breaking of a rule must be noticed.
pub const SEEDS: Range<u64> = 0..2_000;

/// The rule of a name.
#[must_use]
pub fn named(name: &str) -> Option<Mutant> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, mutant)| *mutant)
}

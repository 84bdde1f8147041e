//! Convergence: whether a store here and the same one at a peer hold the same, since when, and where not.
//!
//! A report says what the sender's state amounted to at some frontier. This store was at that frontier a
//! moment ago, or will be in a moment, or never; only when it was do the two say anything beside each
//! other. Equal frontiers must mean equal digests. A difference that is seen again at another frontier is
//! divergence: the digests are compared bucket by bucket, and the buckets that differ are fetched from the
//! peer and merged. While writes go on no two digests are of one moment; then it is those that differ again
//! and again. Nothing is ever removed because of an alarm.

use std::collections::{BTreeMap, VecDeque};

use crate::digest::Proof;
use crate::limits::{
    COMPARED_WITHIN_MS, DIGEST_RETRY_MS, DIGEST_TIMEOUT_MS, LONGEST_REPAIR_PAUSE_MS,
    MAX_WAITING_PROOFS, PROOF_WAITS_MS, REPAIR_PAUSE_MS,
};
use crate::{NodeId, UnixMs};

/// Frontiers at which a difference is seen before it is believed.
const SEEN_AT: u32 = 2;

/// Pairs of digests of different moments in which a bucket differs each time before it is believed to differ:
/// what was only being written is no longer among them.
const LOOKS: u32 = 4;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A peer said over its link what its state amounts to.
    Reported {
        /// Who.
        peer: NodeId,
        /// What; `None`: nothing that could be compared.
        proof: Option<Proof>,
    },
    /// The link to a peer is gone.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// A peer's digest came, bucket by bucket.
    DigestCame {
        /// From whom.
        peer: NodeId,
        /// Both digests; `None` when one of the two has none now.
        digests: Option<Digests>,
    },
    /// A repair is over, whether it came to its end or not.
    Repaired {
        /// From whom.
        peer: NodeId,
    },
    /// Time passed.
    Tick,
}

/// A peer's digest and the one of this store as it was when that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// The peer's.
    pub theirs: Sums,
    /// This store's.
    pub mine: Sums,
}

/// A digest, bucket by bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Of which state it is.
    pub proof: Proof,
    /// The sum of each bucket.
    pub buckets: Vec<u64>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a peer for its digest, bucket by bucket.
    RequestDigest {
        /// Whom.
        peer: NodeId,
    },
    /// The store differs from a peer's: raise the alarm, fetch these buckets and merge them, then say
    /// [`Event::Repaired`].
    Repair {
        /// From whom.
        peer: NodeId,
        /// What differs.
        buckets: Vec<u16>,
    },
    /// A difference that was repaired, or went away, is not there any more.
    Agreed {
        /// With whom.
        peer: NodeId,
    },
}

/// How a store stands beside a peer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Since when every comparison has found the same, without a longer pause; `None` when that can not be
    /// said.
    pub identical_since: Option<UnixMs>,
    /// Buckets that differed when they were last compared; 1 before a difference that lasts is counted.
    pub diverged_buckets: u64,
}

/// The comparisons of one store with those of the peers.
#[derive(Debug, Default)]
pub struct Convergence {
    peers: BTreeMap<NodeId, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    /// Proofs that this store's frontier has not met yet, and when they came.
    waiting: VecDeque<(UnixMs, Proof)>,
    identical_since: Option<UnixMs>,
    last_compared: UnixMs,
    difference: Option<Difference>,
}

/// A difference that no comparison has denied since it was first seen.
#[derive(Debug, Default)]
struct Difference {
    /// Where it was seen last.
    frontier: u64,
    /// At how many frontiers it was seen, since the start or the last repair.
    seen_at: u32,
    /// Buckets that differ, once they were compared.
    buckets: u64,
    /// While writes go on: buckets that differed in all of so many pairs of digests.
    suspects: Vec<u16>,
    looks: u32,
    /// When the digest was asked for that has not come yet.
    asked: Option<UnixMs>,
    repairs: u32,
    repairing: bool,
    not_before: UnixMs,
}

impl Convergence {
    /// Takes what happened, and says what is to be done. `now` is physical time; `root_at` is the root of
    /// this store's digest at the frontier with a fingerprint, if it was there lately.
    pub fn step(
        &mut self,
        now: UnixMs,
        event: Event,
        root_at: impl Fn(u64) -> Option<u64>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Reported { peer, proof } => {
                self.peers.entry(peer).or_default().waits_for(now, proof);
            }
            Event::LinkDown { peer } => {
                self.peers.remove(&peer);
            }
            Event::DigestCame { peer, digests } => {
                if let Some(known) = self.peers.get_mut(&peer) {
                    effects.extend(known.digest(now, peer, digests, &root_at));
                }
            }
            Event::Repaired { peer } => {
                if let Some(known) = self.peers.get_mut(&peer) {
                    known.repaired(now);
                }
            }
            Event::Tick => {}
        }
        for (id, peer) in &mut self.peers {
            effects.extend(peer.compare(now, *id, &root_at));
        }
        effects
    }

    /// How this store stands beside that of each peer that has reported over a link that is up.
    pub fn agreements(&self) -> impl Iterator<Item = (NodeId, Agreement)> + '_ {
        self.peers.iter().map(|(id, peer)| (*id, peer.agreement()))
    }
}

impl Peer {
    fn waits_for(&mut self, now: UnixMs, proof: Option<Proof>) {
        let Some(proof) = proof else { return };
        if self.waiting.len() >= MAX_WAITING_PROOFS {
            self.waiting.pop_front();
        }
        self.waiting.push_back((now, proof));
    }

    /// Compares the latest proof that can be. Those that came before it are of no more use.
    fn compare(
        &mut self,
        now: UnixMs,
        id: NodeId,
        root_at: &impl Fn(u64) -> Option<u64>,
    ) -> Option<Effect> {
        self.waiting.retain(|(came, _)| now.since(*came) <= PROOF_WAITS_MS);
        let met = self.waiting.iter().enumerate().rev().find_map(|(place, (_, proof))| {
            root_at(proof.frontier).map(|root| (place, *proof, root))
        });
        if let Some((place, theirs, root)) = met {
            self.waiting.drain(..=place);
            self.last_compared = now;
            if theirs.root == root {
                return self.agrees(now, id);
            }
            self.differs(theirs.frontier);
        } else if now.since(self.last_compared) > COMPARED_WITHIN_MS {
            self.identical_since = None;
        }
        self.ask(now, id)
    }

    fn agrees(&mut self, now: UnixMs, id: NodeId) -> Option<Effect> {
        self.identical_since.get_or_insert(now);
        let difference = self.difference.take();
        difference.is_some_and(|it| it.buckets > 0).then_some(Effect::Agreed { peer: id })
    }

    fn differs(&mut self, frontier: u64) {
        self.identical_since = None;
        let difference = self.difference.get_or_insert_default();
        if difference.seen_at == 0 || difference.frontier != frontier {
            difference.frontier = frontier;
            difference.seen_at += 1;
        }
    }

    /// Asks for the digest when the difference lasts, and again when it did not come.
    fn ask(&mut self, now: UnixMs, id: NodeId) -> Option<Effect> {
        let difference = self.difference.as_mut()?;
        let is_asked = difference.asked.is_some_and(|at| now.since(at) < DIGEST_TIMEOUT_MS);
        let is_due = difference.lasts() && !difference.repairing && now >= difference.not_before;
        (is_due && !is_asked).then(|| {
            difference.asked = Some(now);
            Effect::RequestDigest { peer: id }
        })
    }

    fn digest(
        &mut self,
        now: UnixMs,
        id: NodeId,
        digests: Option<Digests>,
        root_at: &impl Fn(u64) -> Option<u64>,
    ) -> Option<Effect> {
        let difference = self.difference.as_mut().filter(|it| it.lasts() && !it.repairing)?;
        difference.asked.take()?;
        difference.not_before = now.plus(DIGEST_RETRY_MS);
        let Digests { theirs, mine } = digests?;
        // Another frontier is as good while nothing has changed here since.
        let is_same = mine.proof.frontier == theirs.proof.frontier
            || root_at(theirs.proof.frontier) == Some(mine.proof.root);
        let buckets = differing(&mine.buckets, &theirs.buckets);
        if is_same && buckets.is_empty() {
            return self.agrees(now, id);
        }
        let buckets = if is_same { buckets } else { difference.suspect(buckets)? };
        difference.buckets = u64::try_from(buckets.len()).unwrap_or(u64::MAX);
        difference.repairing = true;
        Some(Effect::Repair { peer: id, buckets })
    }

    fn repaired(&mut self, now: UnixMs) {
        let Some(difference) = self.difference.as_mut().filter(|it| it.repairing) else { return };
        let pause = REPAIR_PAUSE_MS << difference.repairs.min(16);
        difference.not_before = now.plus(pause.min(LONGEST_REPAIR_PAUSE_MS));
        difference.repairs = difference.repairs.saturating_add(1);
        difference.repairing = false;
        difference.seen_at = 0;
        difference.looks = 0;
    }

    fn agreement(&self) -> Agreement {
        let diverged = self
            .difference
            .as_ref()
            .map_or(0, |difference| difference.buckets.max(u64::from(difference.lasts())));
        Agreement { identical_since: self.identical_since, diverged_buckets: diverged }
    }
}

impl Difference {
    fn lasts(&self) -> bool {
        self.seen_at >= SEEN_AT
    }

    /// Takes the buckets in which two digests of different moments differ: some only because of what was
    /// written between. Gives those that differed often enough; repairing one too many does no harm.
    fn suspect(&mut self, differing: Vec<u16>) -> Option<Vec<u16>> {
        if self.looks == 0 {
            self.suspects = differing;
        } else {
            self.suspects.retain(|bucket| differing.binary_search(bucket).is_ok());
        }
        self.looks += 1;
        if self.suspects.is_empty() {
            self.looks = 0;
        }
        (self.looks >= LOOKS).then(|| std::mem::take(&mut self.suspects))
    }
}

/// The buckets whose sums are not the same.
fn differing(mine: &[u64], theirs: &[u64]) -> Vec<u16> {
    let pairs = (0..).zip(mine.iter().zip(theirs));
    pairs.filter(|(_, (mine, theirs))| mine != theirs).map(|(bucket, _)| bucket).collect()
}

// CAVEATS: two stores are at the same frontier only between the heartbeats and commits of all nodes. While
// several nodes write without a pause, or where messages travel for longer than the pause between two
// heartbeats, nothing can be compared, and nobody says since when they are the same. Repair
// can not tell a record that was lost from one that was deleted and purged: below the floor of its store an
// absent key stays absent, and the difference stays reported until one side is filled anew.

#[cfg(test)]
#[path = "convergence_machine_test.rs"]
mod tests;

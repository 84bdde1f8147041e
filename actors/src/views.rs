//! What the node shows of itself: plain data for the HTTP layer, made when it is asked for.

use std::collections::BTreeMap;

use gridkv_protocol::convergence::Agreement;
use gridkv_protocol::fence::Standing;
use gridkv_protocol::{Origin, StoreName, UnixMs};
use gridkv_storage::histogram::{Measured, REQUESTS};

pub use crate::mailbox::ActorRole;
pub use crate::trouble::{PeerTrouble, Trouble};

/// Whether the node takes clients, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether all checks pass.
    pub ready: bool,
    /// The checks, in a fixed order.
    pub checks: Vec<Check>,
}

/// One condition of readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, such as `store:main`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why it does not hold and what to do, or what is worth knowing although it does.
    pub detail: String,
}

/// The node's clock, beside the wall clock and those of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockView {
    /// What it is worth.
    pub standing: Standing,
    /// Physical time minus the wall clock, in milliseconds.
    pub ahead_of_wall_ms: i64,
    /// How far physical time is ahead of the middle of the peers, in milliseconds; `None` when none is
    /// heard.
    pub ahead_of_peers_ms: Option<i64>,
    /// What slews and steps have added to physical time, in milliseconds.
    pub corrected_ms: i64,
    /// How far the latest point that this node has minted or taken is ahead of physical time, in
    /// milliseconds, else 0.
    pub hybrid_ahead_ms: u64,
}

/// The mesh as this node sees it.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// The cluster's name.
    pub cluster: String,
    /// This node.
    pub me: SelfView,
    /// Every other member, and seeds that never answered are not among them.
    pub peers: Vec<PeerView>,
}

/// This node in the mesh.
#[derive(Clone, Debug)]
pub struct SelfView {
    /// Its name.
    pub name: String,
    /// Its identity and epoch.
    pub origin: Origin,
    /// Where peers dial it.
    pub addr: String,
    /// Whether it has joined a cluster.
    pub joined: bool,
}

/// Another member of the mesh.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Its name.
    pub name: String,
    /// Its identity and newest epoch.
    pub origin: Origin,
    /// Where it is dialled.
    pub addr: String,
    /// Whether it is heard from.
    pub state: PeerState,
    /// When it was last heard from; `None` when never in this run.
    pub last_contact: Option<UnixMs>,
    /// Its clock minus this node's, in milliseconds, as its quickest reports of some seconds tell; `None` when it
    /// was not heard in this run.
    pub clock_skew_ms: Option<i64>,
    /// Whether it took clients as of its last report: a node that is filled, or whose clock is fenced, does not.
    pub ready: Option<bool>,
    /// Why this node does not reach it; `None` when it does. One that reaches this node by itself is up all the same.
    pub trouble: Option<PeerTrouble>,
    /// What it has of each store that both hold.
    pub stores: BTreeMap<StoreName, PeerStoreView>,
    /// Stores of this node that it does not hold.
    pub missing_stores: Vec<StoreName>,
    /// Stores that it keeps on another backend than this node, and on which.
    pub other_backends: BTreeMap<StoreName, String>,
    /// What travelled over the link to it.
    pub link: LinkCounts,
}

/// How long ago a peer was heard from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Lately.
    Up,
    /// Not for `suspect_after`.
    Suspect,
    /// Not for `down_after`, or never.
    Down,
}

impl PeerState {
    /// The word that users know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }
}

/// What a peer has of one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStoreView {
    /// Own ops of this run that the peer does not cover.
    pub pending: u64,
    /// Age in milliseconds of the oldest own op that the peer does not cover, else 0.
    pub lag_ms: u64,
    /// Whether the peer covers every op that was minted here, in earlier runs too.
    pub frontier_covered: bool,
    /// Live keys that the peer reported.
    pub key_count: u64,
    /// Ops sent to the peer.
    pub sent_operations: u64,
    /// How the two stand beside each other; `None` for a cache.
    pub agreement: Option<Agreement>,
}

/// Counts of a link, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCounts {
    /// Batches that the peer took.
    pub batches_ok: u64,
    /// Batches that left a gap, were refused, or could not be taken.
    pub batches_error: u64,
    /// Batches that were not answered before the link broke.
    pub batches_timeout: u64,
    /// From sending a batch to the answer that it is applied.
    pub batch_times: Measured,
    /// Bytes of frames sent.
    pub sent_bytes: u64,
}

impl Default for LinkCounts {
    fn default() -> Self {
        Self {
            batches_ok: 0,
            batches_error: 0,
            batches_timeout: 0,
            batch_times: Measured::nothing(&REQUESTS),
            sent_bytes: 0,
        }
    }
}

/// The op log of a store: own ops of this run, for peers that lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpLogView {
    /// Ops that it has.
    pub operations: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes that it keeps at most.
    pub limit_bytes: u64,
    /// Ops up to here may be missing; `None` when none is.
    pub floor: Option<UnixMs>,
}

/// How far a store has what a member wrote in its present run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontierView {
    /// The member's name; this node is one too.
    pub member: String,
    /// All up to here is in the store.
    pub applied: UnixMs,
    /// All up to here would survive a power cut; `None` on volatile stores, and before there is something.
    pub durable: Option<UnixMs>,
}

/// Catch-up sessions of a store, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUpCounts {
    /// Sessions that came to their end.
    pub completed: u64,
    /// Sessions that were given up.
    pub aborted: u64,
    /// Whether one runs now.
    pub running: bool,
    /// How long the sessions took that came to their end.
    pub times: Measured,
    /// Pages that sessions brought.
    pub pages_taken: u64,
    /// Pages served to peers, also for repairs.
    pub pages_served: u64,
    /// Sessions of peers whose last page was served.
    pub sessions_served: u64,
    /// How often a cache forgot everything, behind a gap that nobody filled.
    pub forgot: u64,
    /// Whether the store is being filled from scratch: it is not ready.
    pub bootstrapping: bool,
    /// Records that sessions have brought.
    pub records: u64,
}

/// How far a store may forget what is dead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StableView {
    /// Every member holds everything of every node up to this moment for good. The epoch before the first time.
    pub upto: UnixMs,
    /// The member that holds it back, by name: it is silent, counts others as members, or has the least.
    pub held_back_by: Option<String>,
    /// Origins that are not closed: the members' present runs, and past ones that not all have in full.
    pub open_origins: u64,
    /// Origins that are closed, and whose end is still remembered.
    pub closed_origins: u64,
}

/// An actor and what is sent to it, as those count who send and who take: a mailbox itself tells no length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorView {
    /// What it does.
    pub role: ActorRole,
    /// Its store; `None` when it is the node's.
    pub store: Option<StoreName>,
    /// What is in flight to it: operations of clients to a storage actor, to any other the messages in its
    /// mailbox.
    pub messages: u64,
    /// How much may be in flight; `None` for actors whose senders bound what they send.
    pub capacity: Option<u64>,
    /// Messages that it has taken from its mailbox.
    pub handled: u64,
    /// Requests that were refused because too much was in flight; `None` where nothing is refused.
    pub refused: Option<u64>,
    /// Microseconds that the messages it has taken were in its mailbox, together.
    pub waited_us: u64,
    /// How often it was begun anew; `None` for actors without which the node ends.
    pub restarts: Option<u64>,
    /// Milliseconds since its last sign of life; `None` for actors that only answer.
    pub silent_ms: Option<u64>,
}

/// What the watchdog sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchdogView {
    /// Actors that died, or show no sign of life.
    pub stuck: u64,
    /// When it last looked.
    pub last_look: UnixMs,
}

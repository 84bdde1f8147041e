//! Every limit of the node that is not a setting: a name, a unit and a reason, in one place.
//! Settings have their defaults and ranges in the configuration; these are the hard ceilings.

/// Bytes of a key, at most. Keys sit in memory on every node, and a path longer than this is a mistake.
pub const MAX_KEY_BYTES: usize = 4_096;

/// Bytes of a value, at most, whatever the configuration says: a record must fit one frame.
pub const MAX_VALUE_BYTES: usize = 16 * 1_024 * 1_024;

/// Bytes of a content type, at most: longer than any registered media type with its parameters.
pub const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// Bytes of a store's name, at most: it becomes a directory and a metrics label.
pub const MAX_STORE_NAME_BYTES: usize = 63;

/// Bytes of a frame's payload, at most, whatever the configuration says.
pub const MAX_FRAME_BYTES: usize = 64 * 1_024 * 1_024;

/// Ops in one batch, at most: decoding one stays in the low milliseconds.
pub const MAX_BATCH_OPS: usize = 4_096;

/// Records in one catch-up page, at most: as for batches.
pub const MAX_PAGE_RECORDS: usize = 4_096;

/// Origins in a frontier, at most: each restart of a member adds one until dead origins are closed. At
/// this many a frontier has about a megabyte.
pub const MAX_ORIGINS: usize = 65_536;

/// Members of a mesh (and forgotten identities that are remembered), at most.
pub const MAX_MEMBERS: usize = 1_024;

/// Stores of one node, at most: each has a thread.
pub const MAX_STORES: usize = 64;

/// Bytes of names, addresses and reasons on the wire, at most.
pub const MAX_TEXT_BYTES: usize = 512;

/// Bytes of a node's name, at most: it is in a header of every response and in every log line.
pub const MAX_NAME_BYTES: usize = 128;

/// Bytes of a page cursor, at most: a key and some framing.
pub const MAX_CURSOR_BYTES: usize = MAX_KEY_BYTES + 64;

/// Depth of nesting in a decoded message, at most: our deepest has five levels.
pub const MAX_DEPTH: usize = 12;

/// Batches in flight to one peer, at most: enough to hide a round trip, few enough to rewind.
pub const MAX_BATCHES_IN_FLIGHT: usize = 8;

/// Bytes of records that a donor puts in one catch-up page before it closes it.
pub const PAGE_BYTES: usize = 1_024 * 1_024;

/// Bytes of the first frame of a connection, at most: nobody is known yet.
pub const HANDSHAKE_FRAME_BYTES: usize = 64 * 1_024;

/// Connections that peers may have open to a node, at most: some for each of 25 members.
pub const MAX_PEER_CONNECTIONS: usize = 128;

/// Connections at the peers' port that have proved nothing yet, at most: with a hello under way in each, 16 MB.
pub const MAX_STRANGERS: usize = 256;

/// Milliseconds that a connection has to say who it is, TLS included: three round trips that are slow, or one that
/// was lost.
pub const STRANGER_MS: u64 = 3_000;

/// Bytes of a secret that nodes share, at least: shorter ones can be guessed by who once saw a proof of it.
pub const LEAST_SECRET_BYTES: usize = 32;

/// Milliseconds that a handshake may take, both ways, TLS included.
pub const HANDSHAKE_MS: u64 = 5_000;

/// Milliseconds that a starting node listens for peers before it goes on without the silent ones.
pub const BOOT_WAIT_MS: u64 = 5_000;

/// Of the skew that is tolerated, the share (percent) that a node may be ahead of most members before it
/// fences itself: the rest is room for what passes until it notices.
pub const FENCE_PERCENT: u64 = 80;

/// The share (percent) that it must be back within before it mints again: clocks that are read over a network
/// shake by some milliseconds, and a fence that comes and goes with them would be worse than either.
pub const UNFENCE_PERCENT: u64 = 60;

/// Milliseconds that a node must look ahead of most members before it fences itself: what a pause or a cut
/// link held back comes in at once, and looks old.
pub const FENCE_HOLD_MS: u64 = 2_000;

/// Of a member's reports of so many milliseconds, the one that came quickest tells its clock: time enough for
/// a dozen, and little enough that a fence with its hold comes within ten seconds.
pub const SKEW_WINDOW_MS: u64 = 4_000;

/// Milliseconds after which an actor that has not turned is stuck.
pub const STUCK_MS: u64 = 10_000;

/// An origin that moved nowhere for this long, while a peer is ahead on it, is silent (milliseconds).
pub const SILENT_MS: u64 = 600;

/// A cache forgets everything when a peer is ahead on an origin that has not moved here for this long
/// (milliseconds): a publisher that can still fill the gap, and a store that is busy, need less.
pub const FORGET_AFTER_MS: u64 = 3_000;

/// A cache is young for this long after it first heard from a peer (milliseconds): it forgets as soon as
/// an origin is silent, so that its node can be ready. Longer than a starting node listens.
pub const YOUNG_CACHE_MS: u64 = BOOT_WAIT_MS + 2 * SILENT_MS;

/// A page that did not come for this long is asked for again (milliseconds).
pub const PAGE_TIMEOUT_MS: u64 = 2_000;

/// A page is asked for this often, because it did not come or lies too far in the future, before the
/// session is given up.
pub const PAGE_TRIES: u32 = 4;

/// The shortest pause between two sessions (milliseconds); it doubles with each one that failed.
pub const PAUSE_MS: u64 = 100;

/// Milliseconds before a page that lies too far in the future is asked for again.
pub const SKEW_RETRY_MS: u64 = 100;

/// Buckets of a digest. A difference in one key of a million sends about 250 records again.
pub const DIGEST_BUCKETS: usize = 4_096;

/// Closed origins of a node whose last points are remembered, for disks that come back from the past.
pub const KEPT_CLOSINGS: usize = 8;

/// Requests of one store that wait for its peers, at most, and as many that wait for a version: each holds
/// a connection and some hundred bytes for as long as its client is patient.
pub const MAX_WAITS: usize = 8_192;

/// Requests and streams that watch one store, at most: each holds a connection and some hundred bytes.
pub const MAX_WATCHES: usize = 8_192;

/// Milliseconds that writes and reads which wait for others are still given once the node stops.
pub const LAST_WAITS_MS: u64 = 1_000;

/// Milliseconds that who forgets a member waits for another one to say that it stored that: some
/// heartbeats, and a slow disk.
pub const FORGET_WAIT_MS: u64 = 5_000;

/// Milliseconds that who adds a peer waits for it to be linked: a pause between two dials, and a handshake.
pub const ADD_WAIT_MS: u64 = 10_000;

/// Operations of operators that a node remembers: more than run at once, and a day's work to look back at.
pub const MAX_OPERATIONS: usize = 128;

/// A proof that a peer reported waits this long for this store to come to its frontier (milliseconds): batch
/// and report travel apart.
pub const PROOF_WAITS_MS: u64 = 2_000;

/// Proofs of one peer that wait, at most: those of some heartbeats; older ones are of no more use.
pub const MAX_WAITING_PROOFS: usize = 16;

/// Two comparisons lie no further apart than this (milliseconds), or nobody says that two stores have been the
/// same between them: many heartbeats, and few enough for who looks after an outage.
pub const COMPARED_WITHIN_MS: u64 = 5_000;

/// A digest that did not come for this long is asked for again (milliseconds).
pub const DIGEST_TIMEOUT_MS: u64 = 2_000;

/// Milliseconds before a digest is asked for again that could not be compared, because of what was written
/// meanwhile: it has 40 kilobytes.
pub const DIGEST_RETRY_MS: u64 = 250;

/// The shortest pause between two repairs from one peer (milliseconds); it doubles while that does not help.
pub const REPAIR_PAUSE_MS: u64 = 1_000;

/// The longest one (milliseconds): what repairs can not mend is looked at by people.
pub const LONGEST_REPAIR_PAUSE_MS: u64 = 10 * 60 * 1_000;

/// Keys of one peer that are remembered as differing, at most: enough to see what they have in common, and some
/// hundred kilobytes as keys usually are; 4 MB with the longest ones.
pub const MAX_DIFFERING_KEYS: usize = 1_000;

/// Snapshots of one store that are read at once, at most: each has a page in memory, and walks the whole store.
pub const MAX_SNAPSHOTS: usize = 4;

/// Ops of a restore in one commit, at most: writes of clients come between two of them.
pub const RESTORE_OPS: usize = 256;

/// Bytes of a restore in one commit, at most, unless a single record has more.
pub const RESTORE_BYTES: usize = 1_024 * 1_024;

/// Milliseconds that a restore waits for its turn among the writes of clients before it gives up.
pub const RESTORE_WAIT_MS: u64 = 30_000;

//! Snapshots: the live records of a store as bytes that outlive the program, made and read piece by piece.
//!
//! ```text
//! head | records | records | ... | footer
//! ```
//! Each is a frame as in [`crate::frame`], with the magic `GKVS`, a version and a checksum, around
//! MessagePack arrays: the head (kind 1) `[store, node, made at (Unix ms)]`; records (kind 2) `[record, ...]`,
//! each as in a page: `[key, hlc, origin, 0, value]` or `[key, hlc, origin, 1, value, content type or nil,
//! deadline (Unix ms) or nil]`; the footer (kind 3) `[count, checksum]`. The checksum is XXH3-64 over all
//! bytes before the footer. Keys ascend strictly in byte order, and every record is live.
//!
//! What is cut anywhere has no footer, so it is never taken for whole. A reader keeps no more than one
//! frame, and takes no memory for bytes that have not come.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::codec::{DecodeError, EncodeError, encode};
use crate::frame::{Format, FrameError};
use crate::limits::{MAX_CONTENT_TYPE_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::op::KeyedRecord;
use crate::{State, StoreName, UnixMs};

mod reader;

pub use reader::SnapshotReader;

/// Snapshots, in their first version.
pub const SNAPSHOT: Format = Format { magic: *b"GKVS", version: 1 };

const HEAD: u8 = 1;
const RECORDS: u8 = 2;
const FOOTER: u8 = 3;

/// Weight of the records in one frame, at most, unless it is a single one.
const BLOCK_BYTES: usize = 256 * 1_024;

/// Bytes of a frame with several records, at most: many small ones are some larger than their weight.
const MAX_BLOCK_BYTES: usize = 2 * BLOCK_BYTES;

/// Bytes of any frame's payload, at most: one record, as large as it may be.
const MAX_PAYLOAD_BYTES: usize = MAX_VALUE_BYTES + MAX_KEY_BYTES + MAX_CONTENT_TYPE_BYTES + 1_024;

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// The store that it was taken of.
    pub store: StoreName,
    /// The name of the node that it was taken on.
    pub node: String,
    /// When it was begun.
    pub made_at: UnixMs,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    records: u64,
    checksum: u64,
}

/// The checksum of a whole snapshot: XXH3-64 of the bytes in their order.
#[derive(Clone, Default)]
pub struct Checksum(Xxh3);

impl Checksum {
    /// Takes in what comes next.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that came so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.digest()
    }
}

/// A snapshot can not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A record has no MessagePack form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A record is larger than any may be.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Why bytes are no snapshot, and where that was seen.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct SnapshotError {
    /// Bytes of the snapshot before what is wrong.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It does not begin like one, or something else lies between its frames.
    #[error("not a frame of a snapshot")]
    Magic,
    /// Another program wrote it.
    #[error("version {0} of the format is not read by this program")]
    Version(u8),
    /// A frame is damaged.
    #[error("a damaged frame: {0}")]
    Frame(FrameError),
    /// A frame's content is none.
    #[error("a frame that does not hold what it should: {0}")]
    Content(#[from] DecodeError),
    /// A frame where another one should be.
    #[error("a frame of another kind is expected here")]
    Kind,
    /// A frame has so many bytes for more than one record.
    #[error("too many bytes for one frame of records")]
    Block,
    /// A record that is not live.
    #[error("a record without a value")]
    Dead,
    /// A key that is not after the one before it.
    #[error("keys must ascend in byte order, each once")]
    Order,
    /// The footer does not fit what came before it.
    #[error("the footer tells of {said} records, {came} came")]
    Count {
        /// Records by the footer.
        said: u64,
        /// Records that came.
        came: u64,
    },
    /// The footer's checksum is not that of what came before it.
    #[error("the checksum of the whole does not match")]
    Checksum,
    /// Bytes after the footer.
    #[error("bytes follow the footer")]
    Trailing,
    /// It ends before its footer.
    #[error("it ends before its footer")]
    Truncated,
}

/// Makes a snapshot, piece by piece: what each call returns follows what the one before returned.
pub struct SnapshotWriter {
    checksum: Checksum,
    records: u64,
}

impl SnapshotWriter {
    /// Starts one.
    ///
    /// # Errors
    /// [`WriteError`] when the head can not be encoded.
    pub fn start(head: &SnapshotHead) -> Result<(Self, Vec<u8>), WriteError> {
        let mut writer = Self { checksum: Checksum::default(), records: 0 };
        let mut out = Vec::new();
        writer.frame(HEAD, &encode(head)?, &mut out)?;
        Ok((writer, out))
    }

    /// Adds live records, whose keys ascend.
    ///
    /// # Errors
    /// [`WriteError`] when one can not be written; the snapshot is of no use then.
    pub fn records(&mut self, records: &[KeyedRecord]) -> Result<Vec<u8>, WriteError> {
        let (mut rest, mut out) = (records, Vec::new());
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|keyed| {
                let starts = bytes == 0;
                bytes += keyed.weight();
                starts || bytes <= BLOCK_BYTES
            });
            let (block, after) = rest.split_at(fits.count());
            self.frame(RECORDS, &encode(block)?, &mut out)?;
            self.records += u64::try_from(block.len()).unwrap_or(u64::MAX);
            rest = after;
        }
        Ok(out)
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`WriteError`] when the footer can not be encoded.
    pub fn finish(mut self) -> Result<Vec<u8>, WriteError> {
        let footer = Footer { records: self.records, checksum: self.checksum.value() };
        let mut out = Vec::new();
        self.frame(FOOTER, &encode(&footer)?, &mut out)?;
        Ok(out)
    }

    fn frame(&mut self, kind: u8, payload: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
        let frame = SNAPSHOT.wrap(kind, payload, MAX_PAYLOAD_BYTES)?;
        self.checksum.add(&frame);
        out.extend_from_slice(&frame);
        Ok(())
    }
}

/// Whether a record may stand in a snapshot.
fn is_live(keyed: &KeyedRecord) -> bool {
    matches!(keyed.record.state, State::Live(_))
}

// CAVEATS: checksums find accidents, not attackers. A snapshot is of one node's state, and not of one moment:
// of what is written while it is made, some is in it.

#[cfg(test)]
#[path = "snapshot_test.rs"]
mod tests;

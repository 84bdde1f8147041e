//! A snapshot as it comes from a client: in one of its formats, as the type or the first byte tells.

use actix_web::http::header::HeaderMap;
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::snapshot::{SnapshotError, SnapshotReader};

use crate::media_type;
use crate::problem::{Code, Problem};
use crate::snapshot_lines::{LineError, LineReader};

/// The type of a snapshot in frames.
pub(crate) const FRAMES: &str = "application/vnd.gridkv.snapshot";

/// The type of one in lines.
pub(crate) const LINES: &str = "application/x-ndjson";

/// Reads a snapshot of any format.
pub(crate) enum UploadReader {
    /// Nothing came that would tell.
    Unknown,
    /// Frames.
    Frames(SnapshotReader),
    /// Lines.
    Lines(LineReader),
}

impl UploadReader {
    /// The reader of a request with these headers. A type that is neither of ours says nothing.
    ///
    /// # Errors
    /// 400 for a type that is none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let given = media_type::given(headers)?;
        let is = |known| given.as_ref().is_some_and(|given| media_type::is(given.as_str(), known));
        Ok(if is(FRAMES) {
            Self::Frames(SnapshotReader::default())
        } else if is(LINES) {
            Self::Lines(LineReader::default())
        } else {
            Self::Unknown
        })
    }

    /// Takes in the next bytes. [`Self::next_records`] is to be called until it needs more.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Self::Unknown = self {
            match bytes.first() {
                None => return,
                Some(b'{') => *self = Self::Lines(LineReader::default()),
                Some(_) => *self = Self::Frames(SnapshotReader::default()),
            }
        }
        match self {
            Self::Unknown => {}
            Self::Frames(reader) => reader.push(bytes),
            Self::Lines(reader) => reader.push(bytes),
        }
    }

    /// The next records; `None`: more bytes are needed.
    ///
    /// # Errors
    /// 400 `snapshot_corrupt`.
    pub(crate) fn next_records(&mut self) -> Result<Option<Vec<KeyedRecord>>, Problem> {
        match self {
            Self::Unknown => Ok(None),
            Self::Frames(reader) => Ok(reader.next_records()?),
            Self::Lines(reader) => Ok(reader.next_records()?),
        }
    }

    /// All has come.
    ///
    /// # Errors
    /// 400 `snapshot_corrupt` when that was not the end.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self {
            Self::Unknown => Err(corrupt(0, "it is empty")),
            Self::Frames(reader) => Ok(reader.finish().map(|_| ())?),
            Self::Lines(reader) => Ok(reader.finish()?),
        }
    }
}

fn corrupt(offset: u64, why: &str) -> Problem {
    let detail = format!("nothing was changed: at byte {offset}: {why}; take the snapshot again");
    Problem::new(Code::SnapshotCorrupt, detail).with("offset", offset)
}

impl From<SnapshotError> for Problem {
    fn from(SnapshotError { offset, fault }: SnapshotError) -> Self {
        corrupt(offset, &fault.to_string())
    }
}

impl From<LineError> for Problem {
    fn from(LineError { offset, why }: LineError) -> Self {
        corrupt(offset, &why)
    }
}

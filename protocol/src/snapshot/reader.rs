//! Reads a snapshot as its bytes come, in pieces of any size, and believes nothing that they say.

use crate::frame::{FrameError, FrameHeader, HEADER_BYTES};
use crate::op::KeyedRecord;
use crate::{Key, codec};

use super::{
    Checksum, FOOTER, Fault, Footer, HEAD, MAX_BLOCK_BYTES, MAX_PAYLOAD_BYTES, RECORDS, SNAPSHOT,
    SnapshotError, SnapshotHead, is_live,
};

/// What a `MessagePack` array of one element begins with.
const ARRAY_OF_ONE: u8 = 0x91;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Records,
    /// Nothing: the footer came.
    Over,
}

/// Reads a snapshot.
pub struct SnapshotReader {
    stage: Stage,
    /// What came and is no whole frame yet.
    unread: Vec<u8>,
    /// Bytes before that.
    at: u64,
    checksum: Checksum,
    records: u64,
    last: Option<Key>,
}

impl Default for SnapshotReader {
    fn default() -> Self {
        let (unread, checksum) = (Vec::new(), Checksum::default());
        Self { stage: Stage::Head, unread, at: 0, checksum, records: 0, last: None }
    }
}

impl SnapshotReader {
    /// Takes in the next bytes. [`Self::next_records`] is to be called until it needs more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next records; `None`: more bytes are needed, or it is over.
    ///
    /// # Errors
    /// [`SnapshotError`] when it is damaged; nothing more can be read.
    pub fn next_records(&mut self) -> Result<Option<Vec<KeyedRecord>>, SnapshotError> {
        loop {
            if self.stage == Stage::Over {
                return if self.unread.is_empty() { Ok(None) } else { self.wrong(Fault::Trailing) };
            }
            let Some(head) = self.unread.first_chunk::<HEADER_BYTES>() else {
                return self.begins_well().map(|()| None);
            };
            let header = match SNAPSHOT.parse(head, MAX_PAYLOAD_BYTES) {
                Ok(header) => header,
                Err(error) => return self.wrong(fault(error)),
            };
            let size = HEADER_BYTES.saturating_add(header.length());
            let Some(payload) = self.unread.get(HEADER_BYTES..size) else {
                return self.is_expected(header, self.unread.get(HEADER_BYTES)).map(|()| None);
            };
            self.is_expected(header, payload.first())?;
            if let Err(error) = header.verify(payload) {
                return self.wrong(Fault::Frame(error));
            }
            let records = match self.take(header.kind(), payload) {
                Ok(Taken { records, stage, last }) => {
                    self.stage = stage;
                    self.last = last.or(self.last.take());
                    records
                }
                Err(fault) => return self.wrong(fault),
            };
            if let Some(frame) = self.unread.get(..size) {
                self.checksum.add(frame);
            }
            self.unread.drain(..size);
            self.at = self.at.saturating_add(count(size));
            if !records.is_empty() {
                self.records = self.records.saturating_add(count(records.len()));
                return Ok(Some(records));
            }
        }
    }

    /// All has come: how many records there were.
    ///
    /// # Errors
    /// [`SnapshotError`] when that was not the end.
    pub fn finish(self) -> Result<u64, SnapshotError> {
        match self.stage {
            Stage::Over if self.unread.is_empty() => Ok(self.records),
            Stage::Over => self.wrong(Fault::Trailing),
            Stage::Head | Stage::Records => {
                let offset = self.at.saturating_add(count(self.unread.len()));
                Err(SnapshotError { offset, fault: Fault::Truncated })
            }
        }
    }

    fn wrong<T>(&self, fault: Fault) -> Result<T, SnapshotError> {
        Err(SnapshotError { offset: self.at, fault })
    }

    /// Whether less than a header may be the start of one.
    fn begins_well(&self) -> Result<(), SnapshotError> {
        let expected = SNAPSHOT.magic.iter();
        if self.unread.iter().zip(expected).all(|(byte, expected)| byte == expected) {
            return Ok(());
        }
        self.wrong(Fault::Magic)
    }

    /// Looks at a frame before it is whole: what it is no good for is not waited for.
    fn is_expected(&self, header: FrameHeader, first: Option<&u8>) -> Result<(), SnapshotError> {
        let fits = match self.stage {
            Stage::Head => header.kind() == HEAD,
            Stage::Records | Stage::Over => matches!(header.kind(), RECORDS | FOOTER),
        };
        if !fits {
            return self.wrong(Fault::Kind);
        }
        let is_single = header.kind() == RECORDS && first.is_none_or(|byte| *byte == ARRAY_OF_ONE);
        if header.length() > MAX_BLOCK_BYTES && !is_single {
            return self.wrong(Fault::Block);
        }
        Ok(())
    }

    /// What a whole frame holds.
    fn take(&self, kind: u8, payload: &[u8]) -> Result<Taken, Fault> {
        match kind {
            HEAD => {
                codec::decode::<SnapshotHead>(payload)?;
                Ok(Taken { records: Vec::new(), stage: Stage::Records, last: None })
            }
            FOOTER => {
                let Footer { records: said, checksum } = codec::decode(payload)?;
                if said != self.records {
                    return Err(Fault::Count { said, came: self.records });
                }
                if checksum != self.checksum.value() {
                    return Err(Fault::Checksum);
                }
                Ok(Taken { records: Vec::new(), stage: Stage::Over, last: None })
            }
            _ => {
                let records: Vec<KeyedRecord> = codec::decode(payload)?;
                let mut last = self.last.as_ref();
                for keyed in &records {
                    if !is_live(keyed) {
                        return Err(Fault::Dead);
                    }
                    if last.is_some_and(|last| *last >= keyed.key) {
                        return Err(Fault::Order);
                    }
                    last = Some(&keyed.key);
                }
                let last = last.cloned();
                Ok(Taken { records, stage: Stage::Records, last })
            }
        }
    }
}

struct Taken {
    records: Vec<KeyedRecord>,
    stage: Stage,
    last: Option<Key>,
}

fn fault(error: FrameError) -> Fault {
    match error {
        FrameError::BadMagic => Fault::Magic,
        FrameError::UnknownVersion(version) => Fault::Version(version),
        FrameError::ReservedBytes
        | FrameError::TooLong { .. }
        | FrameError::NoRoom
        | FrameError::BadChecksum => Fault::Frame(error),
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

//! Frames: a fixed header that is checked before anything is allocated, then a payload under a
//! checksum. Between nodes ([`WIRE`]) and, with another magic, in files.
//!
//! ```text
//! 0       4         5      6          8          12           20
//! | magic | version | kind | 0 | 0    | length   | checksum   | payload ...
//! |       | u8      | u8   | reserved | u32 (BE) | u64 (BE)   |
//! ```
//! The checksum is XXH3-64 over the first twelve bytes and the payload.

use xxhash_rust::xxh3::Xxh3;

/// What frames of one kind of stream start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The first four bytes.
    pub magic: [u8; 4],
    /// The version of what follows; readers refuse others.
    pub version: u8,
}

/// Frames between nodes.
pub const WIRE: Format = Format { magic: *b"GKVP", version: 2 };

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 20;

const CHECKED_BYTES: usize = 12;

/// A header that was read and found well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    format: Format,
    kind: u8,
    length: u32,
    checksum: u64,
}

/// Why bytes are no frame. The connection is of no further use; nothing else was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first four bytes are not ours: another protocol knocks at this port.
    #[error("not a frame of this protocol")]
    BadMagic,
    /// A version that this program does not read.
    #[error("version {0} is not read by this program")]
    UnknownVersion(u8),
    /// Reserved bytes are set.
    #[error("reserved bytes are set")]
    ReservedBytes,
    /// The payload would be longer than allowed; nothing was allocated for it.
    #[error("a payload of {length} bytes, {limit} are allowed")]
    TooLong {
        /// Bytes claimed.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// There is no room for a header before the payload.
    #[error("no room for a header")]
    NoRoom,
    /// The bytes are not those that were sent.
    #[error("the checksum does not match")]
    BadChecksum,
}

impl Format {
    /// Reads a header; `limit` is the longest payload allowed, in bytes.
    ///
    /// # Errors
    /// [`FrameError`] for anything that is not a header of this format within `limit`.
    pub fn parse(
        self,
        bytes: &[u8; HEADER_BYTES],
        limit: usize,
    ) -> Result<FrameHeader, FrameError> {
        let [m0, m1, m2, m3, version, kind, r0, r1, l0, l1, l2, l3, checksum @ ..] = *bytes;
        if [m0, m1, m2, m3] != self.magic {
            return Err(FrameError::BadMagic);
        }
        if version != self.version {
            return Err(FrameError::UnknownVersion(version));
        }
        if (r0, r1) != (0, 0) {
            return Err(FrameError::ReservedBytes);
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let checksum = u64::from_be_bytes(checksum);
        let header = FrameHeader { format: self, kind, length, checksum };
        if header.length() > limit {
            return Err(FrameError::TooLong { length: header.length(), limit });
        }
        Ok(header)
    }

    /// A whole frame around `payload`.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the payload has more bytes than `limit`.
    pub fn wrap(self, kind: u8, payload: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
        let too_long = FrameError::TooLong { length: payload.len(), limit };
        if payload.len() > limit {
            return Err(too_long);
        }
        let length = u32::try_from(payload.len()).map_err(|_| too_long)?;
        let head = self.head(kind, length);
        let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
        frame.extend_from_slice(&head);
        frame.extend_from_slice(&checksum(&head, payload).to_be_bytes());
        frame.extend_from_slice(payload);
        Ok(frame)
    }

    /// Makes a frame of `buffer`, which holds [`HEADER_BYTES`] of room for a header, then the payload.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the payload has more bytes than a header can say;
    /// [`FrameError::NoRoom`] when there is no room for the header.
    pub fn seal(self, kind: u8, buffer: &mut [u8]) -> Result<(), FrameError> {
        let (room, payload) =
            buffer.split_first_chunk_mut::<HEADER_BYTES>().ok_or(FrameError::NoRoom)?;
        let limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        let length = u32::try_from(payload.len())
            .map_err(|_| FrameError::TooLong { length: payload.len(), limit })?;
        let head = self.head(kind, length);
        let (first, second) = room.split_at_mut(CHECKED_BYTES);
        first.copy_from_slice(&head);
        second.copy_from_slice(&checksum(&head, payload).to_be_bytes());
        Ok(())
    }

    fn head(self, kind: u8, length: u32) -> [u8; CHECKED_BYTES] {
        let [m0, m1, m2, m3] = self.magic;
        let [l0, l1, l2, l3] = length.to_be_bytes();
        [m0, m1, m2, m3, self.version, kind, 0, 0, l0, l1, l2, l3]
    }
}

impl FrameHeader {
    /// Bytes of payload that follow the header.
    #[must_use]
    pub fn length(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// The version of the format.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.format.version
    }

    /// What the payload is; [`crate::message::Message`] knows the kinds.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Checks that `payload` is what was sent.
    ///
    /// # Errors
    /// [`FrameError::BadChecksum`] when it is not.
    pub fn verify(&self, payload: &[u8]) -> Result<(), FrameError> {
        let matches = payload.len() == self.length()
            && checksum(&self.format.head(self.kind, self.length), payload) == self.checksum;
        if matches { Ok(()) } else { Err(FrameError::BadChecksum) }
    }
}

fn checksum(head: &[u8; CHECKED_BYTES], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

// CAVEATS: the checksum finds accidents, not attackers; authenticity is the transport's task.

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(frame: &[u8], limit: usize) -> Result<FrameHeader, FrameError> {
        WIRE.parse(frame[..HEADER_BYTES].try_into().unwrap(), limit)
    }

    #[test]
    fn a_frame_round_trips() {
        let frame = WIRE.wrap(5, b"payload", 100).unwrap();
        let header = parse(&frame, 100).unwrap();
        assert_eq!((header.kind(), header.length()), (5, 7));
        header.verify(&frame[HEADER_BYTES..]).unwrap();
    }

    #[test]
    fn a_frame_is_sealed_in_place() {
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend_from_slice(b"payload");
        WIRE.seal(5, &mut frame).unwrap();
        assert_eq!(frame, WIRE.wrap(5, b"payload", 100).unwrap());
        assert_eq!(WIRE.seal(5, &mut [0; HEADER_BYTES - 1]), Err(FrameError::NoRoom));
    }

    #[test]
    fn every_single_bit_is_guarded() {
        let frame = WIRE.wrap(5, b"payload", 100).unwrap();
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let accepted =
                parse(&bad, 100).is_ok_and(|header| header.verify(&bad[HEADER_BYTES..]).is_ok());
            assert!(!accepted, "bit {bit} flipped and not noticed");
        }
    }

    #[test]
    fn lengths_are_refused_before_anything_is_allocated() {
        let mut frame = WIRE.wrap(5, b"", 100).unwrap();
        frame[8..12].fill(0xff);
        let refused = FrameError::TooLong { length: 0xffff_ffff, limit: 100 };
        assert_eq!(parse(&frame, 100), Err(refused));
        assert_eq!(WIRE.wrap(5, b"abc", 2), Err(FrameError::TooLong { length: 3, limit: 2 }));
    }

    #[test]
    fn strangers_are_told_apart() {
        let mut frame = WIRE.wrap(5, b"", 100).unwrap();
        frame[4] = 9;
        assert_eq!(parse(&frame, 100), Err(FrameError::UnknownVersion(9)));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost", 100), Err(FrameError::BadMagic));
        frame[4] = WIRE.version;
        frame[6] = 1;
        assert_eq!(parse(&frame, 100), Err(FrameError::ReservedBytes));
    }
}

//! The image file: a header frame, record frames, a footer frame, each under its checksum.
//!
//! The footer counts the records, so an image that was cut at a frame's edge is noticed too. The first
//! version of the format had no serial, and blocks were never compressed; it is still read.

use std::io::{self, Write};
use std::path::Path;

use gridkv_protocol::codec::{DecodeError, EncodeError, decode, encode};
use gridkv_protocol::frame::{Format, FrameError};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc};
use serde::{Deserialize, Serialize};

use super::frames::{FrameReader, Next};
use crate::settings::Compression;

/// Images, in their second version.
pub(super) const FORMAT: Format = Format { magic: *b"GKVI", version: 2 };

const HEADER: u8 = 1;
const RECORDS: u8 = 2;
const FOOTER: u8 = 3;
const RECORDS_LZ4: u8 = 4;

/// Bytes of a block of records before compression, at most, unless a single record is larger.
const BLOCK_BYTES: usize = 256 * 1_024;
/// Bytes of a frame's payload, at most, also uncompressed: the largest record is far below it.
const MAX_PAYLOAD_BYTES: usize = 64 * 1_024 * 1_024;

/// Why an image can not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A frame can not be written.
    #[error("a frame can not be written: {0}")]
    Frame(#[from] FrameError),
    /// The image is whole, and of a version that this program does not read.
    #[error("version {0} of the image format is not read by this program")]
    Foreign(u8),
    /// A frame's content is not what was written.
    #[error("a damaged block: {0}")]
    Content(#[from] DecodeError),
    /// Frames are damaged, missing, out of order or too many.
    #[error("frames are damaged, missing or out of order")]
    Damaged,
    /// A record can not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What state an image is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// What the records honour.
    pub(super) frontier: Frontier,
    /// The floor.
    pub(super) floor: Hlc,
    /// The last commit that is in the image whole. Later ones may be there in part.
    pub(super) serial: u64,
}

/// The header of the first version.
#[derive(Deserialize)]
struct FirstHeader {
    frontier: Frontier,
    floor: Hlc,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    records: u64,
}

/// Writes an image, block by block.
pub(super) struct ImageWriter<W: Write> {
    out: W,
    compression: Compression,
    records: u64,
    bytes: u64,
}

impl<W: Write> ImageWriter<W> {
    /// Starts an image of a state.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub(super) fn start(out: W, compression: Compression, base: &Base) -> Result<Self, ImageError> {
        let mut writer = Self { out, compression, records: 0, bytes: 0 };
        writer.frame(HEADER, &encode(base)?)?;
        Ok(writer)
    }

    /// Adds records.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub(super) fn block(&mut self, records: &[KeyedRecord]) -> Result<(), ImageError> {
        let mut rest = records;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|keyed| {
                let starts = bytes == 0;
                bytes += keyed.weight();
                starts || bytes <= BLOCK_BYTES
            });
            let (block, after) = rest.split_at(fits.count());
            let plain = encode(block)?;
            match self.compression {
                Compression::None => self.frame(RECORDS, &plain)?,
                Compression::Lz4 => {
                    self.frame(RECORDS_LZ4, &lz4_flex::block::compress_prepend_size(&plain))?;
                }
            }
            self.records += u64::try_from(block.len()).unwrap_or(u64::MAX);
            rest = after;
        }
        Ok(())
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it writes to.
    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the image. Returns what it was written to.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub(super) fn finish(mut self) -> Result<W, ImageError> {
        self.frame(FOOTER, &encode(&Footer { records: self.records })?)?;
        Ok(self.out)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), ImageError> {
        let frame = FORMAT.wrap(kind, payload, MAX_PAYLOAD_BYTES)?;
        self.out.write_all(&frame)?;
        self.bytes += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// Reads an image, block by block.
pub(super) struct ImageReader {
    frames: FrameReader,
    base: Base,
    records: u64,
}

impl ImageReader {
    /// Opens an image and reads its header.
    ///
    /// # Errors
    /// [`ImageError`] when there is none, or it is damaged.
    pub(super) fn open(path: &Path) -> Result<Self, ImageError> {
        let mut frames = FrameReader::open(path, FORMAT)?;
        let base = match frames.next()? {
            Next::Frame { version: 1, kind: HEADER, payload } => {
                let FirstHeader { frontier, floor } = decode(&payload)?;
                Base { frontier, floor, serial: 0 }
            }
            Next::Frame { kind: HEADER, payload, .. } => decode(&payload)?,
            Next::Foreign(version) => return Err(ImageError::Foreign(version)),
            Next::Frame { .. } | Next::End | Next::Torn | Next::Damaged => {
                return Err(ImageError::Damaged);
            }
        };
        Ok(Self { frames, base, records: 0 })
    }

    /// What state it is of.
    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    /// The records of the next block, and the bytes of the image up to its end; `None` at the footer, if
    /// the image ends with it.
    ///
    /// # Errors
    /// [`ImageError`] when the image is damaged from here on.
    pub(super) fn next_records(&mut self) -> Result<Option<(Vec<KeyedRecord>, u64)>, ImageError> {
        match self.frames.next()? {
            Next::Frame { kind: kind @ (RECORDS | RECORDS_LZ4), payload, .. } => {
                let records = unpack(kind, &payload)?;
                self.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
                Ok(Some((records, self.frames.position())))
            }
            Next::Frame { kind: FOOTER, payload, .. } => {
                let footer: Footer = decode(&payload)?;
                let ends = matches!(self.frames.next()?, Next::End);
                let agrees = footer.records == self.records && ends;
                if agrees { Ok(None) } else { Err(ImageError::Damaged) }
            }
            Next::Frame { .. } | Next::End | Next::Torn | Next::Damaged | Next::Foreign(_) => {
                Err(ImageError::Damaged)
            }
        }
    }

    /// Bytes of the image.
    pub(super) fn length(&self) -> u64 {
        self.frames.length()
    }
}

/// The records of a block.
fn unpack(kind: u8, payload: &[u8]) -> Result<Vec<KeyedRecord>, ImageError> {
    if kind == RECORDS {
        return Ok(decode(payload)?);
    }
    let (size, packed) =
        lz4_flex::block::uncompressed_size(payload).map_err(|_| ImageError::Damaged)?;
    if size > MAX_PAYLOAD_BYTES {
        return Err(ImageError::Damaged);
    }
    let plain = lz4_flex::block::decompress(packed, size).map_err(|_| ImageError::Damaged)?;
    Ok(decode(&plain)?)
}

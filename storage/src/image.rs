//! The image file: a header frame, record frames, a footer frame, each under its checksum.
//!
//! The footer counts the records, so an image that was cut at a frame's edge is noticed too.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use gridkv_protocol::codec::{DecodeError, EncodeError, decode, encode};
use gridkv_protocol::frame::{Format, FrameError, HEADER_BYTES};
use gridkv_protocol::op::KeyedRecord;
use gridkv_protocol::{Frontier, Hlc};
use serde::{Deserialize, Serialize};

/// Images, in their first version.
pub const FORMAT: Format = Format { magic: *b"GKVI", version: 1 };

const HEADER: u8 = 1;
const RECORDS: u8 = 2;
const FOOTER: u8 = 3;

/// Bytes of a frame's payload, at most: a block of records is cut before it grows past a quarter.
const MAX_PAYLOAD_BYTES: usize = 64 * 1_024 * 1_024;
const BLOCK_BYTES: usize = 256 * 1_024;

/// Why an image can not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A frame is not what was written.
    #[error("a damaged frame: {0}")]
    Frame(#[from] FrameError),
    /// The image is whole, and of a version that this program does not read.
    #[error("version {0} of the image format is not read by this program")]
    Foreign(u8),
    /// A frame's content is not what was written.
    #[error("a damaged frame: {0}")]
    Content(#[from] DecodeError),
    /// Frames are missing, out of order or too many.
    #[error("frames are missing or out of order")]
    Damaged,
    /// A record can not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

#[derive(Serialize, Deserialize)]
struct Header {
    frontier: Frontier,
    floor: Hlc,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    records: u64,
}

/// Writes an image, block by block.
pub struct ImageWriter<'a, W: Write> {
    out: &'a mut W,
    records: u64,
    bytes: u64,
}

impl<'a, W: Write> ImageWriter<'a, W> {
    /// Starts an image of a state that honours `frontier` above `floor`.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub fn start(out: &'a mut W, frontier: &Frontier, floor: Hlc) -> Result<Self, ImageError> {
        let mut writer = Self { out, records: 0, bytes: 0 };
        writer.frame(HEADER, &encode(&Header { frontier: frontier.clone(), floor })?)?;
        Ok(writer)
    }

    /// Adds records.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub fn block(&mut self, records: &[KeyedRecord]) -> Result<(), ImageError> {
        let mut rest = records;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|keyed| {
                let starts = bytes == 0;
                bytes += keyed.weight();
                starts || bytes <= BLOCK_BYTES
            });
            let (block, after) = rest.split_at(fits.count());
            self.frame(RECORDS, &encode(block)?)?;
            self.records += u64::try_from(block.len()).unwrap_or(u64::MAX);
            rest = after;
        }
        Ok(())
    }

    /// Ends the image. Returns its length in bytes.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the bytes can not be written.
    pub fn finish(mut self) -> Result<u64, ImageError> {
        self.frame(FOOTER, &encode(&Footer { records: self.records })?)?;
        Ok(self.bytes)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), ImageError> {
        let frame = FORMAT.wrap(kind, payload, MAX_PAYLOAD_BYTES)?;
        self.out.write_all(&frame)?;
        self.bytes += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// Reads an image, block by block.
pub struct ImageReader {
    file: BufReader<File>,
    header: Header,
    records: u64,
    bytes: u64,
}

impl ImageReader {
    /// Opens an image and reads its header.
    ///
    /// # Errors
    /// [`ImageError`] when there is none, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
        let mut bytes = 0;
        let (kind, payload) = read_frame(&mut file, &mut bytes)?;
        if kind != HEADER {
            return Err(ImageError::Damaged);
        }
        Ok(Self { file, header: decode(&payload)?, records: 0, bytes })
    }

    /// The next records; `None` after a footer that agrees, at the end of the file.
    ///
    /// # Errors
    /// [`ImageError`] when the image is damaged from here on.
    pub fn next_block(&mut self) -> Result<Option<Vec<KeyedRecord>>, ImageError> {
        let (kind, payload) = read_frame(&mut self.file, &mut self.bytes)?;
        match kind {
            RECORDS => {
                let records: Vec<KeyedRecord> = decode(&payload)?;
                self.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
                Ok(Some(records))
            }
            FOOTER => {
                let footer: Footer = decode(&payload)?;
                let more = self.file.read(&mut [0])?;
                let agrees = footer.records == self.records && more == 0;
                if agrees { Ok(None) } else { Err(ImageError::Damaged) }
            }
            _ => Err(ImageError::Damaged),
        }
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// What the header said: the frontier and the floor.
    pub fn into_header(self) -> (Frontier, Hlc) {
        (self.header.frontier, self.header.floor)
    }
}

fn read_frame(file: &mut impl Read, bytes: &mut u64) -> Result<(u8, Vec<u8>), ImageError> {
    let mut head = [0; HEADER_BYTES];
    read_exact(file, &mut head)?;
    let (format, known) = match FORMAT.parse(&head, MAX_PAYLOAD_BYTES) {
        // A later version, or a flipped bit: the checksum, which covers the version, tells.
        Err(FrameError::UnknownVersion(version)) => (Format { version, ..FORMAT }, false),
        _ => (FORMAT, true),
    };
    let header = format.parse(&head, MAX_PAYLOAD_BYTES)?;
    let mut payload = vec![0; header.length()];
    read_exact(file, &mut payload)?;
    header.verify(&payload)?;
    if !known {
        return Err(ImageError::Foreign(format.version));
    }
    *bytes += u64::try_from(HEADER_BYTES + payload.len()).unwrap_or(u64::MAX);
    Ok((header.kind(), payload))
}

/// An end in the middle of a frame is damage, not a failure of the system.
fn read_exact(file: &mut impl Read, buffer: &mut [u8]) -> Result<(), ImageError> {
    file.read_exact(buffer).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            ImageError::Damaged
        } else {
            ImageError::Io(error)
        }
    })
}

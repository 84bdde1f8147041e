//! Reads files of checksummed frames, and says how they end: well, torn, or damaged.
//!
//! A file that grows by appending may end in the middle of a frame after a crash: that is torn, and what
//! is missing was never promised. Anything else that is no frame is damage.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use gridkv_protocol::frame::{Format, FrameError, FrameHeader, HEADER_BYTES};

const BUFFER_BYTES: usize = 256 * 1_024;

/// What comes next in a file of frames.
#[derive(Debug)]
pub(super) enum Next {
    /// A whole frame.
    Frame {
        /// The version of its format.
        version: u8,
        /// Its kind.
        kind: u8,
        /// What it holds.
        payload: Vec<u8>,
    },
    /// The file ends here, at a frame's edge.
    End,
    /// The file ends within a frame, or nothing but zeros follows.
    Torn,
    /// What follows is no frame.
    Damaged,
    /// A whole frame of a version that this program does not read.
    Foreign(u8),
}

/// A file of frames, read from its start.
pub(super) struct FrameReader {
    file: BufReader<File>,
    format: Format,
    length: u64,
    at: u64,
}

impl FrameReader {
    /// Opens a file of frames in `format`, or in an earlier version of it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(path: &Path, format: Format) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Self { file, format, length, at: 0 })
    }

    /// Bytes of the whole frames read so far.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Reads the next frame. After anything but a frame there is nothing more to read.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let rest = self.length.saturating_sub(self.at);
        if rest == 0 {
            return Ok(Next::End);
        }
        if rest < size(HEADER_BYTES) {
            return Ok(Next::Torn);
        }
        let mut head = [0; HEADER_BYTES];
        self.file.read_exact(&mut head)?;
        let room = usize::try_from(rest - size(HEADER_BYTES)).unwrap_or(usize::MAX);
        let header = match self.parse(&head, room) {
            Ok(header) => header,
            Err(FrameError::TooLong { .. }) => return self.cut_within_a_frame(),
            Err(_) if head == [0; HEADER_BYTES] => return self.only_zeros(),
            Err(_) => return Ok(Next::Damaged),
        };
        let mut payload = vec![0; header.length()];
        self.file.read_exact(&mut payload)?;
        if header.verify(&payload).is_err() {
            return Ok(if payload.len() == room { Next::Torn } else { Next::Damaged });
        }
        let version = header.version();
        if version > self.format.version {
            return Ok(Next::Foreign(version));
        }
        self.at += size(HEADER_BYTES + payload.len());
        Ok(Next::Frame { version, kind: header.kind(), payload })
    }

    /// A header of any version: the checksum, which covers the version, tells whether it is damaged.
    fn parse(&self, head: &[u8; HEADER_BYTES], room: usize) -> Result<FrameHeader, FrameError> {
        match self.format.parse(head, room) {
            Err(FrameError::UnknownVersion(version)) => {
                Format { version, ..self.format }.parse(head, room)
            }
            parsed => parsed,
        }
    }

    /// The frame claims more bytes than there are. If another frame starts within them, it is its length
    /// that is damaged.
    fn cut_within_a_frame(&mut self) -> io::Result<Next> {
        let mut start = [0; 5];
        let (magic, version) = start.split_at_mut(4);
        magic.copy_from_slice(&self.format.magic);
        version.fill(self.format.version);
        let another = self.look_through_rest(|bytes| bytes.windows(5).any(|five| five == start))?;
        Ok(if another { Next::Damaged } else { Next::Torn })
    }

    fn only_zeros(&mut self) -> io::Result<Next> {
        let other = self.look_through_rest(|bytes| bytes.iter().any(|byte| *byte != 0))?;
        Ok(if other { Next::Damaged } else { Next::Torn })
    }

    /// Whether any stretch of what follows, each overlapping the one before, has what is looked for.
    fn look_through_rest(&mut self, has: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
        const OVERLAP: u64 = 4;
        let mut from = self.at + size(HEADER_BYTES);
        let mut stretch = Vec::with_capacity(BUFFER_BYTES);
        while from < self.length {
            self.file.seek(SeekFrom::Start(from))?;
            stretch.clear();
            self.file.by_ref().take(size(BUFFER_BYTES)).read_to_end(&mut stretch)?;
            if has(&stretch) {
                return Ok(true);
            }
            let read = size(stretch.len());
            from += if read > OVERLAP { read - OVERLAP } else { read };
            if from + OVERLAP >= self.length {
                break;
            }
        }
        Ok(false)
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FORMAT: Format = Format { magic: *b"TEST", version: 2 };

    fn frame(version: u8, payload: &[u8]) -> Vec<u8> {
        Format { version, ..FORMAT }.wrap(7, payload, 1 << 20).unwrap()
    }

    /// The number of whole frames in `bytes`, and what follows them.
    fn read(bytes: &[u8]) -> (usize, Next) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames");
        fs::write(&path, bytes).unwrap();
        let mut reader = FrameReader::open(&path, FORMAT).unwrap();
        let mut frames = 0;
        loop {
            let next = reader.next().unwrap();
            if !matches!(next, Next::Frame { kind: 7, .. }) {
                return (frames, next);
            }
            frames += 1;
        }
    }

    #[test]
    fn frames_of_this_and_earlier_versions_are_read() {
        let both = [frame(2, b"second"), frame(1, b"first")].concat();
        assert!(matches!(read(&both), (2, Next::End)));
        assert!(matches!(read(&[]), (0, Next::End)));
        let later = [frame(2, b"now"), frame(3, b"later")].concat();
        assert!(matches!(read(&later), (1, Next::Foreign(3))));
    }

    #[test]
    fn a_file_that_was_cut_is_torn_wherever_that_was() {
        let (first, second) = (frame(2, b"first"), frame(2, &[9; 3_000]));
        let whole = [&first[..], &second[..]].concat();
        for length in first.len() + 1..whole.len() {
            assert!(matches!(read(&whole[..length]), (1, Next::Torn)), "cut at {length}");
        }
        assert!(matches!(read(&whole[..first.len()]), (1, Next::End)));
        // A file that was made longer before its bytes came.
        let zeros = [&whole[..], &vec![0; 400_000][..]].concat();
        assert!(matches!(read(&zeros), (2, Next::Torn)));
    }

    #[test]
    fn what_lies_before_another_frame_is_damaged_not_torn() {
        let frames: Vec<_> = (0..3).map(|n| frame(2, &vec![n; 300_000])).collect();
        let whole = frames.concat();
        let second = frames[0].len();
        for at in (second..second + 40).chain([second + 299_000]) {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            assert!(matches!(read(&bad), (1, Next::Damaged)), "flipped at {at}");
        }
        let zeros = [&whole[..], &[0; 300][..], b"x"].concat();
        assert!(matches!(read(&zeros), (3, Next::Damaged)));
    }
}

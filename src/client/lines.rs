//! An answer line by line, none of them longer than anything that a node says.
//!
//! Why it exists: what comes without an end of line would fill the memory of who waits for it. A longer line is an
//! error, and nothing is made of its beginning.

use std::io::{self, BufRead as _, BufReader, Read};

/// Bytes of a line, at most: the largest value that there can be, 16 MiB, in base64, and what stands around it.
pub(crate) const MAX_LINE_BYTES: usize = 24 << 20;

/// The lines of something.
pub(crate) struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    longest: usize,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self::of_at_most(from, MAX_LINE_BYTES)
    }

    fn of_at_most(from: R, longest: usize) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), longest }
    }

    /// The next line, with its end if it has one; none when nothing follows.
    ///
    /// # Errors
    /// When the other side fails, or says more than a line may hold.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let most = u64::try_from(self.longest).unwrap_or(u64::MAX);
        let read = (&mut self.from).take(most).read_until(b'\n', &mut self.line)?;
        if read == self.longest && !self.line.ends_with(b"\n") {
            let why =
                format!("a line of more than {} bytes came, which no node sends", self.longest);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok((read > 0).then_some(&self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_none_is_endless() {
        let mut lines = Lines::of_at_most(&b"a\n\nbcd\nend"[..], 4);
        for line in [&b"a\n"[..], b"\n", b"bcd\n", b"end"] {
            assert_eq!(lines.next().unwrap(), Some(line));
        }
        assert_eq!(lines.next().unwrap(), None);
        let mut endless = Lines::of_at_most(io::repeat(b'x'), 1 << 20);
        assert_eq!(endless.next().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(endless.line.capacity() <= 4 << 20, "{}", endless.line.capacity());
    }
}

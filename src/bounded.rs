//! Reading what somebody names, up to a bound.
//!
//! Why it exists: a file may be a device, a pipe or a mistake, and reading on and on would fill the memory before anybody
//! is told. It keeps nothing of what is longer.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// All of it, when that is no more than `most` bytes.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] when it is more, which says so; or what the system said.
pub(crate) fn read(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The same of a file.
///
/// # Errors
/// As [`read`].
pub(crate) fn file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(File::open(path)?, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_endless_is_refused_and_what_fits_is_whole() {
        assert_eq!(read(&b"abc"[..], 3).unwrap(), b"abc");
        let error = read(io::repeat(0), 1 << 16).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it has more than 65536 bytes");
    }
}

//! How full a file system is.

use std::io;
use std::path::Path;

/// Room on a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// What a program without privileges may still write.
    pub free: u64,
    /// All that there is.
    pub total: u64,
}

impl Space {
    /// What the system says of the file system of `dir`.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(dir)?;
        Ok(Self {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

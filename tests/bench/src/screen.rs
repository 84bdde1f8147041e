//! Where results go: standard output. What happens meanwhile goes to standard error.

use std::fmt;
use std::io::{self, Write as _};

/// Prints a line.
///
/// # Errors
/// When nobody reads standard output any more.
pub fn line(text: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

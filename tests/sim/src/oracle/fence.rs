//! A node that says that its clock is fenced mints nothing.

use super::Verdict;
use crate::network::At;

/// Its name.
pub const NAME: &str = "a fenced node mints nothing";

/// A machine minted a version.
///
/// # Errors
/// When it said that it would not.
pub fn minted(at: At, is_fenced: bool) -> Verdict {
    if is_fenced { Err(format!("n{at} is fenced, and mints")) } else { Ok(()) }
}

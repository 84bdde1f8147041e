//! Values that no two writes share, and the few bytes that are remembered of each.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

use fastrand::Rng;

/// What is remembered of a value: enough to notice any other, at a hundredth of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    bytes: usize,
    hash: u64,
}

impl Print {
    /// The print of these bytes.
    #[must_use]
    pub(crate) fn of(value: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(value);
        Self { bytes: value.len(), hash: hasher.finish() }
    }
}

/// Text of about this many bytes that names its write and repeats nowhere, so that a block of another write or of
/// zeros is noticed at every place.
#[must_use]
pub(crate) fn text(dice: &mut Rng, name: &str, bytes: usize) -> String {
    let mut text = format!("{name} ");
    while text.len() < bytes {
        // Into a text, which takes all.
        write!(text, "{:016x}", dice.u64(..)).unwrap_or_default();
    }
    text
}

//! Bytes that several owners share: what values, and records that are kept whole, are cut from.
//!
//! One allocation behind one pointer of one word, where an `Arc<[u8]>` has two: in a table of a million
//! records that word is 17 MB.

use std::ops::Deref;

use triomphe::ThinArc;

/// Shared bytes that never change. A clone costs a count.
#[derive(Clone)]
pub struct Buffer(ThinArc<(), u8>);

impl Buffer {
    /// Bytes that a buffer takes in memory beside its own: its count and its length.
    pub const HEAD_BYTES: usize = 16;

    /// A buffer that holds a copy of `bytes`.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Self(ThinArc::from_header_and_slice((), bytes))
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0.slice
    }
}

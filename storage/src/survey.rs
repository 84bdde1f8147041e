//! The survey: a walk over every record of a store that was opened without reading them, beside its writes.
//!
//! It goes in byte order of the keys, a short stretch at a time, on the thread of the writer. What is
//! written to a key that it has passed is followed by whoever keeps something of every record; the rest it
//! comes by later, as it is then.

use std::ops::Bound;

use gridkv_protocol::{Key, Record};

use crate::backend::{Backend, BackendError, Walk};

/// Records of one stretch, at most: writes wait for no more.
const STRETCH_RECORDS: usize = 1_024;

/// Bytes of one stretch, after which it ends: large records take longer.
const STRETCH_BYTES: usize = 1_024 * 1_024;

/// Records taken from the backend at once: also the largest ones fit into memory.
const CHUNK: usize = 64;

/// How far the walk is.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    last: Option<Key>,
}

impl Survey {
    /// Whether the walk has come by this key.
    pub(crate) fn has_passed(&self, key: &Key) -> bool {
        self.last.as_ref().is_some_and(|last| key <= last)
    }

    /// Goes on for a stretch, and shows each record. Says whether it is at the end.
    ///
    /// # Errors
    /// [`BackendError`] when some records can not be read: it goes on from there next time.
    pub(crate) fn step(
        &mut self,
        backend: &dyn Backend,
        mut visit: impl FnMut(&Key, &Record),
    ) -> Result<bool, BackendError> {
        let (mut records, mut bytes) = (0, 0);
        while records < STRETCH_RECORDS && bytes < STRETCH_BYTES {
            let from =
                self.last.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.as_str()));
            let Walk { records: found, next } = backend.list(from, CHUNK)?;
            for keyed in &found {
                visit(&keyed.key, &keyed.record);
                bytes += keyed.weight();
            }
            records += found.len();
            let Some(next) = next else { return Ok(true) };
            self.last = Some(next);
        }
        Ok(false)
    }
}

// CAVEATS: on a large store it takes its time, and until it is done nothing that is kept of every record is
// known. A record that can not be read holds it up for good; the read also says that the store is damaged.

//! The watermark of a store: how far it was on the disk, in a file of its own.
//!
//! A backend that lost its last commits without a trace comes back with a frontier that is behind the
//! watermark. The frontier alone makes peers give back what is missing; the watermark raises the alarm.

use std::fs;
use std::path::{Path, PathBuf};

use gridkv_protocol::Frontier;
use gridkv_protocol::codec::{decode, encode_named};
use gridkv_protocol::frame::{Format, HEADER_BYTES};
use serde::{Deserialize, Serialize};

use crate::backend::BackendError;
use crate::files::{create_dir, replace};

const FORMAT: Format = Format { magic: *b"GKVW", version: 1 };
const KIND: u8 = 1;
const MAX_BYTES: usize = 4 * 1_024 * 1_024;
const WATERMARK: &str = "watermark";

/// Where a store keeps its watermark.
#[derive(Clone, Debug)]
pub(crate) struct Watermark {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Content {
    frontier: Frontier,
}

impl Watermark {
    /// The watermark of the store in `dir`.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// What was on the disk when it was last written; empty when that can not be read, because then
    /// there is nothing to compare with.
    pub(crate) fn read(&self) -> Frontier {
        fs::read(self.dir.join(WATERMARK)).ok().and_then(|bytes| parse(&bytes)).unwrap_or_default()
    }

    /// Says that `frontier` is on the disk.
    ///
    /// # Errors
    /// [`BackendError`]: the one before is still there.
    pub(crate) fn write(&self, frontier: &Frontier) -> Result<(), BackendError> {
        let encode = |error: &dyn std::error::Error| BackendError::Encode(error.to_string());
        let payload = encode_named(&Content { frontier: frontier.clone() })
            .map_err(|error| encode(&error))?;
        let frame = FORMAT.wrap(KIND, &payload, MAX_BYTES).map_err(|error| encode(&error))?;
        create_dir(&self.dir)?;
        replace(&self.dir, WATERMARK, &frame)
    }
}

fn parse(bytes: &[u8]) -> Option<Frontier> {
    let (head, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    FORMAT.parse(head, MAX_BYTES).ok()?.verify(payload).ok()?;
    let Content { frontier } = decode(payload).ok()?;
    Some(frontier)
}

#[cfg(test)]
mod tests {
    use gridkv_protocol::{Epoch, Hlc, NodeId, Origin};

    use super::*;

    #[test]
    fn it_comes_back_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let watermark = Watermark::of(dir.path());
        assert!(watermark.read().is_empty());
        let origin = Origin::new(NodeId(1), Epoch(2));
        let frontier: Frontier = [(origin, Hlc::from_bits(3))].into_iter().collect();
        watermark.write(&frontier).unwrap();
        assert_eq!(watermark.read(), frontier);
        let path = dir.path().join(WATERMARK);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(watermark.read().is_empty(), "byte {at}");
        }
    }
}

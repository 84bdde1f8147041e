//! What goes over the links between the writer and its peers.

use std::error::Error;
use std::thread;
use std::time::Duration;

use gridkv_bench::mesh::Mesh;
use gridkv_bench::samples::Samples;
use gridkv_bench::workload::{KEY_BYTES, VALUE_BYTES};

/// Counts of all links of the first node together, over the same time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    /// Operations that it sent.
    ops: f64,
    /// Bytes that it sent.
    there: f64,
    /// Bytes that the others sent to it.
    back: f64,
    /// How long it took.
    seconds: f64,
}

/// Bytes per operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerOp {
    /// To a peer, all included.
    pub(crate) sent: f64,
    /// Of these, what is neither key nor value.
    pub(crate) overhead: f64,
    /// Of these, what goes over the link at rest too.
    pub(crate) at_rest: f64,
    /// From a peer.
    pub(crate) answers: f64,
}

impl Wire {
    /// What was counted until now.
    pub(crate) fn now(mesh: &Mesh) -> Result<Self, Box<dyn Error>> {
        const BYTES: &str = "gridkv_sync_sent_bytes_total";
        let mut wire = Self::default();
        for (number, client) in mesh.clients().iter().enumerate() {
            let samples = Samples::of(client)?;
            if number == 0 {
                wire.ops = samples.sum("gridkv_sync_sent_operations_total", "");
                wire.there = samples.sum(BYTES, "");
            } else {
                wire.back += samples.sum(BYTES, "peer=\"n1\"");
            }
        }
        Ok(wire)
    }

    /// What went over the links since an earlier count.
    pub(crate) fn since(self, earlier: Self, took: Duration) -> Self {
        Self {
            ops: self.ops - earlier.ops,
            there: self.there - earlier.there,
            back: self.back - earlier.back,
            seconds: took.as_secs_f64(),
        }
    }

    /// What goes over them while nobody writes.
    pub(crate) fn at_rest(mesh: &Mesh, seconds: f64) -> Result<Self, Box<dyn Error>> {
        let (before, lasts) = (Self::now(mesh)?, Duration::from_secs_f64(seconds));
        thread::sleep(lasts); // the time that is measured
        Ok(Self::now(mesh)?.since(before, lasts))
    }

    /// For each operation, beside what the same links carry at rest.
    pub(crate) fn per_op(self, idle: Self) -> PerOp {
        let content = f64::from(u16::try_from(KEY_BYTES + VALUE_BYTES).unwrap_or(u16::MAX));
        let sent = self.there / self.ops;
        let at_rest = idle.there / idle.seconds * self.seconds / self.ops;
        PerOp { sent, overhead: sent - content, at_rest, answers: self.back / self.ops }
    }
}

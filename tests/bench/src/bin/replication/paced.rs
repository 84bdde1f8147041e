//! Writes at a fixed pace: on the first of three nodes, and on one alone.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::float;
use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::{self, Mesh};
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::visibility::Visibility;
use tokio::runtime::Runtime;

use crate::Contenders;
use crate::wire::{PerOp, Wire};

/// Keys that are written.
const KEYS: usize = 100_000;
/// Connections of the load.
const CONNECTIONS: u32 = 64;
/// Between two writes whose way is measured, on average. Never less than `sync.flush_interval` (half of this), so that at
/// rest each finds a publisher that is idle.
const SPACING: Duration = Duration::from_millis(20);
/// What is on its way when the load ends arrives within this time, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// A pace, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paced {
    /// Writes per second; 0: none beside those whose way is measured.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
}

/// One round at one pace.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) three: Turn,
    pub(crate) alone: Turn,
    pub(crate) wire: PerOp,
}

/// What one contender did.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) writes: Tally,
    /// Until writes were visible on the others.
    pub(crate) lag: Vec<Distribution>,
    /// Microseconds of processor time for each write, of the node that took it.
    pub(crate) writer_us: f64,
    /// The same of all nodes.
    pub(crate) all_us: f64,
}

impl Paced {
    pub(crate) fn round(
        self,
        contenders: &Contenders,
        idle: Wire,
    ) -> Result<Round, Box<dyn Error>> {
        let Contenders { three, alone, runtime } = contenders;
        let (before, begun) = (Wire::now(three)?, Stopwatch::start());
        let of_three = self.turn(three, runtime)?;
        let wire = Wire::now(three)?.since(before, begun.elapsed()).per_op(idle);
        Ok(Round { three: of_three, alone: self.turn(alone, runtime)?, wire })
    }

    fn turn(self, mesh: &Mesh, runtime: &Runtime) -> Result<Turn, Box<dyn Error>> {
        let addresses = mesh.addresses();
        let (first, others) = addresses.split_first().ok_or("there is no node")?;
        let samples = self.lasts.div_duration_f64(SPACING);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        let samples = samples as usize;
        let visibility =
            Visibility { writer: *first, readers: others.to_vec(), samples, spacing: SPACING };
        let (cpu, all_cpu) = (mesh.process(1)?.cpu()?, mesh.cpu()?);
        let (addr, rate, connections) = (*first, self.rate, CONNECTIONS);
        let order = Order { addr, work: Work::Put, rate, connections, keys: KEYS, seed: 1 };
        let load = (rate > 0).then(|| Load::start(order));
        let lag = runtime.block_on(visibility.measure());
        let writes = load.map_or(Ok(Tally::default()), Load::stop)?;
        let lag = lag?;
        if !writes.last.is_empty() {
            // What is on its way belongs to it.
            runtime.block_on(mesh::arrival(&addresses, &[&writes.last], PATIENCE))?;
        }
        let count = float(writes.times.count() + samples);
        let each = |used: Duration| used.as_secs_f64() * 1e6 / count;
        let writer_us = each(mesh.process(1)?.cpu()?.saturating_sub(cpu));
        let all_us = each(mesh.cpu()?.saturating_sub(all_cpu));
        Ok(Turn { writes, lag, writer_us, all_us })
    }
}

//! Writes for a while, with the third node in one state.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::bytes;
use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::{self, Mesh};
use gridkv_bench::visibility::Visibility;
use gridkv_chaos::Fault;
use tokio::runtime::Runtime;

/// Bytes in each 20 ms that a slow link carries: 1 KiB/s.
const DRIP: u16 = 20;
/// Connections of the load.
const CONNECTIONS: u32 = 64;
/// Between two writes whose way is measured, on average.
const SPACING: Duration = Duration::from_millis(10);
/// All nodes have all within this time once all is well.
const PATIENCE: Duration = Duration::from_mins(2);

/// The state of node 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plight {
    Well,
    Slow,
    Stopped,
}

/// What is written, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Writes per second.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
    /// Keys that are written; all are there already.
    pub(crate) keys: usize,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) writes: Tally,
    /// Until writes were visible on node 2.
    pub(crate) lag: Distribution,
    /// Bytes that node 1 had at most, above what it had at the beginning.
    pub(crate) grown: f64,
}

impl Plight {
    pub(crate) const ALL: [Self; 3] = [Self::Well, Self::Slow, Self::Stopped];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Slow => "1 KiB/s",
            Self::Stopped => "stopped",
        }
    }

    fn begin(self, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Well => {}
            Self::Slow => mesh.afflict(&[3], Fault::Drip(DRIP)),
            Self::Stopped => mesh.node(3).pause()?,
        }
        Ok(())
    }

    fn end(self, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Well => {}
            Self::Slow => mesh.clear(),
            Self::Stopped => mesh.node(3).resume()?,
        }
        Ok(())
    }
}

impl Pace {
    /// One turn. All is well again afterwards, though not yet settled.
    pub(crate) fn turn(
        self,
        mesh: &Mesh,
        plight: Plight,
        runtime: &Runtime,
    ) -> Result<Turn, Box<dyn Error>> {
        let Self { rate, keys, .. } = self;
        let (addr, process) = (mesh.address(1), mesh.process(1)?);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        let samples = self.lasts.div_duration_f64(SPACING) as usize;
        let readers = vec![mesh.address(2)];
        let visibility = Visibility { writer: addr, readers, samples, spacing: SPACING };
        let at_first = process.resident()?;
        let peak = process.watch();
        plight.begin(mesh)?;
        let order = Order { addr, work: Work::Put, rate, connections: CONNECTIONS, keys, seed: 1 };
        let load = Load::start(order);
        let lag = runtime.block_on(visibility.measure());
        let writes = load.stop();
        let most = peak.bytes();
        plight.end(mesh)?;
        let lag = lag?.into_iter().next().ok_or("nobody read")?;
        let grown = bytes(most?) - bytes(at_first);
        Ok(Turn { writes: writes?, lag, grown })
    }
}

/// Waits until all nodes have all that was written.
pub(crate) fn settle(mesh: &Mesh, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let last = runtime.block_on(bulk::seal(mesh.address(1)))?;
    Ok(runtime.block_on(mesh::arrival(&mesh.addresses(), &[&last], PATIENCE))?)
}

//! A partition under load, and what it takes to heal.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

use gridkv_bench::equality;
use gridkv_bench::figure::float;
use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::{self, Mesh, Plan};
use gridkv_bench::samples::Samples;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload::{KEY_BYTES, VALUE_BYTES};
use gridkv_chaos::Fault;

/// Keys that both sides write.
const KEYS: usize = 100_000;
/// Reads per second on each node.
const READS: u32 = 500;
/// Connections of each load.
const CONNECTIONS: u32 = 32;
/// Nodes are equal within this time, or the measurement has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// How the backlog compares with the op log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// The log is as a node has it by default.
    Fits,
    /// It is as small as a second of writes.
    Exceeds,
}

impl Case {
    pub(crate) const ALL: [Self; 2] = [Self::Fits, Self::Exceeds];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fits => "fits the log",
            Self::Exceeds => "exceeds it",
        }
    }

    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Fits => &[],
            Self::Exceeds => &[("GRIDKV_SYNC__LOG_BYTES", "262144")],
        }
    }
}

/// How long, and at which pace each side is written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partition {
    pub(crate) lasts: Duration,
    pub(crate) rate: u32,
}

/// What one node did for clients during the partition.
#[derive(Debug)]
pub(crate) struct Served {
    /// `None` where nobody wrote.
    pub(crate) writes: Option<Tally>,
    pub(crate) reads: Tally,
}

/// One partition that healed.
#[derive(Debug)]
pub(crate) struct Healed {
    /// Nodes 1 to 3.
    pub(crate) served: Vec<Served>,
    /// Bytes of keys and values that were written on both sides.
    pub(crate) backlog: f64,
    /// From healing until every node had everything.
    pub(crate) there: Duration,
    /// From healing until every node had found itself equal to each other one.
    pub(crate) equal: Duration,
    /// Catch-up sessions that ended.
    pub(crate) sessions: f64,
}

struct Loads {
    writes: Option<Load>,
    reads: Load,
}

impl Partition {
    pub(crate) fn heal(self, case: Case, gridkv: &Path) -> Result<Healed, Box<dyn Error>> {
        let settings = case.settings();
        let mesh = Plan { gridkv, nodes: 3, backend: "memory", proxies: true, settings }.start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let before = sessions(&mesh)?;
        mesh.afflict(&[1], Fault::Stall);
        let loads: Vec<Loads> = (1..=3).map(|number| self.load(&mesh, number)).collect();
        thread::sleep(self.lasts); // the partition itself
        let served: Vec<Served> = loads.into_iter().map(Loads::stop).collect::<Result<_, _>>()?;
        let healing = Stopwatch::start();
        mesh.clear();
        let writes = || served.iter().filter_map(|one| one.writes.as_ref());
        let versions: Vec<&str> = writes().map(|tally| tally.last.as_str()).collect();
        runtime.block_on(mesh::arrival(&mesh.addresses(), &versions, PATIENCE))?;
        let there = healing.elapsed();
        equality::wait(&mesh, PATIENCE)?;
        let equal = healing.elapsed();
        equality::compare(&mesh)?;
        let backlog = writes().map(|tally| tally.times.count() * (KEY_BYTES + VALUE_BYTES)).sum();
        let sessions = sessions(&mesh)? - before;
        mesh.stop()?;
        Ok(Healed { served, backlog: float(backlog), there, equal, sessions })
    }

    fn load(self, mesh: &Mesh, number: usize) -> Loads {
        let order = |work, rate| Order {
            addr: mesh.address(number),
            work,
            rate,
            connections: CONNECTIONS,
            keys: KEYS,
            seed: u64::try_from(number).unwrap_or_default(),
        };
        // Nodes 2 and 3 are one side.
        let writes = (number < 3).then(|| Load::start(order(Work::Put, self.rate)));
        Loads { writes, reads: Load::start(order(Work::Get, READS)) }
    }
}

impl Loads {
    fn stop(self) -> Result<Served, Box<dyn Error>> {
        let writes = self.writes.map(Load::stop).transpose()?;
        Ok(Served { writes, reads: self.reads.stop()? })
    }
}

fn sessions(mesh: &Mesh) -> Result<f64, Box<dyn Error>> {
    let of = |client| Ok(Samples::of(client)?.sum("gridkv_full_syncs_total", ""));
    mesh.clients().iter().map(of).sum()
}

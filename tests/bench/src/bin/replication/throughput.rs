//! Batches as fast as they are answered: with peers that nobody waits for, with peers that each batch waits for, and
//! without peers.

use std::error::Error;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::figure::float;
use gridkv_bench::mesh;
use gridkv_bench::samples::Samples;
use gridkv_bench::stopwatch::Stopwatch;

use crate::Contenders;

/// Connections, each with one batch under way.
const CONNECTIONS: usize = 4;
/// All is where it should be within this time.
const PATIENCE: Duration = Duration::from_mins(2);

/// How batches are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On a node that has no peers.
    Alone,
    /// On one of three; it counts when all have all.
    Together,
    /// On one of three, each batch answered once both others have it.
    Acknowledged,
}

/// What one way of them has shown, a figure per round.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) way: Way,
    /// Puts per second, until they were on all nodes.
    pub(crate) rates: Vec<f64>,
    /// Microseconds of processor time for each put, of the node that took it.
    pub(crate) writer_us: Vec<f64>,
    /// The same of all nodes.
    pub(crate) all_us: Vec<f64>,
    /// Puts that the op ring lost; they arrived by catch-up.
    pub(crate) lost: Vec<f64>,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Alone, Self::Together, Self::Acknowledged];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "without peers",
            Self::Together => "two peers, until all have all",
            Self::Acknowledged => "two peers, `acks=2` on each batch",
        }
    }
}

impl Series {
    pub(crate) fn new(way: Way) -> Self {
        Self { way, rates: Vec::new(), writer_us: Vec::new(), all_us: Vec::new(), lost: Vec::new() }
    }

    fn turn(&mut self, contenders: &Contenders, bodies: &[Vec<u8>]) -> Result<f64, Box<dyn Error>> {
        let Contenders { three, alone, runtime } = contenders;
        let mesh = if self.way == Way::Alone { alone } else { three };
        let query = if self.way == Way::Acknowledged { "?acks=2&ack_timeout=60s" } else { "" };
        let (writer, addresses) = (mesh.address(1), mesh.addresses());
        let lost = lost_by_ring(mesh)?;
        let (cpu, all_cpu) = (mesh.process(1)?.cpu()?, mesh.cpu()?);
        let begun = Stopwatch::start();
        runtime.block_on(bulk::send(writer, bodies, CONNECTIONS, query))?;
        let seal = runtime.block_on(bulk::seal(writer))?;
        runtime.block_on(mesh::arrival(&addresses, &[&seal], PATIENCE))?;
        let took = begun.elapsed().as_secs_f64();
        self.writer_us.push((mesh.process(1)?.cpu()?.saturating_sub(cpu)).as_secs_f64() * 1e6);
        self.all_us.push((mesh.cpu()?.saturating_sub(all_cpu)).as_secs_f64() * 1e6);
        self.lost.push(lost_by_ring(mesh)? - lost);
        Ok(took)
    }
}

fn lost_by_ring(mesh: &mesh::Mesh) -> Result<f64, Box<dyn Error>> {
    let samples = Samples::of(&mesh.node(1).client())?;
    Ok(samples.sum("gridkv_sync_buffer_overwritten_total", ""))
}

/// One turn of each, the first one another each time.
pub(crate) fn round(
    contenders: &Contenders,
    all: &mut [Series; 3],
    (number, puts): (usize, usize),
) -> Result<(), Box<dyn Error>> {
    let bodies = bulk::bodies(0..puts)?;
    let count = float(puts);
    for turn in 0..all.len() {
        let place = (turn + number) % all.len();
        let Some(series) = all.get_mut(place) else { continue };
        let took = series.turn(contenders, &bodies)?;
        series.rates.push(count / took);
        for figures in [&mut series.writer_us, &mut series.all_us] {
            if let Some(last) = figures.last_mut() {
                *last /= count;
            }
        }
    }
    Ok(())
}

//! One filling of an empty node from one that has data and takes writes.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::figure::{bytes, float};
use gridkv_bench::load::{Load, Order, Tally, Work};
use gridkv_bench::mesh::Plan;
use gridkv_bench::samples::Samples;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload::{KEY_BYTES, VALUE_BYTES};
use gridkv_cluster::Deadline;

/// A node is ready within this time, or never.
const PATIENCE: Duration = Duration::from_mins(3);
/// Connections of the load.
const CONNECTIONS: u32 = 64;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) gridkv: &'a Path,
    pub(crate) backend: &'a str,
    pub(crate) keys: usize,
    /// Writes per second.
    pub(crate) rate: u32,
    /// How long they go on before the empty node is started.
    pub(crate) before: Duration,
}

/// What it took. Memory is in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// From the start of the empty node until it was ready.
    pub(crate) took: Duration,
    /// Keys and values.
    pub(crate) content: f64,
    /// What the donor's store counts.
    pub(crate) data: f64,
    pub(crate) donor_above: f64,
    pub(crate) receiver_above: f64,
    /// Writes before the empty node was started.
    pub(crate) before: Tally,
    /// Writes from then until it was ready.
    pub(crate) during: Tally,
}

impl Filling<'_> {
    pub(crate) fn run(self) -> Result<Filled, Box<dyn Error>> {
        let Self { gridkv, backend, keys, rate, before } = self;
        let mesh = Plan { gridkv, nodes: 2, backend, proxies: false, settings: &[] }.build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let deadline = Deadline::after(PATIENCE);
        mesh.node(1).start()?;
        mesh.node(1).wait_ready(deadline)?;
        let (donor, addr) = (mesh.process(1)?, mesh.address(1));
        let without_data = donor.resident()?;
        runtime.block_on(bulk::fill(addr, 0..keys))?;
        let order = Order { addr, work: Work::Put, rate, connections: CONNECTIONS, keys, seed: 1 };
        let mut load = Load::start(order);
        thread::sleep(before); // the time that is measured
        let with_data = donor.resident()?;
        let samples = Samples::of(&mesh.node(1).client())?;
        let data = samples.sum("gridkv_store_memory_bytes", "store=\"main\"");
        let before = load.take();
        let peak = donor.watch();
        let begun = Stopwatch::start();
        mesh.node(2).start()?;
        let receiver = mesh.process(2)?.watch();
        mesh.node(2).wait_ready(deadline)?;
        let took = begun.elapsed();
        let during = load.stop()?;
        let (donor_most, receiver_most) = (peak.bytes()?, receiver.bytes()?);
        let found = mesh.node(2).client().key_count("main")?;
        if found != u64::try_from(keys).ok() {
            return Err(format!("a node that is ready has {found:?} keys of {keys}").into());
        }
        mesh.stop()?;
        Ok(Filled {
            took,
            content: float(keys * (KEY_BYTES + VALUE_BYTES)),
            data,
            donor_above: bytes(donor_most) - bytes(with_data),
            receiver_above: bytes(receiver_most) - bytes(without_data) - data,
            before,
            during,
        })
    }
}

//! The good client for a while, beside bad ones or alone.

use std::error::Error;
use std::thread;
use std::time::Duration;

use gridkv_bench::bulk;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::float;
use gridkv_bench::load::{self, Load, Tally, Work};
use gridkv_bench::mesh::Mesh;
use gridkv_cluster::{Deadline, wait_for};

use crate::crowd::{Crowd, Order, Toll};
use crate::plight::{LARGE, Plight};

/// Keys of the good client.
const KEYS: usize = 10_000;
/// Its connections for reads, and as many for writes.
const CONNECTIONS: u32 = 16;
/// Bytes of the large value.
const LARGE_BYTES: usize = 256 * 1_024;
/// Before each turn, so that nothing of the one before is felt.
const REST: Duration = Duration::from_secs(1);
/// How much longer than allowed bad clients wait for their end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bad clients are there, or never will be.
const COMING: Duration = Duration::from_secs(30);

/// What is done, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The good client's requests per second.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
    /// Each of the node's deadlines for clients.
    pub(crate) deadline: Duration,
    /// Bad clients at a time, idle ones aside.
    pub(crate) bad: usize,
    /// Idle connections at a time.
    pub(crate) idle: usize,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) good: Tally,
    /// Bad clients at a time.
    pub(crate) at_a_time: usize,
    pub(crate) toll: Toll,
    /// Bytes that the node had at most, above what it had before.
    pub(crate) grown: f64,
}

/// Puts what is asked for.
pub(crate) fn prepare(node: &Mesh) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bulk::fill(node.address(1), 0..KEYS))?;
    node.node(1).client().put("main", LARGE, &vec![b'v'; LARGE_BYTES])?.expect_status(201)?;
    Ok(())
}

impl Pace {
    /// One turn in which all is well.
    pub(crate) fn well(self, node: &Mesh) -> Result<Turn, Box<dyn Error>> {
        thread::sleep(REST);
        let process = node.process(1)?;
        let (at_first, peak) = (process.resident()?, process.watch());
        let good = self.good(node)?;
        let grown = bytes(peak.bytes()?) - bytes(at_first);
        Ok(Turn { good, at_a_time: 0, toll: Toll::default(), grown })
    }

    /// One turn beside bad clients. None is there afterwards, but for those that the node did not let go in time.
    pub(crate) fn beside(self, node: &Mesh, plight: Plight) -> Result<Turn, Box<dyn Error>> {
        let Self { deadline, .. } = self;
        let at_a_time = match plight {
            Plight::Idle => self.idle,
            Plight::SlowHead
            | Plight::SlowNextHead
            | Plight::SlowBody
            | Plight::StalledBody
            | Plight::Unread => self.bad,
        };
        thread::sleep(REST);
        let process = node.process(1)?;
        let (at_first, peak) = (process.resident()?, process.watch());
        let patience = plight.allowed(deadline) + PATIENCE;
        let (addr, count) = (node.address(1), at_a_time);
        let crowd = Crowd::start(Order { addr, plight, count, within: deadline, patience });
        wait_for(Deadline::after(COMING), "the bad clients to come", || {
            crowd.is_there(at_a_time).then_some(())
        })?;
        let good = self.good(node)?;
        let grown = bytes(peak.bytes()?) - bytes(at_first);
        let toll = crowd.leave()?;
        Ok(Turn { good, at_a_time, toll, grown })
    }

    fn good(self, node: &Mesh) -> Result<Tally, Box<dyn Error>> {
        let (addr, rate) = (node.address(1), self.rate / 2);
        let order = |work, seed| load::Order {
            addr,
            work,
            rate,
            connections: CONNECTIONS,
            keys: KEYS,
            seed,
        };
        let loads = [Load::start(order(Work::Get, 1)), Load::start(order(Work::Put, 2))];
        thread::sleep(self.lasts); // the time that is measured
        let [reads, writes] = loads.map(Load::stop);
        let (reads, writes) = (reads?, writes?);
        Ok(Tally {
            times: Distribution::joined([reads.times, writes.times]),
            refused: reads.refused + writes.refused,
            ..writes
        })
    }
}

fn bytes(count: u64) -> f64 {
    usize::try_from(count).map_or(f64::NAN, float)
}

//! A paced load of writes on one node, from a thread of its own.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::try_join_all;
use gridkv_bench::connection::Connection;
use gridkv_bench::figure::float;
use gridkv_bench::random::Random;
use gridkv_bench::stopwatch::Stopwatch;
use gridkv_bench::workload;
use tokio::time::{MissedTickBehavior, interval};

/// Keys that the load writes to.
const KEYS: usize = 10_000;

/// Writes that go on until they are stopped.
pub(crate) struct Load {
    state: Arc<State>,
    begun: Stopwatch,
    thread: JoinHandle<io::Result<()>>,
}

#[derive(Default)]
struct State {
    stopped: AtomicBool,
    writes: AtomicUsize,
}

impl Load {
    /// Starts `rate` writes per second over so many connections.
    pub(crate) fn start(addr: SocketAddr, rate: u32, connections: u32) -> Self {
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let connections = connections.max(1);
            let pace = Duration::from_secs(1) * connections / rate.max(1);
            let writers = (0..connections).map(|seed| write(addr, pace, seed.into(), &shared));
            runtime.block_on(try_join_all(writers)).map(drop)
        });
        Self { state, begun: Stopwatch::start(), thread }
    }

    /// Stops, and says how many writes were taken per second.
    pub(crate) fn stop(self) -> Result<f64, Box<dyn Error>> {
        let took = self.begun.elapsed();
        let writes = self.state.writes.load(Ordering::Relaxed);
        self.state.stopped.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the load panicked")??;
        Ok(float(writes) / took.as_secs_f64())
    }
}

/// One connection: a write at each tick; what came too late is made up for.
async fn write(addr: SocketAddr, pace: Duration, seed: u64, state: &State) -> io::Result<()> {
    let mut connection = Connection::open(addr).await?;
    let mut random = Random::seeded(seed);
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !state.stopped.load(Ordering::Relaxed) {
        ticks.tick().await;
        let number = random.below(KEYS);
        let path = format!("/v1/kv/main/{}", workload::key(number));
        let status = connection.put(&path, &workload::value(number)).await?.status;
        if !(200..300).contains(&status) {
            return Err(io::Error::other(format!("the load's put was answered {status}")));
        }
        state.writes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

//! One write at a time, and how long it takes until it is seen.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gridkv_bench::connection::Connection;
use gridkv_bench::distribution::Distribution;
use gridkv_bench::figure::float;
use gridkv_bench::random::Random;
use gridkv_bench::stopwatch::Stopwatch;

/// The key that is written over and over: a reader tells the new value from the one before.
const PATH: &str = "/v1/kv/main/visible";
/// A write that is not seen for so long is lost, and the measurement with it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is measured.
pub(crate) struct Visibility {
    /// Nodes 1 to 3.
    pub(crate) addresses: [SocketAddr; 3],
    /// Writes.
    pub(crate) samples: usize,
    /// Between them, on average.
    pub(crate) spacing: Duration,
}

/// What one node showed.
#[derive(Default)]
pub(crate) struct Seen {
    /// From each acknowledgement until the value was read here.
    pub(crate) after: Distribution,
    /// How long each single read took.
    pub(crate) polls: Distribution,
}

impl Visibility {
    /// Nodes 2 and 3, in this order.
    pub(crate) async fn measure(&self) -> io::Result<[Seen; 2]> {
        let [first, second, third] = self.addresses;
        let mut writer = Connection::open(first).await?;
        let mut second = Watcher::open(second).await?;
        let mut third = Watcher::open(third).await?;
        let mut random = Random::seeded(1);
        for sample in 0..self.samples {
            let value = format!("{sample:0100}");
            let status = writer.put(PATH, value.as_bytes()).await?.status;
            let acknowledged = Stopwatch::start();
            if !(200..300).contains(&status) {
                return Err(io::Error::other(format!("node 1 answered {status} to a put")));
            }
            tokio::try_join!(
                second.wait(value.as_bytes(), acknowledged),
                third.wait(value.as_bytes(), acknowledged)
            )?;
            // At random, so that samples do not fall into step with the nodes' own rhythms.
            let share = random.below(1_000);
            tokio::time::sleep(self.spacing.mul_f64(0.5 + float(share) / 1_000.0)).await;
        }
        Ok([second.seen, third.seen])
    }
}

/// Reads from one node.
struct Watcher {
    connection: Connection,
    seen: Seen,
}

impl Watcher {
    async fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(addr).await?, seen: Seen::default() })
    }

    async fn wait(&mut self, value: &[u8], acknowledged: Stopwatch) -> io::Result<()> {
        loop {
            let poll = Stopwatch::start();
            let there = self.connection.get(PATH).await?.body == value;
            self.seen.polls.note(poll.elapsed());
            let waited = acknowledged.elapsed();
            if there {
                self.seen.after.note(waited);
                return Ok(());
            }
            if waited > PATIENCE {
                return Err(io::Error::other("a write that was acknowledged is not seen"));
            }
        }
    }
}
